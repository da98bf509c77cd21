"""The words of known texts by which the map finds codes, beside those of their titles."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from naics_embed.bundle.storage import CODER, Bundle
from naics_embed.errors import ArtifactError
from naics_embed.taxonomy import Taxonomy

TEXTS = 'texts.parquet'
WORD = r'[a-z]{3,}'
MOST = 40
"""Words of a code; those that are rare elsewhere come first."""


@dataclass(frozen=True)
class KnownWords:
    """Words of the known texts of each code.

    Attributes:
        vocabulary: the words, sorted.
        of_codes: for each code, positions in the vocabulary; empty for most but six-digit codes.
    """

    vocabulary: Sequence[str]
    of_codes: Sequence[Sequence[int]]


NO_WORDS = KnownWords((), ())


def known_words(bundle: Bundle, taxonomy: Taxonomy) -> KnownWords:
    """Return the words of a bundle's known texts, none where it has no coder.

    A text that its user keeps private is not in the bundle, and none of its words is here.

    Args:
        bundle: where the texts are.
        taxonomy: whose order the codes have.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = bundle.path / CODER / TEXTS
    if not path.is_file():
        return NO_WORDS
    count, codes_with = pl.len().alias('count'), pl.len().alias('codes')
    try:
        words = (
            pl.scan_parquet(path)
            .select('code', word=pl.col('text').str.to_lowercase().str.extract_all(WORD))
            .explode('word')
            .drop_nulls()
            .group_by('code', 'word')
            .agg(count)
            .collect()
        )
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(f'{path} is damaged ({error}); export the table again') from error
    spread = words.group_by('word').agg(codes_with)
    ranked = (
        words.join(spread, on='word')
        .with_columns(weight=pl.col('count').log1p() * (len(taxonomy) / pl.col('codes')).log())
        .sort('code', 'weight', 'word', descending=[False, True, False])
        .group_by('code', maintain_order=True)
        .agg(pl.col('word').head(MOST))
    )
    chosen = dict(ranked.iter_rows())
    vocabulary = sorted({word for of_code in chosen.values() for word in of_code})
    at = {word: i for i, word in enumerate(vocabulary)}
    return KnownWords(
        vocabulary, [sorted(at[word] for word in chosen.get(code, ())) for code in taxonomy.codes]
    )
