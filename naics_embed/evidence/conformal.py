"""Sets of codes that hold the right one with a stated probability: split conformal prediction.

A score says how far down the answer to a labelled query the right code stands. The set of a new
text holds all codes whose score is at most a quantile of these scores (Vovk et al. 2005; adaptive
prediction sets of Romano, Sesia and Candès 2020, without their randomisation). The quantiles are
those of a group of texts that are alike in length and familiarity (Mondrian), and of the kind of
queries in it (index entries, plain language, …) that has the greatest, as the kind of a new text is
not known: so the promise holds for each kind. It holds for texts that are drawn as the labelled
queries of a kind were (exchangeable), not for others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from naics_embed.errors import ArtifactError
from naics_embed.evidence.gates import GATES, SOURCE
from naics_embed.taxonomy import LEVELS

NAMES = ('scores', 'groups', 'kinds')
LENGTHS = (4.0, 9.0, 19.0)
"""Words up to which a text is in the first, second and third group of lengths."""

FAMILIAR = 0.75
"""Cosine with a known text from which a text is familiar."""

LIKE_LEARNED = 0.5
"""Value of the gate of learned texts from which a text is like them."""

LEAST_GROUP = 100
"""Queries of a kind in a group below which the quantile is that of the kind."""

SLACK = 1e-9
"""Scores that differ by rounding are equal."""

Firsts = Mapping[int, np.ndarray]
"""Level → where the six-digit codes below each code of the level begin."""


@dataclass(frozen=True)
class Conformal:
    """Scores of labelled queries, by answers that were fitted without them.

    Attributes:
        scores: float32 ``(n, levels + 1)``: at each level the probability of the codes before the
            right one, and last the probability of the highest code on the best path that does not
            hold the right one.
        groups: int64 ``(n,)``, of `group_of`.
        kinds: int64 ``(n,)``, the kind of each query by number.
    """

    scores: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray

    def thresholds(self, groups: np.ndarray, column: int, coverage: float) -> np.ndarray:
        """Return the greatest score that a code of the set may have, float64 ``(q,)``.

        It is the ⌈(n + 1) · coverage⌉-th smallest score of a kind in the group, infinite where
        there is none, and the greatest over kinds.

        Args:
            groups: int ``(q,)``, of new texts.
            column: of ``scores``.
            coverage: probability with which the set holds the right code.
        """
        values = self.scores[:, column]
        found: dict[int, float] = {}
        for group in np.unique(groups).tolist():
            quantiles = []
            for kind in np.unique(self.kinds).tolist():
                of_kind = self.kinds == kind
                inside = of_kind & (self.groups == group)
                enough = int(inside.sum()) >= LEAST_GROUP
                quantiles.append(_quantile(values[inside if enough else of_kind], coverage))
            found[group] = max(quantiles)
        return np.array([found[group] for group in groups.tolist()])

    def write(self, path: Path) -> None:
        """Write both arrays."""
        arrays: dict[str, np.ndarray] = {
            'scores': np.ascontiguousarray(self.scores, dtype=np.float32),
            'groups': np.ascontiguousarray(self.groups, dtype=np.int64),
            'kinds': np.ascontiguousarray(self.kinds, dtype=np.int64),
        }
        save_file(arrays, path)

    @classmethod
    def read(cls, path: Path) -> 'Conformal':
        """Read what `write` wrote. Raises ArtifactError where the file is damaged."""
        try:
            arrays = load_file(path)
            scores, groups, kinds = (arrays[name] for name in NAMES)
        except (KeyError, SafetensorError) as error:
            raise ArtifactError(f'{path} is damaged ({error}); export the table again') from error
        fits = scores.shape == (len(groups), len(LEVELS) + 1) and len(kinds) == len(groups)
        if not fits or not len(groups):
            raise ArtifactError(f'{path} is of another version; export the table again')
        return cls(scores, groups, kinds)


def fit_conformal(
    probabilities: np.ndarray,
    truth: np.ndarray,
    gates: np.ndarray,
    kinds: Sequence[str],
    firsts: Firsts,
) -> Conformal:
    """Score labelled queries.

    Args:
        probabilities: float ``(n, leaves)``, by weights that were fitted without the query.
        truth: int ``(n,)``, columns of the right codes.
        gates: ``(n, gates)``, of the queries.
        kinds: the kind of each.
        firsts: of all levels.
    """
    rows = np.arange(len(truth))
    scores = np.zeros((len(truth), len(LEVELS) + 1))
    best = probabilities.argmax(axis=1)
    off_path = np.zeros(len(truth), dtype=bool)
    for column, level in enumerate(LEVELS):
        first = firsts[level]
        sums = np.add.reduceat(probabilities, first, axis=1)
        right = np.searchsorted(first, truth, side='right') - 1
        found = np.searchsorted(first, best, side='right') - 1
        scores[:, column] = before(sums)[rows, right]
        wrong = (found != right) & ~off_path
        scores[wrong, -1] = sums[rows[wrong], found[wrong]]
        off_path |= wrong
    number = np.unique(np.asarray(kinds), return_inverse=True)[1]
    return Conformal(scores.astype(np.float32), group_of(gates), number.astype(np.int64))


def _quantile(scores: np.ndarray, coverage: float) -> float:
    rank = int(np.ceil((len(scores) + 1) * coverage - SLACK))
    if rank > len(scores):
        return float('inf')
    return float(np.partition(scores, rank - 1)[rank - 1])


def before(sums: np.ndarray) -> np.ndarray:
    """Return for each code the probability of all codes before it, float64 ``(q, codes)``.

    Args:
        sums: ``(q, codes)``, probabilities of the codes of a level.
    """
    order = np.argsort(-sums, axis=1, kind='stable')
    ranked = np.take_along_axis(sums, order, axis=1).astype(np.float64)
    result = np.empty(sums.shape)
    np.put_along_axis(result, order, np.cumsum(ranked, axis=1) - ranked, axis=1)
    return result


def chosen_codes(sums: np.ndarray, threshold: float) -> np.ndarray:
    """Return the codes of the set, the most probable first, int64 ``(m,)``, at least one.

    Args:
        sums: ``(codes,)``, probabilities of the codes of a level.
        threshold: of `Conformal.thresholds`.
    """
    order = np.argsort(-sums, kind='stable')
    ranked = sums[order].astype(np.float64)
    kept = int((np.cumsum(ranked) - ranked <= threshold + SLACK).sum())
    return order[: max(kept, 1)]


def group_of(gates: np.ndarray) -> np.ndarray:
    """Return the group of texts, int64 ``(q,)``: by length, familiarity, and likeness to learned.

    Args:
        gates: ``(q, gates)``, of `naics_embed.evidence.fusion.gate_values`, with the gate of
            learned texts last where the bundle has one.
    """
    words = np.expm1(gates[:, GATES.index('length')] + 2.0)
    cosine = gates[:, GATES.index('familiarity')] / 4.0 + 0.7
    group = 2 * np.searchsorted(LENGTHS, np.round(words)) + (cosine >= FAMILIAR)
    if gates.shape[1] > len(GATES):
        learned = gates[:, (*GATES, SOURCE).index(SOURCE)] >= LIKE_LEARNED
        group = np.where(learned, 2 * (len(LENGTHS) + 1), group)
    return group.astype(np.int64)
