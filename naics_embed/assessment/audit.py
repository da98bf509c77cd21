"""How probable the codes are that texts have already, and where they should be read again."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from naics_embed.assessment.answered import Answered, answer_labelled
from naics_embed.assessment.assess import SIMILARITY, plain_values
from naics_embed.assessment.estimates import Estimate, expected_share
from naics_embed.errors import UserError
from naics_embed.learning.groups import group_texts
from naics_embed.learning.labelled import LabelledTexts
from naics_embed.search.coder import CONFIDENCE, Coder
from naics_embed.taxonomy import canonical_code

TITLES = 3
"""Most titles of a stated code that became several."""


@dataclass(frozen=True)
class AuditRow:
    """A row whose code is less probable than another one.

    Attributes:
        row: in its file, from 1, after the header.
        text: the text.
        stated: its code, as it is written there.
        stated_title: title of that code, or those of the codes that it became.
        probability: of the stated code, at its own level.
        proposed: the most probable code of that level.
        proposed_title: its title.
        proposed_probability: its probability.
        exposure: what depends on the code.
        expected_loss: ``exposure × (1 − probability)``.
    """

    row: int
    text: str
    stated: str
    stated_title: str
    probability: float
    proposed: str
    proposed_title: str
    proposed_probability: float
    exposure: float
    expected_loss: float


@dataclass(frozen=True)
class Audit:
    """How probable stated codes are.

    Attributes:
        texts: texts with a code that could be read.
        groups: groups of them: those of the user, and duplicates.
        left_out: reason → rows that could not be used.
        examples: reason → some of them.
        translated: texts whose code is of an earlier vintage.
        wrong: expected fraction of wrong codes.
        wrong_exposure: the same, where each text weighs as much as its exposure.
        exposure: in all, weighted; the weighted number of texts without a column of exposures.
        expected_loss: the part of it that is expected to have a wrong code.
        contradicted: texts for which another code is more probable, the greatest expected loss
            first.
    """

    texts: int
    groups: int
    left_out: dict[str, int]
    examples: dict[str, list[str]]
    translated: int
    wrong: Estimate
    wrong_exposure: Estimate
    exposure: float
    expected_loss: float
    contradicted: list[AuditRow]

    def to_dict(self, listed: int) -> dict[str, Any]:
        """Return plain values for JSON, with the first contradicted rows and the number of all."""
        values = asdict(self) | {
            'contradicted': len(self.contradicted),
            'rows': [asdict(row) for row in self.contradicted[:listed]],
        }
        return dict(plain_values(values))


def audit(
    coder: Coder,
    labelled: LabelledTexts,
    *,
    exposure: Iterable[float] | None = None,
    report: Callable[[int], None] | None = None,
) -> Audit:
    """Give the probability of codes that exist already, and rank what should be read again.

    All numbers take the coder's probabilities at their word: that of the codes which are given
    0.3 for their texts, 30 in 100 are right. That holds for texts like those the coder was
    calibrated on, and for few others. Code a random sample of the texts anew, by people who do not
    see the present code, and `assess` on it; where the stated confidence differs from what is
    right, let the coder learn the sample first.

    A code of fewer digits is compared with codes of its own level; one of an earlier vintage that
    became several has the probability of all of them.

    Args:
        coder: the coder.
        labelled: texts and their codes.
        exposure: of each text, at least 0, such as premium, loan or tax; 1 for each where None.
        report: called with the number of texts done.

    Raises:
        UserError: not every text has an exposure of at least 0, or all of them are 0.
    """
    of_text = _exposures(labelled, exposure)
    answered = answer_labelled(coder, labelled, confidence=CONFIDENCE, report=report)
    groups = group_texts(labelled.texts, labelled.groups, SIMILARITY)
    wrong = 1.0 - np.clip(answered.stated, 0.0, 1.0)
    weights = labelled.weights
    some = of_text > 0
    return Audit(
        len(answered),
        int(groups.max()) + 1,
        labelled.left_out,
        labelled.examples,
        labelled.translated,
        expected_share(wrong, weights, groups),
        expected_share(wrong[some], (weights * of_text)[some], groups[some]),
        float(weights @ of_text),
        float((weights * of_text) @ wrong),
        _contradicted(coder, answered, of_text, wrong),
    )


def _exposures(labelled: LabelledTexts, exposure: Iterable[float] | None) -> np.ndarray:
    if exposure is None:
        return np.ones(len(labelled))
    values = np.array(list(exposure), dtype=np.float64)
    if len(values) != len(labelled):
        raise UserError(f'{len(values)} exposures for {len(labelled)} texts; give one for each')
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        at = int(bad[0])
        raise UserError(
            f'row {labelled.rows[at]}: the exposure {values[at]} is no number of at least 0; '
            'correct it or leave the row out'
        )
    if not values.any():
        raise UserError('all exposures are 0, so no text weighs anything; leave them out')
    return values


def _contradicted(
    coder: Coder, answered: Answered, exposure: np.ndarray, wrong: np.ndarray
) -> list[AuditRow]:
    labelled = answered.labelled
    searcher = coder.searcher
    title = dict(zip(searcher.codes, searcher.titles, strict=True))
    codes = list(coder.leaf_codes)
    best = np.zeros(len(answered), dtype=np.int64)
    best_probability = np.zeros(len(answered))
    other = np.zeros(len(answered), dtype=bool)
    for level, at in answered.levels.items():
        rows = labelled.digits == level
        best[rows], best_probability[rows] = at.best[rows], at.confidence[rows]
        other[rows] = at.rank[rows] > 1
    loss = exposure * wrong
    chosen = np.flatnonzero(other & (best_probability > answered.stated))
    order = chosen[np.lexsort((answered.stated[chosen], -loss[chosen]))]
    result = []
    for i in order.tolist():
        digits = int(labelled.digits[i])
        of_stated = {_above(codes[leaf], digits) for leaf in labelled.acceptable[i]}
        proposed = _above(codes[best[i]], digits)
        titles = [title[code] for code in sorted(of_stated)]
        more = [f'and {len(titles) - TITLES} more'] if len(titles) > TITLES else []
        result.append(
            AuditRow(
                int(labelled.rows[i]),
                labelled.texts[i],
                labelled.stated[i],
                '; '.join([*titles[:TITLES], *more]),
                float(answered.stated[i]),
                proposed,
                title[proposed],
                float(min(best_probability[i], 1.0)),
                float(exposure[i]),
                float(loss[i]),
            )
        )
    return result


def _above(code: str, digits: int) -> str:
    return canonical_code(code[:digits])
