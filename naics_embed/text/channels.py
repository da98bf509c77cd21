"""The texts of a code, channel by channel."""

import polars as pl

CHANNEL_SCHEMA = pl.Schema(
    {
        'code': pl.String(),
        'title': pl.String(),
        'description': pl.String(),
        'examples': pl.String(),
        'excluded': pl.String(),
    }
)
SEPARATOR = '; '


def channel_texts(codebook: pl.DataFrame, examples: pl.DataFrame) -> pl.DataFrame:
    """Collect the channel texts of every code.

    The examples channel holds the illustrative examples of the description and the given example
    texts; a code of a higher level has those of its own only. Absent channels stay null.

    Args:
        codebook: columns ``code``, ``title``, ``description``, ``illustrative``, ``excluded``.
        examples: columns ``code`` and ``text``; any number of rows a code.

    Returns:
        `CHANNEL_SCHEMA`, in the order of ``codebook``.
    """
    listed = examples.group_by('code', maintain_order=True).agg(
        pl.col('text').str.join(SEPARATOR).alias('listed')
    )
    joined = codebook.join(listed, on='code', how='left', maintain_order='left')
    illustrative = pl.col('illustrative').str.replace_all('\n', SEPARATOR, literal=True)
    return joined.select(
        'code',
        'title',
        pl.col('description').str.replace_all('\n', ' ', literal=True),
        pl.concat_str(illustrative, 'listed', separator=SEPARATOR, ignore_nulls=True)
        .replace('', None)
        .alias('examples'),
        pl.col('excluded').str.replace_all('\n', ' ', literal=True),
    ).cast(CHANNEL_SCHEMA)
