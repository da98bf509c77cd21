"""The project's own texts: plain language, business texts, group texts and the panel (MIT)."""

from pathlib import Path

import polars as pl

from naics_embed.errors import SourceError

CORPUS_FILE = 'plain_language.csv'
PANEL_FILE = 'panel.csv'
BUSINESS_FILE = 'business_texts.csv'
GROUP_FILE = 'group_texts.csv'
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


def read_groups() -> pl.DataFrame:
    """Read the group texts: like the corpus, from which a code of 2 to 5 digits follows."""
    return _read(GROUP_FILE)


def plain_language() -> pl.DataFrame:
    """Return all of them, with ``kind`` ``plain``, ``panel``, ``business`` or ``group``."""
    return pl.concat(
        [
            read_corpus().with_columns(kind=pl.lit('plain')),
            read_panel().with_columns(kind=pl.lit('panel')),
            read_business().with_columns(kind=pl.lit('business')),
            read_groups().with_columns(kind=pl.lit('group')),
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
