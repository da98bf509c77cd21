"""Codes that rows have already, as evidence beside their texts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from naics_embed.classifications.tables import has_tables
from naics_embed.errors import UserError
from naics_embed.evidence.prior_settings import PriorCodeSettings
from naics_embed.evidence.reliability import PriorCode, PriorEvidence, Reliability
from naics_embed.search.code_values import AUTO, CodeReader
from naics_embed.search.sic import read_sic, sic_targets
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

SIC = 'sic'
SIC_KIND = 'SIC'
DOUBTFUL = 0.1
"""Fraction of unknown codes above which a column may be one of SIC."""
EXAMPLES = 3


class PriorReader:
    """Reads prior codes.

    Args:
        codes: canonical codes of the table, all levels, in its order.
        vintage: 2012, 2017, 2022 or ``auto`` for codes of NAICS, see `CodeReader`; ``sic`` for
            codes of SIC 1987.

    Raises:
        UserError: there is no such vintage, or a package that it needs is missing.
    """

    def __init__(self, codes: Sequence[str], vintage: int | str = AUTO) -> None:
        self.vintage = vintage
        taxonomy = Taxonomy(codes)
        leaves = taxonomy.at_level(LEAF_LEVEL)
        self._below: dict[int, list[int]] = {}
        for column, leaf in enumerate(leaves.tolist()):
            for row in {*taxonomy.ancestors[leaf].tolist(), leaf} - {-1}:
                self._below.setdefault(row, []).append(column)
        self._digits = [len(code) for code in codes]
        self._column = {codes[leaf]: column for column, leaf in enumerate(leaves.tolist())}
        self.evidence = PriorEvidence(taxonomy.ancestors[leaves])
        if vintage == SIC:
            sic_targets()
            return
        self._reader = CodeReader(codes, vintage=vintage, several='mean')
        self._named: str | None = None

    def detect(self, values: Iterable[Any]) -> None:
        """Find out the vintage of a column, where it is ``auto``.

        Raises:
            UserError: many values are not codes of NAICS, but of SIC.
        """
        if self.vintage != AUTO:
            return
        distinct = list(dict.fromkeys(value for value in values if not _blank(value)))
        name = self._reader.detect(distinct)
        self._named = None if name == self._reader.own else name
        unknown = [value for value in distinct if self.read(value) is None]
        if len(unknown) <= DOUBTFUL * len(distinct) or not has_tables():
            return
        if sum(read_sic(value) is None for value in distinct) <= DOUBTFUL * len(distinct):
            raise UserError(
                f'{len(unknown):,} of {len(distinct):,} prior codes are not codes of NAICS, such '
                f'as {unknown[0]!r}, and look like SIC: give --prior-vintage sic'
            )

    def read(self, value: Any) -> PriorCode | None:
        """Return what a cell names; None for a missing value and for what is no code."""
        if _blank(value):
            return None
        if self.vintage == SIC:
            code = read_sic(value)
            targets = sic_targets()[code] if code else ()
            columns = tuple(self._column[each] for each in targets if each in self._column)
            return PriorCode(columns, SIC_KIND) if columns else None
        resolution = self._reader.resolve(value, self._named)
        if not resolution.rows:
            return None
        leaves = {column for row in resolution.rows for column in self._below[row]}
        digits = min(self._digits[row] for row in resolution.rows)
        return PriorCode(tuple(sorted(leaves)), f'{digits} digits')


@dataclass
class PriorCodes:
    """Prior codes of many rows: how they are read, and how far they are trusted.

    Attributes:
        reader: reads them.
        reliability: how far they are trusted.
        settings: what is expected of them.
    """

    reader: PriorReader
    reliability: Reliability
    settings: PriorCodeSettings = field(default_factory=PriorCodeSettings)

    def read(self, values: Iterable[Any]) -> list[PriorCode | None]:
        """Return what cells name."""
        return [self.reader.read(value) for value in values]

    def fused(self, probabilities: np.ndarray, codes: Sequence[PriorCode | None]) -> np.ndarray:
        """Return probabilities given text and prior code, see `PriorEvidence.fused`."""
        return self.reader.evidence.fused(probabilities, codes, self.reliability)

    def described(self) -> str:
        """Return in a few words how far the codes are trusted."""
        if not self.reliability.shares:
            return (
                f'too few to tell how good they are; {self.reliability.default[-1]:.0%} are '
                'expected to be right'
            )
        each = ', '.join(
            f'{shares[-1]:.0%} of {kind}'
            for kind, shares in sorted(self.reliability.shares.items())
        )
        return f'by the texts of {self.reliability.rows:,} rows these are right: {each}'


def unread(reader: PriorReader, values: Iterable[Any]) -> tuple[int, list[str]]:
    """Return how many values are not codes, and examples of them."""
    wrong = [value for value in values if not _blank(value) and reader.read(value) is None]
    return len(wrong), [repr(value) for value in dict.fromkeys(wrong)][:EXAMPLES]


def fit_prior_codes(
    reader: PriorReader,
    values: Sequence[Any],
    probabilities: Callable[[np.ndarray], np.ndarray],
    settings: PriorCodeSettings | None = None,
) -> PriorCodes:
    """Estimate how far prior codes can be trusted.

    Args:
        reader: reads them.
        values: cells of the rows.
        probabilities: given positions of rows, their float64 ``(rows, leaves)`` by text.
        settings: what is expected.
    """
    settings = settings or PriorCodeSettings()
    codes = [reader.read(value) for value in values]
    rows = np.flatnonzero([code is not None for code in codes])
    if len(rows) > settings.fitted_rows:
        rng = np.random.default_rng(settings.seed)
        rows = np.sort(rng.choice(rows, settings.fitted_rows, replace=False))
    few = len(rows) < settings.fewest
    p = np.empty((0, len(reader.evidence.ancestors))) if few else probabilities(rows)
    chosen = [] if few else [codes[row] for row in rows.tolist()]
    return PriorCodes(reader, reader.evidence.estimate(p, chosen, settings), settings)


def prior_of_texts(
    codes: Sequence[str],
    vintage: int | str,
    given: Sequence[Any],
    texts: Sequence[str],
    probabilities: Callable[[Sequence[str]], np.ndarray],
) -> tuple[PriorCodes, list[PriorCode | None]]:
    """Return how far the prior codes of texts can be trusted, and what each names.

    Args:
        codes: canonical codes of the table.
        vintage: of the prior codes; see `PriorReader`.
        given: the prior code of each text.
        texts: the texts.
        probabilities: float64 ``(n, leaves)`` of n of them.

    Raises:
        UserError: there are more or fewer codes than texts, or many are not codes of NAICS.
    """
    if len(given) != len(texts):
        raise UserError(
            f'{len(texts)} texts and {len(given)} prior codes; give one for every text, '
            'None where there is none'
        )
    reader = PriorReader(codes, vintage)
    reader.detect(given)
    prior = fit_prior_codes(
        reader, given, lambda rows: probabilities([texts[row] for row in rows.tolist()])
    )
    return prior, prior.read(given)


def _blank(value: Any) -> bool:
    missing = value is None or (isinstance(value, float) and np.isnan(value))
    return missing or (isinstance(value, str) and not value.strip())
