"""The assessment of a coder on labelled texts."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from naics_embed.assessment.answered import Answered, AtLevel, answer_labelled
from naics_embed.assessment.confusions import Confusion, DoubtfulRow, confusions, doubtful_rows
from naics_embed.assessment.estimates import (
    Automation,
    Estimate,
    at_target,
    automation_curve,
    share,
)
from naics_embed.errors import UserError
from naics_embed.learning.groups import group_texts
from naics_embed.learning.labelled import LabelledTexts
from naics_embed.metrics.calibration_error import binned_error
from naics_embed.search.coder import CONFIDENCE, Coder
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS, canonical_code

BINS = 15
TOP = (1, 3, 5, 10)
CONFIDENCES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
LENGTHS = (1, 4, 8, 16, 32, 64)
FAMILIARITIES = (-1.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
CURVE_POINTS = 200
SIMILARITY = 0.9
TARGET = 0.95
VERBATIM = 'known word for word'


@dataclass(frozen=True)
class LevelResult:
    """How good the answers of one level are.

    Attributes:
        level: digits.
        top: k → fraction of texts whose right code is among the first k.
        mrr: mean reciprocal rank of the right code.
        ece: expected calibration error of the best code.
        confidence: mean probability of the best code.
    """

    level: int
    top: dict[int, Estimate]
    mrr: Estimate
    ece: float
    confidence: float


@dataclass(frozen=True)
class Slice:
    """Some of the texts.

    Attributes:
        name: what they have in common.
        accuracy: share whose six-digit code is right.
        confidence: mean probability of the best code.
    """

    name: str
    accuracy: Estimate
    confidence: float


@dataclass(frozen=True)
class Assessment:
    """How good a coder is on labelled texts.

    Attributes:
        texts: texts with a code that could be read.
        groups: groups of them: those of the user, and duplicates.
        left_out: reason → rows that could not be used.
        examples: reason → some of them.
        translated: texts whose code is of an earlier vintage.
        several: of them, those whose code became several, each of which is right.
        levels: by digits.
        baselines: name → fraction of texts whose six-digit code it finds.
        slices: ``known``, ``sector``, ``confidence``, ``words``, ``familiarity`` → parts of the
            texts.
        reliability: mean confidence, accuracy and texts of bins of the confidence.
        target: accuracy wanted of what is coded automatically.
        automation: the lowest threshold that reaches it; None where none does.
        automation_accuracy: fraction of the texts above it that is right; the choice of the
            threshold by the same texts is not part of its interval.
        curve: thresholds, the highest first.
        confident: fraction of the confident codes that are right, at any level.
        confident_coverage: fraction of texts that get one.
        confident_digits: mean digits of those.
        confusions: pairs of codes most often confused.
        doubtful: rows whose code looks wrong.
    """

    texts: int
    groups: int
    left_out: dict[str, int]
    examples: dict[str, list[str]]
    translated: int
    several: int
    levels: dict[int, LevelResult]
    baselines: dict[str, Estimate]
    slices: dict[str, list[Slice]]
    reliability: list[tuple[float, float, int]]
    target: float
    automation: Automation | None
    automation_accuracy: Estimate | None
    curve: list[Automation]
    confident: Estimate
    confident_coverage: Estimate
    confident_digits: float
    confusions: list[Confusion]
    doubtful: list[DoubtfulRow]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None stands for what no text tells."""
        return plain_values(asdict(self))


def plain_values(value: Any) -> Any:
    """Return a value without numbers that JSON lacks: None in their place."""
    if isinstance(value, dict):
        return {name: plain_values(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def assess(
    coder: Coder,
    labelled: LabelledTexts,
    *,
    target: float = TARGET,
    confidence: float = CONFIDENCE,
    listed: int = 20,
    report: Callable[[int], None] | None = None,
) -> Assessment:
    """Measure a coder on labelled texts.

    Intervals are of 95 % and take texts of one group, and duplicates, as one observation.

    Args:
        coder: the coder.
        labelled: texts and their codes.
        target: accuracy wanted of what is coded automatically.
        confidence: least probability of the confident code.
        listed: most confusions and doubtful rows.
        report: called with the number of texts done.

    Raises:
        UserError: ``target`` is out of range, or no code has six digits.
    """
    if not 0 < target < 1:
        raise UserError(f'target must be above 0 and below 1, not {target!r}')
    answered = answer_labelled(coder, labelled, confidence=confidence, report=report)
    if not answered.levels[LEAF_LEVEL].known.any():
        raise UserError('no code has six digits, so six-digit codes cannot be assessed')
    return _assessment(coder, answered, target, listed)


def _assessment(coder: Coder, answered: Answered, target: float, listed: int) -> Assessment:
    labelled = answered.labelled
    groups = group_texts(labelled.texts, labelled.groups, SIMILARITY)
    weights = labelled.weights
    leaf = answered.levels[LEAF_LEVEL]
    known = leaf.known

    def accuracy(chosen: np.ndarray) -> Estimate:
        return share(leaf.right[chosen], weights[chosen], groups[chosen])

    def slices(names: Sequence[str], member: Sequence[np.ndarray]) -> list[Slice]:
        return [
            Slice(name, accuracy(rows & known), _mean(leaf.confidence, weights, rows & known))
            for name, rows in zip(names, member, strict=True)
            if (rows & known).any()
        ]

    found = answered.confident_level > 0
    curve = automation_curve(leaf.confidence[known], leaf.right[known], weights[known])
    automation = at_target(curve, target)
    step = max(1, len(curve) // CURVE_POINTS)
    return Assessment(
        len(answered),
        int(groups.max()) + 1,
        labelled.left_out,
        labelled.examples,
        labelled.translated,
        int(((labelled.labels < 0) & (labelled.digits == LEAF_LEVEL)).sum()),
        {level: _level(answered, level, groups) for level in LEVELS if _reached(answered, level)},
        {
            name: share(right[known], weights[known], groups[known])
            for name, right in answered.baselines.items()
        },
        {
            'known': slices((VERBATIM, 'new'), (answered.verbatim, ~answered.verbatim)),
            'sector': _sectors(coder, answered, slices),
            'confidence': slices(*_between(leaf.confidence, CONFIDENCES, '{:.2f} to {:.2f}')),
            'words': slices(*_between(answered.words, (*LENGTHS, np.inf), '{:g} to under {:g}')),
            'familiarity': slices(
                *_between(answered.familiarity, FAMILIARITIES, '{:.2f} to {:.2f}')
            ),
        },
        _reliability(leaf.confidence[known], leaf.right[known], weights[known]),
        target,
        automation,
        _at_threshold(automation, leaf, weights, groups),
        [*curve[:-1:step], curve[-1]],
        share(answered.confident_right[found], weights[found], groups[found]),
        share(found, weights, groups),
        float(answered.confident_level[found].mean()) if found.any() else 0.0,
        confusions(coder, answered, listed),
        doubtful_rows(coder, answered, listed),
    )


def _level(answered: Answered, level: int, groups: np.ndarray) -> LevelResult:
    at = answered.levels[level]
    known, weights = at.known, answered.labelled.weights

    def estimate(values: np.ndarray) -> Estimate:
        return share(values[known], weights[known], groups[known])

    error = binned_error(
        np.minimum(at.confidence[known], 1.0), at.right[known], bins=BINS, weights=weights[known]
    )
    return LevelResult(
        level,
        {k: estimate(at.rank <= k) for k in TOP},
        estimate(1.0 / np.maximum(at.rank, 1)),
        error,
        _mean(at.confidence, weights, known),
    )


def _at_threshold(
    automation: Automation | None, leaf: AtLevel, weights: np.ndarray, groups: np.ndarray
) -> Estimate | None:
    """Return how often what is coded automatically is right."""
    if automation is None:
        return None
    taken = leaf.known & (leaf.confidence >= automation.threshold)
    return share(leaf.right[taken], weights[taken], groups[taken])


def _reached(answered: Answered, level: int) -> bool:
    return bool(answered.levels[level].known.any())


def _mean(values: np.ndarray, weights: np.ndarray, chosen: np.ndarray) -> float:
    return float(np.average(values[chosen], weights=weights[chosen]))


def _sectors(
    coder: Coder,
    answered: Answered,
    slices: Callable[[Sequence[str], Sequence[np.ndarray]], list[Slice]],
) -> list[Slice]:
    searcher = coder.searcher
    sector_of = {
        code: f'{official} {title}'
        for code, official, title, level in zip(
            searcher.codes, searcher.official, searcher.titles, searcher.level, strict=True
        )
        if level == LEVELS[0]
    }
    codes = list(coder.leaf_codes)
    of_text = np.array([_sector(codes[leaves[0]]) for leaves in answered.labelled.acceptable])
    counts = Counter(of_text.tolist())
    order = [code for code, _ in counts.most_common()]
    return slices([sector_of[code] for code in order], [of_text == code for code in order])


def _sector(code: str) -> str:
    return canonical_code(code[:2])


def _between(
    values: np.ndarray, bounds: Sequence[float], form: str
) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of intervals, and who lies in them; the last one has its upper end."""
    last = len(bounds) - 2
    names, members = [], []
    for i, (low, high) in enumerate(pairwise(bounds)):
        below = values <= high if i == last else values < high
        members.append((values >= low) & below)
        if np.isinf(high):
            names.append(f'{low:g} or more')
        elif low < 0:
            names.append(f'under {high:.2f}')
        else:
            names.append(form.format(low, min(high, 1.0) if high <= 1.01 else high))
    return names, members


def _reliability(
    confidence: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> list[tuple[float, float, int]]:
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (
            float(np.average(confidence[bins == i], weights=weights[bins == i])),
            float(np.average(right[bins == i], weights=weights[bins == i])),
            int((bins == i).sum()),
        )
        for i in range(BINS)
        if (bins == i).any()
    ]
