"""How far prior codes can be trusted, and what they say of the right code.

A prior code is a code that a row has already, of whatever origin. It is right with some
probability, else it shares the industry, the group, …, or nothing with the right code. These shares
are not known for a file. They are estimated from the agreement of the prior codes with what the
texts say, by expectation maximisation, as the error rates of an observer are without the truth
(Dawid & Skene, Applied Statistics 1979). The text's probabilities stand for the second observer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from naics_embed.evidence.prior_settings import SHARES, PriorCodeSettings

LEAST = 1e-12
"""Probabilities of a text below count as this, so that it excludes no code."""
ITERATIONS = 200
ENOUGH = 1e-7


@dataclass(frozen=True)
class PriorCode:
    """A prior code.

    Attributes:
        leaves: columns of the six-digit codes that it may stand for, ascending.
        kind: codes of one kind are about as reliable: ``6 digits``, ``SIC``, …
    """

    leaves: tuple[int, ...]
    kind: str


@dataclass(frozen=True)
class Reliability:
    """Fractions of prior codes by how near they are to the right code.

    Attributes:
        shares: kind of prior codes → float64 ``(len(SHARES),)``.
        default: fractions of kinds of which nothing is known.
        rows: rows from which they were estimated.
    """

    shares: dict[str, np.ndarray]
    default: np.ndarray
    rows: int = 0

    def of(self, kind: str) -> np.ndarray:
        """Return the fractions of a kind of codes."""
        return self.shares.get(kind, self.default)


class PriorEvidence:
    """What prior codes say of six-digit codes.

    Args:
        ancestors: int ``(leaves, levels)``, of each leaf, sector first, itself last.
    """

    def __init__(self, ancestors: np.ndarray) -> None:
        self.ancestors = ancestors
        self._near: dict[tuple[int, ...], np.ndarray] = {}

    def nearness(self, leaves: tuple[int, ...]) -> np.ndarray:
        """Return how near each leaf is to a prior code, int8 ``(leaves,)``, places in `SHARES`."""
        if leaves not in self._near:
            near = np.zeros(len(self.ancestors), dtype=np.int8)
            columns = self.ancestors.shape[1]
            for column in range(columns - 1):
                shared = np.isin(self.ancestors[:, column], self.ancestors[list(leaves), column])
                near[shared] = column + 1
            near[list(leaves)] = len(SHARES) - 1
            self._near[leaves] = near
        return self._near[leaves]

    def fused(
        self, probabilities: np.ndarray, codes: Sequence[PriorCode | None], reliability: Reliability
    ) -> np.ndarray:
        """Return probabilities of leaves given text and prior code; rows add up to 1.

        In the logits of the fusion this is one more score: the log of the probability that a code
        is the right one, given the prior code. Rows without a prior code are returned as they are.

        Args:
            probabilities: float64 ``(q, leaves)``, given the text.
            codes: prior code of each row.
            reliability: fractions of the prior codes.
        """
        result = probabilities.copy()
        for row, code in enumerate(codes):
            if code is not None:
                near = self.nearness(code.leaves)
                counts = np.bincount(near, minlength=len(SHARES))
                shares = reliability.of(code.kind)
                each = np.divide(shares, counts, out=np.zeros(len(SHARES)), where=counts > 0)
                p = np.maximum(probabilities[row], LEAST) * each[near]
                result[row] = p / p.sum()
        return result

    def estimate(
        self,
        probabilities: np.ndarray,
        codes: Sequence[PriorCode | None],
        settings: PriorCodeSettings,
    ) -> Reliability:
        """Estimate the shares, by the maximum of their posterior.

        The fractions of the settings are the prior distribution, with their weight.

        Args:
            probabilities: float64 ``(q, leaves)``, given the text.
            codes: prior code of each row.
            settings: what is expected.
        """
        default = np.array(settings.shares)
        kinds: dict[str, list[int]] = {}
        for row, code in enumerate(codes):
            if code is not None:
                kinds.setdefault(code.kind, []).append(row)
        rows = sum(map(len, kinds.values()))
        if rows < settings.fewest:
            return Reliability({}, default)
        shares = {}
        for kind, of_kind in kinds.items():
            density = np.zeros((len(of_kind), len(SHARES)))
            present = np.zeros((len(of_kind), len(SHARES)), dtype=bool)
            for at, row in enumerate(of_kind):
                code = codes[row]
                assert code is not None
                near = self.nearness(code.leaves)
                counts = np.bincount(near, minlength=len(SHARES))
                mass = np.bincount(near, np.maximum(probabilities[row], LEAST), len(SHARES))
                present[at] = counts > 0
                np.divide(mass, counts, out=density[at], where=present[at])
            shares[kind] = _maximise(density, present, default, settings.strength)
        return Reliability(shares, default, rows)


def _maximise(
    density: np.ndarray, present: np.ndarray, default: np.ndarray, strength: float
) -> np.ndarray:
    """Return the fractions of a mixture whose components may be absent from a row.

    Args:
        density: ``(n, kinds)``, density of each component.
        present: bool ``(n, kinds)``; the fractions of a row are those of its components.
        default: ``(kinds,)``, mean of the Dirichlet prior.
        strength: its observations.
    """
    shares = default.copy()
    for _ in range(ITERATIONS):
        weighed = density * shares
        expected = weighed / weighed.sum(axis=1, keepdims=True)
        # Rows that a component is absent from count as often as it would have been drawn.
        there = present @ shares
        absent = (~present * (shares / there[:, None])).sum(axis=0)
        counts = expected.sum(axis=0) + absent + strength * default
        new = counts / counts.sum()
        moved = np.abs(new - shares).max()
        shares = new
        if moved < ENOUGH:
            break
    return shares
