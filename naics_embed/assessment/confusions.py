"""Codes that are confused, with the words that speak for each, and rows that look wrong."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from naics_embed.assessment.answered import Answered
from naics_embed.search.coder import Coder
from naics_embed.search.cues import cues
from naics_embed.taxonomy import LEAF_LEVEL

CUES = 4
SURE = 0.8
IMPLAUSIBLE = 0.02


@dataclass(frozen=True)
class Confusion:
    """A code that is given in place of another.

    Attributes:
        stated: code of the texts.
        stated_title: its title.
        found: code that was given.
        found_title: its title.
        texts: how many.
        for_stated: words of these texts that speak for the stated code.
        for_found: words that speak for the other.
        example: one of the texts.
    """

    stated: str
    stated_title: str
    found: str
    found_title: str
    texts: int
    for_stated: tuple[str, ...]
    for_found: tuple[str, ...]
    example: str


@dataclass(frozen=True)
class DoubtfulRow:
    """A row whose code looks wrong.

    Attributes:
        row: in its file, from 1.
        text: the text.
        stated: its code.
        stated_title: title of the code.
        probability: of the stated code.
        found: the code that was found.
        found_title: its title.
        confidence: its probability.
    """

    row: int
    text: str
    stated: str
    stated_title: str
    probability: float
    found: str
    found_title: str
    confidence: float


def confusions(coder: Coder, answered: Answered, most: int) -> list[Confusion]:
    """Return the pairs of six-digit codes that are confused most often."""
    searcher = coder.searcher
    labels = answered.labelled.labels
    wrong = np.flatnonzero((labels >= 0) & (answered.best != labels))
    of_pair: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at in wrong.tolist():
        of_pair[int(labels[at]), int(answered.best[at])].append(at)
    ranked = sorted(of_pair.items(), key=lambda item: (-len(item[1]), item[0]))[:most]
    result = []
    for (stated, found), rows in ranked:
        texts = [answered.labelled.texts[at] for at in rows]
        one, other = int(coder.leaves[stated]), int(coder.leaves[found])
        result.append(
            Confusion(
                searcher.codes[one],
                searcher.titles[one],
                searcher.codes[other],
                searcher.titles[other],
                len(rows),
                *cues(coder, texts, stated, found, CUES),
                texts[0],
            )
        )
    return result


def doubtful_rows(coder: Coder, answered: Answered, most: int) -> list[DoubtfulRow]:
    """Return the rows whose code is improbable where another one is sure."""
    searcher, labelled = coder.searcher, answered.labelled
    leaf = answered.levels[LEAF_LEVEL]
    chosen = np.flatnonzero(
        (answered.stated < IMPLAUSIBLE) & (leaf.confidence >= SURE) & ~leaf.right & leaf.known
    )
    order = chosen[np.argsort(answered.stated[chosen], kind='stable')][:most]
    rows = []
    for at in order.tolist():
        one = int(coder.leaves[labelled.acceptable[at][0]])
        other = int(coder.leaves[answered.best[at]])
        rows.append(
            DoubtfulRow(
                int(labelled.rows[at]),
                labelled.texts[at],
                searcher.codes[one],
                searcher.titles[one],
                float(answered.stated[at]),
                searcher.codes[other],
                searcher.titles[other],
                float(leaf.confidence[at]),
            )
        )
    return rows
