"""Labelled texts: every text that belongs to a code, with its split."""

import re

import polars as pl

QUERY_SCHEMA = pl.Schema(
    {'text': pl.String(), 'code': pl.String(), 'kind': pl.String(), 'split': pl.String()}
)
SPLITS = ('train', 'validation', 'test')

_SENTENCE_END = re.compile(r'(?<=[.!?])\s+')


def first_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0]


def build_queries(
    codebook: pl.DataFrame,
    redirections: pl.DataFrame,
    entries: pl.DataFrame,
    plain_language: pl.DataFrame,
) -> pl.DataFrame:
    """Put every labelled text into one table.

    Args:
        codebook: ``code``, ``title``, ``description`` and ``description_origin``.
        redirections: ``phrase`` and ``targets``; rows with one target label their phrase with it.
        entries: index entries with ``text``, ``code`` and ``role``; those of the role ``examples``
            are texts of a channel, and training queries of the kind ``example``.
        plain_language: ``text``, ``code``, ``kind`` and ``split``.

    Returns:
        `QUERY_SCHEMA`: kind is ``index``, ``example``, ``title``, ``description`` (first sentences
        of a code's own description), ``redirection``, or the kind in ``plain_language``. Only
        index entries and plain language have validation and test rows. A text with the same
        label in two sources of training texts occurs once; with two labels, once with each.
    """
    titles = codebook.select(pl.col('title').alias('text'), 'code', kind=pl.lit('title'))
    described = codebook.filter(pl.col('description_origin').is_in(['own', 'pointer']))
    descriptions = described.select(
        pl.col('description').map_elements(first_sentence, return_dtype=pl.String()).alias('text'),
        'code',
        kind=pl.lit('description'),
    )
    redirected = redirections.filter(
        (pl.col('targets').list.len() == 1) & pl.col('phrase').is_not_null()
    ).select(
        pl.col('phrase').alias('text'),
        pl.col('targets').list.first().alias('code'),
        kind=pl.lit('redirection'),
    )
    examples = entries.filter(pl.col('role') == 'examples').select(
        'text', 'code', kind=pl.lit('example')
    )
    supervision = pl.concat([titles, descriptions, redirected, examples]).with_columns(
        split=pl.lit('train')
    )
    index = entries.filter(pl.col('role') != 'examples').select(
        'text', 'code', kind=pl.lit('index'), split=pl.col('role')
    )
    plain = plain_language.select('text', 'code', 'kind', 'split')
    columns = list(QUERY_SCHEMA)
    everything = pl.concat([part.select(columns) for part in (index, plain, supervision)])
    return everything.cast(QUERY_SCHEMA).unique(
        ['text', 'code', 'split'], keep='first', maintain_order=True
    )
