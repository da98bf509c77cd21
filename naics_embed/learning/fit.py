"""Learning: known texts, classifier, prior, fusion and calibration from labelled texts.

All that is said of a labelled text comes from parts that were fitted without the texts of its group
(stacking by cross-validation; Wolpert 1992).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from naics_embed.config.learning import LearnSettings
from naics_embed.evidence.fusion import CODE_PRIOR, Fusion, fit_fusion
from naics_embed.evidence.gates import SOURCE
from naics_embed.evidence.known_texts import KnownTexts
from naics_embed.evidence.settings import FusionSettings
from naics_embed.evidence.source_gate import Adaptation
from naics_embed.evidence.top_answer import TopCalibration, fit_top
from naics_embed.learning.examples import Examples
from naics_embed.learning.part import Ground, Held, Part, joined

log = logging.getLogger(__name__)

UNSEEN = 50
"""Codes among which a wrong label is expected to be drawn."""


@dataclass(frozen=True)
class Learned:
    """What was learned.

    Attributes:
        evidence: the bundle's known texts and the labelled ones.
        fusion: weights and calibration.
        adaptation: prior of the labels, and the gate of their texts.
        weights: float64 ``(n,)``, of each labelled text.
        probabilities: float32 ``(n,)``, of the stated code of each, by parts that do not know it.
        best: int64 ``(n,)``, the code that they find.
        confidence: float32 ``(n,)``, its probability.
        own: the same two for the bundle's own queries, by a fusion fitted without them.
        own_folds: int ``(queries,)``, the part of the cross-validation of each of these.
    """

    evidence: KnownTexts
    fusion: Fusion
    adaptation: Adaptation
    weights: np.ndarray
    probabilities: np.ndarray
    best: np.ndarray
    confidence: np.ndarray
    own: tuple[np.ndarray, np.ndarray]
    own_folds: np.ndarray


def learn_labels(
    base: KnownTexts,
    fusion: Fusion,
    own: Examples,
    labelled: Examples,
    folds: np.ndarray,
    ancestors: np.ndarray,
    settings: LearnSettings,
    progress: Callable[[str], None] = log.info,
) -> Learned:
    """Learn from labelled texts.

    Args:
        base: known texts of the bundle.
        fusion: its fusion.
        own: its own labelled queries, which its known texts do not hold.
        labelled: the texts to learn.
        folds: int ``(n,)``, the part of the cross-validation of each; see `grouped_folds`.
        ancestors: int ``(leaves, levels)``, of each leaf, sector first.
        settings: how.
        progress: called with a line at each step.
    """
    run = _Run(base, fusion, own, labelled, folds, ancestors, settings, progress)
    weights, held = run.cross_validate()
    return run.finish(weights, held)


class _Run:
    def __init__(
        self,
        base: KnownTexts,
        fusion: Fusion,
        own: Examples,
        labelled: Examples,
        folds: np.ndarray,
        ancestors: np.ndarray,
        settings: LearnSettings,
        progress: Callable[[str], None],
    ) -> None:
        self.ground = Ground(base, own, labelled, ancestors, settings)
        self.own, self.labelled = own, labelled
        self.folds, self.settings, self.progress = folds, settings, progress
        self.start = _with_source(fusion)
        self.columns = self.start.columns
        rng = np.random.default_rng(settings.seed)
        order = rng.permutation(len(labelled))
        self.sampled = np.zeros(len(labelled), dtype=bool)
        self.sampled[order[: settings.fitted_texts]] = True
        # A fold of few texts has one in the sample too.
        self.sampled[order[np.unique(folds[order], return_index=True)[1]]] = True
        self.own_folds = rng.permutation(len(own)) % settings.folds

    def cross_validate(self) -> tuple[np.ndarray, '_CrossValidated']:
        """Score every labelled text by parts that do not know its group."""
        labelled, settings = self.labelled, self.settings
        equal = np.ones(len(labelled))
        parts: list[Part] = []
        held: list[Held] = []
        for fold in range(settings.folds):
            part = Part(self.ground, np.flatnonzero(self.folds != fold), equal)
            parts.append(part)
            rows = np.flatnonzero((self.folds == fold) & self.sampled)
            held.append(self._held(part, labelled, rows))
            self.progress(f'part {fold + 1} of {settings.folds}: scored {len(rows):,} texts')
        whole = Part(self.ground, np.arange(len(labelled)), equal)
        own_held = self._held(whole, self.own, np.arange(len(self.own)))
        labelled_held = joined(held)
        weights = np.ones(len(labelled))
        fusion = self._fit(labelled_held, own_held, weights)
        best = np.empty(len(labelled), dtype=np.int64)
        own_best = np.empty(len(self.own), dtype=np.int64)
        own_confidence = np.empty(len(self.own))
        stated = np.empty(len(labelled))
        confidence = np.empty(len(labelled))
        gates = np.empty((len(labelled), len(fusion.gates)))
        fusions: list[Fusion] = []
        for fold, part in enumerate(parts):
            without = self._fit(
                labelled_held[self.folds[labelled_held.rows] != fold],
                own_held[self.own_folds != fold],
                weights,
                fusion,
            )
            rows = np.flatnonzero(self.folds == fold)
            for chunk, scores, of_chunk in part.chunks(labelled, rows):
                p = without.probabilities(scores, of_chunk, part.log_prior)
                best[chunk] = p.argmax(axis=1)
                confidence[chunk] = p.max(axis=1)
                stated[chunk] = p[np.arange(len(chunk)), labelled.labels[chunk]]
                gates[chunk] = of_chunk
            part.forget()
            fusions.append(without)
        for chunk, scores, of_chunk in whole.chunks(self.own, np.arange(len(self.own))):
            for fold, without in enumerate(fusions):
                in_fold = self.own_folds[chunk] == fold
                p = without.probabilities(scores[in_fold], of_chunk[in_fold], whole.log_prior)
                own_best[chunk[in_fold]] = p.argmax(axis=1)
                own_confidence[chunk[in_fold]] = p.max(axis=1)
        whole.forget()
        right = np.concatenate([best == labelled.labels, own_best == self.own.labels])
        weight = np.concatenate(
            [
                self._labelled_weights(np.ones(len(labelled))),
                self._own_weights(np.arange(len(self.own))),
            ]
        )
        both = np.concatenate([confidence, own_confidence])
        facts = np.concatenate([gates, own_held.gates])
        caution = self.start.top.caution
        top = fit_top(both, right, weight, facts, caution)
        calibrated = np.empty(len(both))
        part_of = np.concatenate([self.folds, self.own_folds])
        for fold in range(settings.folds):
            held_out = part_of == fold
            without_fold = fit_top(
                both[~held_out], right[~held_out], weight[~held_out], facts[~held_out], caution
            )
            calibrated[held_out] = without_fold.confidence(both[held_out], facts[held_out])
        confidence, own_confidence = np.split(calibrated, [len(labelled)])
        result = _CrossValidated(
            whole, fusion, top, best, confidence, stated, own_best, own_confidence
        )
        return self._plausibility(stated), result

    def finish(self, weights: np.ndarray, held: '_CrossValidated') -> Learned:
        """Fit all parts to all labelled texts."""
        whole = Part(self.ground, np.arange(len(self.labelled)), weights, held.whole)
        return Learned(
            whole.evidence,
            replace(held.fusion, top=held.top),
            Adaptation(whole.gate, whole.log_prior),
            weights,
            held.stated,
            held.best,
            held.confidence,
            (held.own_best, held.own_confidence),
            self.own_folds,
        )

    def _held(self, part: Part, examples: Examples, rows: np.ndarray) -> Held:
        """Keep the most probable codes of texts, and the right one."""
        size = min(self.settings.candidates, self.ground.base.leaves)
        kept: list[tuple[np.ndarray, ...]] = []
        for chunk, scores, gates in part.chunks(examples, rows):
            logits = self.start.logits(scores, gates, part.log_prior)
            truth = examples.labels[chunk]
            logits[np.arange(len(chunk)), truth] = np.inf
            # The right one first, whatever its place.
            candidates = np.argsort(-logits, axis=1)[:, :size]
            chosen = np.take_along_axis(scores, candidates[..., None], axis=1)
            prior = part.log_prior[candidates][..., None].astype(np.float32)
            kept.append((chunk, candidates, np.concatenate([chosen, prior], axis=-1), gates))
        rows, candidates, scores, gates = (np.concatenate(each) for each in zip(*kept, strict=True))
        return Held(rows, candidates, scores, gates, np.zeros(len(rows), dtype=np.int64))

    def _fit(
        self, labelled: Held, own: Held, weights: np.ndarray, start: Fusion | None = None
    ) -> Fusion:
        settings = self.settings
        both = joined([labelled, own])
        weight = np.concatenate(
            [self._labelled_weights(weights[labelled.rows]), self._own_weights(own.rows)]
        )
        return fit_fusion(
            self.columns,
            both.scores,
            both.gates,
            both.target,
            (),
            FusionSettings(settings.penalty, settings.iterations),
            start or self.start,
            weight=weight / weight.sum(),
            centre=self.start,
            penalties=self._penalties(),
        )

    def _penalties(self) -> np.ndarray:
        """Return the penalty of each weight: those of the user's texts weaken as labels come in."""
        penalties = np.full(self.start.weights.shape, self.settings.penalty)
        few = self.settings.source_penalty / len(self.labelled)
        penalties[-1] += few
        penalties[:-1, -1] += few + self.settings.prior_penalty
        return penalties

    def _share(self) -> float:
        """Return the fraction of the labelled texts in the fit."""
        n = len(self.labelled)
        return self.settings.share * n / (n + self.settings.half_share)

    def _labelled_weights(self, weights: np.ndarray) -> np.ndarray:
        return self._share() * weights / weights.sum()

    def _own_weights(self, rows: np.ndarray) -> np.ndarray:
        names, sets = np.unique(np.asarray(self.own.sets)[rows], return_inverse=True)
        return (1 - self._share()) * (1.0 / np.bincount(sets) / len(names))[sets]

    def _plausibility(self, stated: np.ndarray) -> np.ndarray:
        """Return the weight of each label: the probability that it is right, given the others'.

        A label is wrong with the probability ``noise`` and is then one of `UNSEEN` codes.
        """
        settings = self.settings
        right = (1 - settings.noise) * stated
        return np.maximum(right / (right + settings.noise / UNSEEN), settings.least_weight)


@dataclass(frozen=True)
class _CrossValidated:
    whole: Part
    fusion: Fusion
    top: TopCalibration
    best: np.ndarray
    confidence: np.ndarray
    stated: np.ndarray
    own_best: np.ndarray
    own_confidence: np.ndarray


def _with_source(fusion: Fusion) -> Fusion:
    """Return a fusion with the gate `SOURCE` and the score `CODE_PRIOR`, whose weights are 0."""
    weights = np.zeros((len(fusion.gates) + 1, len(fusion.columns) + 1))
    weights[:-1, :-1] = fusion.weights
    return Fusion(
        (*fusion.columns, CODE_PRIOR),
        weights,
        np.append(fusion.spread, 1.0),
        fusion.top,
        (*fusion.gates, SOURCE),
    )
