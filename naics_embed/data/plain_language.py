"""The project's own texts: plain language, business texts and the panel (MIT)."""

from pathlib import Path

import polars as pl

from naics_embed.errors import SourceError

CORPUS_FILE = 'plain_language.csv'
PANEL_FILE = 'panel.csv'
BUSINESS_FILE = 'business_texts.csv'
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


def read_business() -> pl.DataFrame:
    """Read the business texts: like the corpus, six-digit codes only, in styles of real firms."""
    return _read(BUSINESS_FILE)


def plain_language() -> pl.DataFrame:
    """Return all of them, with ``kind`` ``plain``, ``panel`` or ``business``."""
    return pl.concat(
        [
            read_corpus().with_columns(kind=pl.lit('plain')),
            read_panel().with_columns(kind=pl.lit('panel')),
            read_business().with_columns(kind=pl.lit('business')),
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
