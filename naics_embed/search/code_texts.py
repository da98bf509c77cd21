"""The official texts of codes, for reading: definition, illustrative examples, index entries.

``coder/code_texts.parquet`` holds them; a bundle of an earlier version, or one whose source had
titles only, has none.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from naics_embed.bundle.storage import CODER, Bundle
from naics_embed.errors import ArtifactError
from naics_embed.search.storage import TEXTS

CODE_TEXTS = 'code_texts.parquet'


@dataclass(frozen=True)
class CodeTexts:
    """Texts of a code.

    Attributes:
        description: the official definition, paragraphs on lines; None where there is none.
        examples: illustrative examples.
        index_entries: activities that the official index lists under it.
        known_texts: texts by which a coder knows it, none that is kept private.
    """

    description: str | None = None
    examples: tuple[str, ...] = ()
    index_entries: tuple[str, ...] = ()
    known_texts: tuple[str, ...] = ()


def write_code_texts(folder: Path, codebook: pl.DataFrame, index_entries: pl.DataFrame) -> None:
    """Write the texts of all codes that have some.

    Args:
        folder: of the coder.
        codebook: ``code``, ``description`` and ``illustrative``, one example a line.
        index_entries: ``code`` and ``text``.
    """
    entries = (
        index_entries.select('code', index_entries='text')
        .unique(maintain_order=True)
        .group_by('code', maintain_order=True)
        .agg('index_entries')
    )
    codebook.select('code', 'description', 'illustrative').join(
        entries, on='code', how='left', maintain_order='left'
    ).filter(
        pl.any_horizontal(pl.col('description', 'illustrative', 'index_entries').is_not_null())
    ).write_parquet(folder / CODE_TEXTS)


def read_code_texts(bundle: Bundle, most: int) -> dict[str, CodeTexts]:
    """Return the texts of the codes that have some.

    Args:
        bundle: where from.
        most: known texts of a code, at most.

    Raises:
        ArtifactError: a file is damaged.
    """
    folder = bundle.path / CODER
    if not (folder / TEXTS).is_file():
        return {}
    try:
        known = (
            pl.scan_parquet(folder / TEXTS)
            .filter(pl.col('text') != '')
            .group_by('code', maintain_order=True)
            .agg(known_texts=pl.col('text').head(most))
            .collect()
        )
        if (folder / CODE_TEXTS).is_file():
            official = pl.read_parquet(folder / CODE_TEXTS)
            known = official.join(known, on='code', how='full', coalesce=True)
        rows = known.to_dicts()
    except pl.exceptions.PolarsError as error:
        raise ArtifactError(f'{folder} is damaged ({error}); export the table again') from error
    return {row['code']: _texts(row) for row in rows}


def _texts(row: dict[str, object]) -> CodeTexts:
    illustrative = row.get('illustrative')
    return CodeTexts(
        description=_string(row.get('description')),
        examples=tuple(illustrative.splitlines()) if isinstance(illustrative, str) else (),
        index_entries=_strings(row.get('index_entries')),
        known_texts=_strings(row.get('known_texts')),
    )


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _strings(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
