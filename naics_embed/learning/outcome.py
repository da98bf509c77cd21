"""What learning has changed: the user's texts and the bundle's own, before and after."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from naics_embed.config.learning import LearnSettings
from naics_embed.evidence.fusion import Fusion
from naics_embed.evidence.gates import gate_values
from naics_embed.evidence.known_texts import COLUMNS, NEAREST, KnownTexts
from naics_embed.learning.before import held_out_answers
from naics_embed.learning.examples import Examples
from naics_embed.learning.fit import Learned
from naics_embed.learning.part import CHUNK
from naics_embed.metrics.calibration import expected_calibration_error
from naics_embed.search.coder import Coder

BINS = 15

DOUBTFUL = 0.5
"""A label of less weight is listed."""


@dataclass(frozen=True)
class SetOutcome:
    """One set of texts, before and after.

    Attributes:
        name: of the set.
        texts: how many.
        learned: whether they are the user's.
        top1_before: accuracy of the bundle that learned; on its own sets by weights fitted without
            the text, as afterwards.
        top1: accuracy afterwards, by parts that do not know the text.
        ece_before: expected calibration error of the top-1 answer.
        ece: the same afterwards.
    """

    name: str
    texts: int
    learned: bool
    top1_before: float
    top1: float
    ece_before: float
    ece: float


@dataclass(frozen=True)
class Doubt:
    """A label that the other texts speak against.

    Attributes:
        source: name of its source.
        row: of the text in its file, from 1, after the header; None for one that the bundle held.
        text: the text.
        stated: its code.
        probability: of that code.
        found: the code that is found in its place.
        confidence: its probability.
        weight: what the label counts for.
    """

    source: str
    row: int | None
    text: str
    stated: str
    probability: float
    found: str
    confidence: float
    weight: float


@dataclass(frozen=True)
class Outcome:
    """What learning has changed.

    Attributes:
        sets: the user's sources first, then the bundle's own sets.
        groups: groups of the user's texts.
        doubts: labels that weigh less, the least plausible first.
    """

    sets: tuple[SetOutcome, ...]
    groups: int
    doubts: tuple[Doubt, ...] = ()

    def accepted(self, margin: float) -> bool:
        """Whether the new bundle should replace the old one.

        The user's texts must be better, by accuracy or, with the same accuracy, by a smaller
        calibration error, and no set of the bundle's own worse by more than ``margin``.
        """
        learned = [row for row in self.sets if row.learned]
        texts = sum(row.texts for row in learned)
        gain = sum(row.texts * (row.top1 - row.top1_before) for row in learned) / max(texts, 1)
        error = sum(row.texts * (row.ece - row.ece_before) for row in learned)
        better = gain > 0 or (gain == 0 and error < 0)
        others = [row for row in self.sets if not row.learned]
        return better and all(row.top1 >= row.top1_before - margin for row in others)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; texts of doubtful labels are left out."""
        return {
            'groups': self.groups,
            'sets': [vars(row) for row in self.sets],
            'doubtful_labels': len(self.doubts),
        }


def outcome_of(
    coder: Coder,
    base: tuple[KnownTexts, Fusion],
    labelled: Examples,
    own: Examples,
    learned: Learned,
    groups: int,
    rows_of_files: np.ndarray,
    settings: LearnSettings,
) -> Outcome:
    """Compare what was learned with the bundle that has learned nothing.

    Args:
        coder: names the codes.
        base: known texts and fusion of the bundle without labelled texts.
        labelled: the labelled texts.
        own: the bundle's own queries.
        learned: from `learn_labels`.
        groups: groups of the labelled texts.
        rows_of_files: int ``(n,)``, row of each in its file; 0 where that is not known.
        settings: of the fit.
    """
    rows: list[SetOutcome] = []
    after = (
        (labelled, learned.best, learned.confidence, True),
        (own, learned.own[0], learned.own[1], False),
    )
    for examples, best, confidence, is_learned in after:
        best_before, confidence_before = (
            answers(*base, examples)
            if is_learned
            else held_out_answers(*base, examples, learned.own_folds, settings)
        )
        sets = np.asarray(examples.sets)
        for name in dict.fromkeys(examples.sets):
            chosen = sets == name
            truth = examples.labels[chosen]
            right_before, right = best_before[chosen] == truth, best[chosen] == truth
            rows.append(
                SetOutcome(
                    name,
                    int(chosen.sum()),
                    is_learned,
                    float(right_before.mean()),
                    float(right.mean()),
                    _ece(confidence_before[chosen], right_before),
                    _ece(confidence[chosen], right),
                )
            )
    return Outcome(tuple(rows), groups, _doubts(coder, labelled, learned, rows_of_files))


def answers(known: KnownTexts, fusion: Fusion, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the best leaf of each text and its probability, from what is encoded already."""
    best = np.empty(len(examples), dtype=np.int64)
    confidence = np.empty(len(examples))
    for start in range(0, len(examples), CHUNK):
        rows = slice(start, start + CHUNK)
        texts, embeddings = examples.texts[rows], examples.embeddings[rows]
        far = -examples.distances[rows][..., None]
        scores = np.concatenate([far, known.columns(texts, embeddings)], axis=-1)
        gates = gate_values(texts, scores[..., 1 + COLUMNS.index(NEAREST)])
        p = fusion.probabilities(scores, gates)
        best[rows], confidence[rows] = p.argmax(axis=1), p.max(axis=1)
    return best, confidence


def _doubts(
    coder: Coder, labelled: Examples, learned: Learned, rows: np.ndarray
) -> tuple[Doubt, ...]:
    codes = list(coder.leaf_codes)
    doubtful = np.flatnonzero((learned.weights < DOUBTFUL) & (learned.best != labelled.labels))
    order = doubtful[np.argsort(learned.probabilities[doubtful], kind='stable')]
    return tuple(
        Doubt(
            labelled.sets[i],
            int(rows[i]) or None,
            labelled.texts[i],
            codes[int(labelled.labels[i])],
            float(learned.probabilities[i]),
            codes[int(learned.best[i])],
            float(learned.confidence[i]),
            float(learned.weights[i]),
        )
        for i in order.tolist()
    )


def _ece(confidence: np.ndarray, right: np.ndarray) -> float:
    return float(
        expected_calibration_error(torch.from_numpy(confidence), torch.from_numpy(right), bins=BINS)
    )
