"""What codes of earlier vintages of NAICS became."""

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import concordance
from naics_embed.classifications.names import EARLIER, NAICS2022
from naics_embed.classifications.tables import has_tables
from naics_embed.taxonomy import LEAF_LEVEL


def became(code: str) -> tuple[str, list[str]] | None:
    """Return name and successors in NAICS 2022 of a six-digit code of before; None for no such.

    A code of several vintages is taken for one of the latest of them.
    """
    if len(code) != LEAF_LEVEL or not has_tables():
        return None
    for name in EARLIER:
        if code in Classification.load(name).codes:
            return name, concordance(name, NAICS2022).targets(code)
    return None


def later_codes(code: str) -> list[str]:
    """Return what a code of 2012 or 2017 became in 2022; none where nothing is known of it."""
    found = became(code)
    return [] if found is None else found[1]
