"""The project's own plain-language texts: the corpus and the panel (MIT)."""

from pathlib import Path

import polars as pl

from naics_embed.errors import SourceError

CORPUS_FILE = 'plain_language.csv'
PANEL_FILE = 'panel.csv'
SCHEMA = pl.Schema(
    {
        'id': pl.String(),
        'code': pl.String(),
        'text': pl.String(),
        'style': pl.String(),
        'split': pl.String(),
    }
)


def read_corpus() -> pl.DataFrame:
    """Read the corpus: id, code (any level), text, style, split (train, validation, test)."""
    return _read(CORPUS_FILE)


def read_panel() -> pl.DataFrame:
    """Read the panel: like the corpus, six-digit codes only, validation and test rows only."""
    return _read(PANEL_FILE)


def plain_language() -> pl.DataFrame:
    """Return corpus and panel together, with ``kind`` ``plain`` or ``panel``."""
    return pl.concat(
        [
            read_corpus().with_columns(kind=pl.lit('plain')),
            read_panel().with_columns(kind=pl.lit('panel')),
        ]
    )


def data_file(name: str) -> Path:
    """Return where a data file of the package lies. Raises SourceError where it is missing."""
    path = Path(__file__).resolve().parent / name
    if not path.is_file():
        raise SourceError(f'the package lacks its data file {name}; install it again')
    return path


def _read(name: str) -> pl.DataFrame:
    return pl.read_csv(data_file(name), schema=SCHEMA)
