"""The fusion: one logit a code from several scores, with weights shared by all codes.

A phrase of an index and a sentence of an owner need different weights: the weights of the scores
depend on a few facts about the query (its gates), linearly, so that the fit stays convex.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from naics_embed.errors import ArtifactError
from naics_embed.evidence.gates import GATES, SOURCE, STYLES, WEIGHING, without_styles
from naics_embed.evidence.settings import FusionSettings
from naics_embed.evidence.top_answer import TopCalibration, fit_top, folds

CODE_PRIOR = 'prior'
"""Score of a bundle that has learned: log of how often a code is a label, the same for all."""


@dataclass(frozen=True)
class Fusion:
    """Weights of scores in the logit of a code; the softmax over codes is the probability.

    Fitted by maximum likelihood, so the probabilities need no temperature of their own; that of
    the top-1 answer is calibrated once more.

    Attributes:
        columns: names of the scores.
        weights: float64 ``(len(gates), k)``; a query's weights are its gates times these.
        spread: float64 ``(k,)``, mean standard deviation of each score over codes on the queries
            of the fit; weight × spread is how much a score moves the logits.
        top: calibration of the top-1 answer.
        gates: names of the gates.
    """

    columns: tuple[str, ...]
    weights: np.ndarray
    spread: np.ndarray
    top: TopCalibration = field(default_factory=TopCalibration)
    gates: tuple[str, ...] = GATES

    def logits(
        self, scores: np.ndarray, gates: np.ndarray, log_prior: np.ndarray | None = None
    ) -> np.ndarray:
        """Return logits of codes, float64 ``(q, codes)``.

        Args:
            scores: ``(q, codes, k)``, without the column `CODE_PRIOR`.
            gates: ``(q, len(self.gates))``.
            log_prior: ``(codes,)``, the values of that column, if the fusion has it.
        """
        query_weights = gates @ self.weights
        k = scores.shape[-1]
        logits = np.matmul(scores, query_weights[:, :k, None].astype(scores.dtype))[..., 0].astype(
            np.float64
        )
        if log_prior is not None:
            logits += query_weights[:, k:] * log_prior
        return logits

    def probabilities(
        self, scores: np.ndarray, gates: np.ndarray, log_prior: np.ndarray | None = None
    ) -> np.ndarray:
        """Return probabilities of codes, float64 ``(q, codes)``; rows add up to 1.

        Arguments as for `logits`.
        """
        logits = self.logits(scores, gates, log_prior)
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return self.top.apply(logits, gates)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            'columns': list(self.columns),
            'gates': list(self.gates),
            'weights': self.weights.tolist(),
            'spread': self.spread.tolist(),
            'top': self.top.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'Fusion':
        """Rebuild from `to_dict`. Raises ArtifactError where the values do not fit together."""
        try:
            columns, gates = tuple(values['columns']), tuple(values['gates'])
            weights = np.array(values['weights'], dtype=np.float64)
            spread = np.array(values['spread'], dtype=np.float64)
            top = TopCalibration.from_dict(values['top'])
            if gates[: len(GATES)] != GATES and gates[: len(WEIGHING)] == WEIGHING:
                gates, weights, top = _with_styles(gates, weights, top)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f'the fusion of the bundle is damaged ({error}); export the table again'
            ) from error
        shape = (len(gates), len(columns))
        if (
            gates not in (GATES, (*GATES, SOURCE))
            or weights.shape != shape
            or spread.shape != shape[1:]
        ):
            raise ArtifactError(
                'the fusion of the bundle is of another version; export the table again'
            )
        return cls(columns, weights, spread, top, gates)


def one_score(columns: Sequence[str], column: str, weight: float) -> Fusion:
    """Return the fusion that uses one score only, for when there are no queries to fit one."""
    weights = np.zeros((len(GATES), len(columns)))
    weights[0, list(columns).index(column)] = weight
    return Fusion(tuple(columns), weights, np.ones(len(columns)))


def _with_styles(
    gates: tuple[str, ...], weights: np.ndarray, top: TopCalibration
) -> tuple[tuple[str, ...], np.ndarray, TopCalibration]:
    """Give a fusion of an earlier version the gates `STYLES`, on which nothing depends."""
    at = len(WEIGHING)
    slope, shift = (
        (*values[:at], *(0.0,) * len(STYLES), *values[at:]) if len(values) > at else values
        for values in (top.slope, top.shift)
    )
    return (
        (*WEIGHING, *STYLES, *gates[at:]),
        np.insert(weights, [at] * len(STYLES), 0.0, axis=0),
        TopCalibration(slope, shift),
    )


def fit_fusion(
    columns: Sequence[str],
    scores: np.ndarray,
    gates: np.ndarray,
    truth: np.ndarray,
    groups: Sequence[str],
    settings: FusionSettings,
    start: Fusion | None = None,
    *,
    weight: np.ndarray | None = None,
    centre: Fusion | None = None,
    penalties: np.ndarray | None = None,
) -> Fusion:
    """Fit the weights of a conditional logit (McFadden 1974) to labelled queries.

    Each group of queries (index entries, plain language, …) has the same weight in all, whatever
    its size. A score that is the same for all codes gets the weight 0.

    Args:
        columns: names of the scores.
        scores: float32 ``(q, codes, k)``, finite.
        gates: ``(q, len(GATES))``, or one more for `SOURCE`; weights do not depend on `STYLES`.
        truth: int64 ``(q,)``, columns of the right codes.
        groups: the group of each query.
        settings: penalty and iterations.
        start: weights of a similar fit to begin with; the loss is convex, so they only save time.
        weight: ``(q,)``, of each query, in place of those of the groups; adds up to 1.
        centre: weights that the penalty pulls to, in place of 0.
        penalties: ``(gates, k)``, of each weight, in place of the one of the settings.

    Raises:
        ValueError: there is no query, or a score is not finite.
    """
    from scipy.optimize import minimize

    if len(scores) == 0:
        raise ValueError('the fusion needs at least one labelled query')
    if not np.isfinite(scores).all():
        raise ValueError('the fusion needs finite scores')
    gates = without_styles(gates)
    spread = scores.std(axis=1, dtype=np.float64).mean(axis=0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    scaled = (scores - scores.mean(axis=1, keepdims=True)) * scale.astype(np.float32)
    weight = _weights(groups) if weight is None else weight
    right = scaled[np.arange(len(scaled)), truth].astype(np.float64)
    shape = (gates.shape[1], len(columns))
    middle = np.zeros(shape[0] * shape[1])
    if centre is not None:
        middle = (centre.weights * spread).reshape(-1)
    penalty = np.full(shape, settings.penalty) if penalties is None else penalties
    penalty = penalty.reshape(-1)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        query_weights = gates @ flat.reshape(shape)
        logits = np.matmul(scaled, query_weights[:, :, None].astype(np.float32))[..., 0].astype(
            np.float64
        )
        top = logits.max(axis=1, keepdims=True)
        p = np.exp(logits - top)
        total = p.sum(axis=1, keepdims=True)
        p /= total
        expected = np.matmul(p[:, None, :].astype(np.float32), scaled)[:, 0]
        log_p = np.einsum('qk,qk->q', right, query_weights) - top[:, 0] - np.log(total[:, 0])
        slope = gates.T @ (weight[:, None] * (expected - right))
        away = flat - middle
        value = float(penalty @ np.square(away)) - float(weight @ log_p)
        return value, slope.reshape(-1) + 2 * penalty * away

    first = np.zeros(shape)
    first[0] = spread > 0
    if start is not None:
        first = start.weights * spread
    fitted = minimize(
        loss,
        first.reshape(-1),
        jac=True,
        method='L-BFGS-B',
        options={'maxiter': settings.iterations},
    )
    names = GATES if len(gates[0]) == len(GATES) else (*GATES, SOURCE)
    return Fusion(tuple(columns), fitted.x.reshape(shape) * scale, spread, gates=names)


def fit_calibrated(
    columns: Sequence[str],
    scores: np.ndarray,
    gates: np.ndarray,
    truth: np.ndarray,
    groups: Sequence[str],
    settings: FusionSettings,
    held_out: np.ndarray | None = None,
) -> Fusion:
    """Fit the weights as `fit_fusion`, and the calibration of the top-1 answer beside them.

    The calibration is fitted by cross-validation, to answers of weights that were fitted without
    the query: probabilities of the queries of the fit would look too good. The caution of the
    settings is added. Where there are fewer than two queries a part, it changes nothing.

    Arguments and errors as for `fit_fusion`; ``held_out``, ``(q, codes)``, is filled with the
    calibrated probabilities by weights that were fitted without the query.
    """
    whole = fit_fusion(columns, scores, gates, truth, groups, settings)
    if len(truth) < 2 * settings.folds:
        return whole
    names = np.asarray(groups)
    confidence, right = np.empty(len(truth)), np.empty(len(truth), dtype=bool)
    for held in folds(len(truth), settings.folds):
        rest = ~held
        part = fit_fusion(
            columns, scores[rest], gates[rest], truth[rest], names[rest], settings, whole
        )
        p = part.probabilities(scores[held], gates[held])
        confidence[held] = p.max(axis=1)
        right[held] = p.argmax(axis=1) == truth[held]
        if held_out is not None:
            held_out[held] = p
    top = fit_top(confidence, right, _weights(groups), gates[:, : len(WEIGHING)])
    top = top.with_caution(settings.caution.shifts)
    if held_out is not None:
        held_out[:] = top.apply(held_out, gates)
    return replace(whole, top=top)


def _weights(groups: Sequence[str]) -> np.ndarray:
    """Return weights of queries that add up to 1, each group having the same in all."""
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    return (1.0 / np.bincount(group) / len(names))[group]
