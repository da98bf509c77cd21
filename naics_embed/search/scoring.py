"""Scores and probabilities of the six-digit codes for texts, from distance and evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from naics_embed.evidence.gates import gate_values
from naics_embed.evidence.known_texts import COLUMNS, NEAREST, KnownTexts
from naics_embed.search.exact import ExactTexts
from naics_embed.taxonomy import LEAF_LEVEL

if TYPE_CHECKING:
    from naics_embed.evidence.population import Population
    from naics_embed.search.coder_parts import CoderParts

FUSED = ('distance', *COLUMNS)
"""The scores that are fused: the negated Lorentz distance, and the evidence."""

ENCODED = 2048
"""Texts encoded at a time."""

CHUNK = 256
"""Texts scored at a time; bounds the memory of a long list."""


@dataclass(frozen=True)
class Scored:
    """What is known of some texts.

    Attributes:
        distances: float64 ``(q, codes)``, geodesic distances to all codes.
        embeddings: float32 ``(q, width)``, by the frozen encoder.
        scores: float32 ``(q, leaves, len(FUSED))``.
        familiarity: float32 ``(q,)``, greatest cosine with a known text.
        probabilities: float64 ``(q, leaves)``.
        gates: float64 ``(q, gates)``, of the fusion.
        points: float64 ``(q, dim)``, of the texts.
    """

    distances: np.ndarray
    embeddings: np.ndarray
    scores: np.ndarray
    familiarity: np.ndarray
    probabilities: np.ndarray
    gates: np.ndarray
    points: np.ndarray


class Scorer:
    """Scores texts by the parts of a coder.

    Args:
        parts: of the coder.
        population: how common each code is; None where all are alike.
    """

    def __init__(self, parts: 'CoderParts', population: 'Population | None' = None) -> None:
        self.searcher, self._parts = parts.searcher, parts
        self.evidence, self.fusion, self.adaptation = parts.evidence, parts.fusion, parts.adaptation
        self.population = population
        searcher, evidence, adaptation = self.searcher, self.evidence, self.adaptation
        self._leaves = np.flatnonzero(searcher.level == LEAF_LEVEL)
        reliability = None if adaptation is None else adaptation.reliability
        self._exact = ExactTexts(searcher.codes, searcher.titles, evidence, reliability)

    def prepare(self) -> None:
        """Make what is otherwise made when a few texts have been scored."""
        self._exact.prepare()
        for index in (self.evidence.words, self.evidence.pairs, self.evidence.characters):
            _ = index.position

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Yield what is known of texts, `CHUNK` at a time, in their order."""
        for start in range(0, len(texts), CHUNK):
            at = start % ENCODED
            if at == 0:
                points, frozen = self._parts.place(texts[start : start + ENCODED])
            part = texts[start : start + CHUNK]
            of_part, embeddings = points[at : at + CHUNK], frozen[at : at + CHUNK]
            far = self.searcher.distances(of_part)
            scores, gates = leaf_scores(far[:, self._leaves], part, embeddings, self.evidence)
            log_prior = None
            if self.adaptation is not None:
                source = self.adaptation.gate.values(part, embeddings)
                gates = np.column_stack([gates, source])
                log_prior = self.adaptation.log_prior
            p = self.fusion.probabilities(scores, gates, log_prior)
            if self.population is not None:
                p = self.population.applied(p)
            self._exact.decide(part, p)
            familiarity = scores[..., FUSED.index(NEAREST)].max(axis=1)
            yield Scored(far, embeddings, scores, familiarity, p, gates, of_part)


def leaf_scores(
    distances: np.ndarray, texts: Sequence[str], embeddings: np.ndarray, evidence: KnownTexts
) -> tuple[np.ndarray, np.ndarray]:
    """Return what is fused: scores float32 ``(q, leaves, len(FUSED))`` and gates of the queries.

    Args:
        distances: ``(q, leaves)``, geodesic distances of the trained encoder.
        texts: the queries.
        embeddings: float32 ``(q, width)``, by the frozen backbone.
        evidence: known texts.
    """
    # Each score in memory of its own, as it is computed.
    scores = np.moveaxis(np.empty((len(FUSED), *distances.shape), dtype=np.float32), 0, -1)
    scores[..., 0] = -distances
    scores[..., 1:] = evidence.columns(texts, embeddings)
    return scores, gate_values(texts, scores[..., FUSED.index(NEAREST)])
