"""What a coder says of labelled texts, beside what is right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from naics_embed.census.normalise import normalise
from naics_embed.learning.labelled import LabelledTexts
from naics_embed.search.coder import Coder
from naics_embed.search.scoring import FUSED
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS, canonical_code

PART = 2048
"""Texts scored between two reports of progress."""


@dataclass(frozen=True)
class AtLevel:
    """Answers of one level.

    Attributes:
        rank: int32 ``(n,)``, rank of the first right code, from 1; 0 where the label is shorter.
        confidence: float64 ``(n,)``, probability of the best code.
        best: int64 ``(n,)``, column of the first leaf of that code.
    """

    rank: np.ndarray
    confidence: np.ndarray
    best: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """bool ``(n,)``: whether the label reaches this level."""
        return self.rank > 0

    @property
    def right(self) -> np.ndarray:
        """bool ``(n,)``: whether the best code is right."""
        return self.rank == 1


@dataclass(frozen=True)
class Answered:
    """Answers to n labelled texts.

    Attributes:
        labelled: the texts.
        levels: digits → answers of that level.
        best: int64 ``(n,)``, column of the best leaf.
        stated: float64 ``(n,)``, probability of the stated code.
        familiarity: float64 ``(n,)``, greatest cosine with a known text.
        verbatim: bool ``(n,)``, whether the coder knows the text word for word, as it does after
            it has learned it.
        words: int64 ``(n,)``, words of each text.
        confident_level: int64 ``(n,)``, digits of the confident code; 0 where there is none.
        confident_right: bool ``(n,)``, whether it is right, as far down as the label reaches.
        baselines: name → bool ``(n,)``, whether its best six-digit code is right.
    """

    labelled: LabelledTexts
    levels: dict[int, AtLevel]
    best: np.ndarray
    stated: np.ndarray
    familiarity: np.ndarray
    verbatim: np.ndarray
    words: np.ndarray
    confident_level: np.ndarray
    confident_right: np.ndarray
    baselines: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.best)


SAME = 0.9995
"""Cosine of a text with itself, as it is stored; of private texts nothing else tells."""

CLASS_MEAN, BM25 = 'frozen class mean', 'BM25'


def answer_labelled(
    coder: Coder,
    labelled: LabelledTexts,
    *,
    confidence: float,
    report: Callable[[int], None] | None = None,
) -> Answered:
    """Code labelled texts and compare the answers with their codes.

    A code of an earlier vintage that became several is right if any of them is given. A code of
    fewer digits says what is right down to its own level.

    Args:
        coder: the coder.
        labelled: the texts.
        confidence: least probability of the confident code.
        report: called with the number of texts done.
    """
    n = len(labelled)
    groups = {level: _groups(coder, level) for level in LEVELS}
    rank = {level: np.zeros(n, dtype=np.int32) for level in LEVELS}
    sure = {level: np.zeros(n) for level in LEVELS}
    first_leaf = {level: np.zeros(n, dtype=np.int64) for level in LEVELS}
    best = np.zeros(n, dtype=np.int64)
    stated, familiarity = np.zeros(n), np.zeros(n)
    confident_level = np.zeros(n, dtype=np.int64)
    confident_right = np.zeros(n, dtype=bool)
    baselines = {name: np.zeros(n, dtype=bool) for name in (CLASS_MEAN, BM25)}
    done = 0
    for start in range(0, n, PART):
        part = labelled.texts[start : start + PART]
        for scored in coder.scored(part):
            p = scored.probabilities
            means = scored.scores[..., FUSED.index('class_mean')].argmax(axis=1)
            lexical = scored.scores[..., FUSED.index('words')].argmax(axis=1)
            sums = {
                level: np.add.reduceat(p, first, axis=1) for level, (first, _) in groups.items()
            }
            for row in range(len(p)):
                at = done + row
                accepted = list(labelled.acceptable[at])
                digits = int(labelled.digits[at])
                for level in LEVELS:
                    of_level = sums[level][row]
                    sure[level][at] = of_level.max()
                    first_leaf[level][at] = groups[level][0][of_level.argmax()]
                    if level <= digits:
                        right = np.unique(groups[level][1][accepted])
                        rank[level][at] = 1 + int((of_level > of_level[right].max()).sum())
                best[at] = p[row].argmax()
                stated[at] = p[row, accepted].sum()
                baselines[CLASS_MEAN][at] = means[row] in accepted
                baselines[BM25][at] = lexical[row] in accepted
                chain = {level: int(groups[level][1][best[at]]) for level in LEVELS}
                passing = [lv for lv in LEVELS if sums[lv][row][chain[lv]] >= confidence]
                if passing:
                    deepest = passing[-1]
                    confident_level[at] = deepest
                    judged = min(deepest, digits)
                    confident_right[at] = chain[judged] in groups[judged][1][accepted]
            familiarity[done : done + len(p)] = scored.familiarity
            done += len(p)
        if report is not None:
            report(done)
    return Answered(
        labelled,
        {level: AtLevel(rank[level], sure[level], first_leaf[level]) for level in LEVELS},
        best,
        stated,
        familiarity,
        _verbatim(coder, labelled.texts) | (familiarity >= SAME),
        np.array([len(text.split()) for text in labelled.texts]),
        confident_level,
        confident_right,
        baselines,
    )


def _verbatim(coder: Coder, texts: Sequence[str]) -> np.ndarray:
    known = {normalise(text) for text in coder.evidence.texts if text}
    return np.array([normalise(text) in known for text in texts])


def _groups(coder: Coder, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the leaves of each code of a level begin, and the code of each leaf."""
    codes = list(coder.leaf_codes)
    above = [canonical_code(code[:level]) if level < LEAF_LEVEL else code for code in codes]
    _, first, of_leaf = np.unique(above, return_index=True, return_inverse=True)
    return first, of_leaf
