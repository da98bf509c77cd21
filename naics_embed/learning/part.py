"""What is fitted to some of the labelled texts, and what it says of others."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from naics_embed.config.learning import LearnSettings
from naics_embed.evidence.code_prior import log_prior
from naics_embed.evidence.gates import gate_values
from naics_embed.evidence.known_texts import COLUMNS, NEAREST, KnownTexts
from naics_embed.evidence.source_gate import surface
from naics_embed.learning.evidence import Extension
from naics_embed.learning.examples import Examples
from naics_embed.learning.gate_fit import fit_source_gate
from naics_embed.learning.linear import adapt_linear

CHUNK = 256
"""Texts scored at a time."""

REMEMBERED = 8000
"""Most texts of a set whose scores are kept, 32 KB each."""


class Ground:
    """What all parts are fitted from.

    Args:
        base: known texts of the bundle.
        own: its own labelled queries, which its known texts do not hold.
        labelled: the texts to learn.
        ancestors: int ``(leaves, levels)``, of each leaf, sector first.
        settings: how.
    """

    def __init__(
        self,
        base: KnownTexts,
        own: Examples,
        labelled: Examples,
        ancestors: np.ndarray,
        settings: LearnSettings,
    ) -> None:
        self.base, self.own, self.labelled = base, own, labelled
        self.ancestors, self.settings = ancestors, settings
        private = labelled.private
        self.extension = Extension(
            base,
            labelled.texts,
            labelled.labels,
            labelled.embeddings,
            np.zeros(len(labelled), dtype=bool) if private is None else private,
        )
        self.surface = surface([*base.texts, *own.texts, *labelled.texts])
        self.embeddings = np.concatenate([base.embeddings, own.embeddings, labelled.embeddings])
        self.others = len(base.texts) + len(own)


@dataclass(frozen=True)
class Held:
    """Scores of texts by parts that do not know them, for candidates only."""

    rows: np.ndarray
    candidates: np.ndarray
    scores: np.ndarray
    gates: np.ndarray
    target: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> 'Held':
        return Held(
            self.rows[chosen],
            self.candidates[chosen],
            self.scores[chosen],
            self.gates[chosen],
            self.target[chosen],
        )


class Part:
    """What is fitted to some of the labelled texts.

    Args:
        ground: what all parts are fitted from.
        rows: the labelled texts.
        weights: ``(n,)``, of all of them.
        like: a part of the same texts with other weights, which saves time.

    Attributes:
        log_prior: float64 ``(leaves,)``, prior of their codes.
        evidence: the known texts of the bundle, and they.
        gate: tells them from the texts of the bundle.
    """

    evidence: KnownTexts

    def __init__(
        self,
        ground: Ground,
        rows: np.ndarray,
        weights: np.ndarray,
        like: 'Part | None' = None,
    ) -> None:
        labelled, settings = ground.labelled, ground.settings
        counts = np.bincount(labelled.labels[rows], weights[rows], ground.base.leaves)
        self.log_prior = log_prior(counts, ground.ancestors, settings.prior_smoothing)
        linear = adapt_linear(
            ground.base.linear,
            labelled.embeddings[rows],
            labelled.labels[rows],
            weights[rows],
            penalty=settings.linear_penalty,
            iterations=settings.linear_iterations,
            first=None if like is None else like.evidence.linear,
        )
        self.evidence = ground.extension.known(rows, linear)
        kept = np.concatenate([np.arange(ground.others), ground.others + rows])
        is_labelled = np.arange(len(kept)) >= ground.others
        self._scored: dict[int, list[tuple[np.ndarray, ...]]] = {}
        self.gate = fit_source_gate(ground.embeddings[kept], ground.surface[kept], is_labelled)

    def chunks(self, examples: Examples, rows: np.ndarray) -> Iterable[tuple[np.ndarray, ...]]:
        """Return rows, scores and gates of texts, a chunk at a time.

        What is asked for a second time is not computed again, unless it is a lot.
        """
        if len(examples) > REMEMBERED:
            return self._chunks(examples, rows)
        key = hash((id(examples), rows.tobytes()))
        if key not in self._scored:
            self._scored[key] = list(self._chunks(examples, rows))
        return self._scored[key]

    def forget(self) -> None:
        """Release what `chunks` has computed."""
        self._scored.clear()

    def _chunks(self, examples: Examples, rows: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            texts = [examples.texts[row] for row in part.tolist()]
            embeddings = examples.embeddings[part]
            scores = np.concatenate(
                [
                    -examples.distances[part][..., None],
                    self.evidence.columns(texts, embeddings),
                ],
                axis=-1,
            )
            gates = gate_values(texts, scores[..., 1 + COLUMNS.index(NEAREST)])
            source = self.gate.values(texts, embeddings)
            yield part, scores, np.column_stack([gates, source])


def joined(parts: Sequence[Held]) -> Held:
    """Return the scores of several parts as one."""
    return Held(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ('rows', 'candidates', 'scores', 'gates', 'target')
        )
    )
