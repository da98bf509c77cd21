"""Descriptions in, codes out, with calibrated probabilities and evidence."""

import importlib
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naics_embed.bundle.storage import CODER
from naics_embed.errors import ArtifactError, UserError
from naics_embed.evidence.fusion import Fusion, gate_values
from naics_embed.evidence.known_texts import COLUMNS, NEAREST, KnownTexts
from naics_embed.evidence.source_gate import Adaptation
from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.search.exact import ExactTexts
from naics_embed.search.given_texts import as_texts
from naics_embed.search.options import check_confidence, check_evidence, check_k_and_level
from naics_embed.search.searcher import BATCH_TOKENS, Hit, Searcher, check_texts
from naics_embed.search.status import status_of
from naics_embed.search.storage import CODER_FILES, FROZEN, read_evidence
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS, canonical_code
from naics_embed.text.inference.frozen import PairedEncoder, read_frozen
from naics_embed.text.inference.packed import PackedEncoder
from naics_embed.text.inference.precisions import FLOAT32, PRECISIONS

if TYPE_CHECKING:
    from naics_embed.text.inference.frozen import Transformer

FUSED = ('distance', *COLUMNS)
"""The scores that are fused: the negated Lorentz distance, and the evidence."""

ENCODED = 2048
"""Texts encoded at a time."""

CHUNK = 256
"""Texts scored at a time; bounds the memory of a long list."""

CONFIDENCE = 0.8
RENAMED = 'Answer.{} is now Answer.{}; the next version has the new name only'


@dataclass(frozen=True)
class Evidence:
    """Evidence for a code.

    Attributes:
        texts: training texts of the code most similar to the query, with their cosine.
        words: matching terms: words of the query that texts of the code contain, with their
            weight, highest first.
    """

    texts: tuple[tuple[str, float], ...]
    words: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Answer:
    """What was found for a text.

    Attributes:
        text: the query.
        hits: ranked codes of the requested level; their probability is calibrated.
        path: the best code's ancestors and itself, sector first; the probability of each is that
            of all six-digit codes below it.
        confident: the deepest code of ``path`` whose probability passes the confidence; None where
            not even the sector's does.
        confidence: the requested confidence.
        evidence: evidence for each hit, if requested; for six-digit codes only.
        familiarity: greatest cosine with a known text, by the frozen encoder. Where it is low, the
            probability rests on little that is alike.
        starter: whether the bundle is a starter, built without training.
    """

    text: str
    hits: tuple[Hit, ...]
    path: tuple[Hit, ...]
    confident: Hit | None
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    familiarity: float = math.nan
    starter: bool = False

    @property
    def status(self) -> str:
        """How far it can be relied on, one of `naics_embed.search.status.STATUSES`."""
        return status_of(self.text, self.hits, self.confident, self.confidence)

    @property
    def chosen(self) -> Hit | None:
        """The confident code, under its old name."""
        warnings.warn(RENAMED.format('chosen', 'confident'), DeprecationWarning, stacklevel=2)
        return self.confident

    @property
    def support(self) -> tuple[Evidence, ...]:
        """The evidence, under its old name."""
        warnings.warn(RENAMED.format('support', 'evidence'), DeprecationWarning, stacklevel=2)
        return self.evidence


@dataclass(frozen=True)
class Scored:
    """What is known of some texts.

    Attributes:
        distances: float64 ``(q, codes)``, geodesic distances to all codes.
        embeddings: float32 ``(q, width)``, by the frozen encoder.
        scores: float32 ``(q, leaves, len(FUSED))``.
        familiarity: float32 ``(q,)``, greatest cosine with a known text.
        probabilities: float64 ``(q, leaves)``.
    """

    distances: np.ndarray
    embeddings: np.ndarray
    scores: np.ndarray
    familiarity: np.ndarray
    probabilities: np.ndarray


class Coder:
    """Codes for descriptions, by a fusion of distance, words and training texts.

    Deterministic, offline, and safe to share between threads.
    """

    def __init__(
        self,
        searcher: Searcher,
        evidence: KnownTexts,
        fusion: Fusion,
        encoder: PairedEncoder,
        precision: str = FLOAT32,
        adaptation: Adaptation | None = None,
    ) -> None:
        """Use `load`."""
        self.searcher = searcher
        self.evidence = evidence
        self.fusion = fusion
        self.encoder = encoder
        self.precision = precision
        self.adaptation = adaptation
        self.leaves = np.flatnonzero(searcher.level == LEAF_LEVEL)
        self._levels = {level: self._above(level) for level in LEVELS}

    def __repr__(self) -> str:
        """Return what it is, for shells and notebooks."""
        known = len(self.evidence.texts)
        return f'Coder({known:,} known texts, {self.precision}, {self.searcher.bundle!r})'

    @property
    def starter(self) -> bool:
        """Whether its bundle is a starter, built without training."""
        return self.searcher.bundle.starter

    @classmethod
    def load(
        cls, path: Path | str | None = None, *, verify: bool = True, precision: str = FLOAT32
    ) -> 'Coder':
        """Load a bundle, or the promoted one.

        Args:
            path: directory of the bundle; None for the one in use: the promoted one, else a
                starter, which is built in a minute where nothing was trained.
            verify: compare every file with its checksum first.
            precision: number format of the encoder, one of `PRECISIONS`.

        Raises:
            ArtifactError: there is no such bundle, it is damaged, or it was exported without what
                a coder needs.
        """
        if precision not in PRECISIONS:
            raise UserError(f'precision must be one of {", ".join(PRECISIONS)}, not {precision!r}')
        searcher = Searcher.load(path, verify=verify)
        folder = searcher.bundle.path / CODER
        listed = searcher.bundle.manifest['files']
        missing = [name for name in CODER_FILES if f'{CODER}/{name}' not in listed]
        if missing:
            raise ArtifactError(
                f'bundle {searcher.bundle.path} was exported without {CODER}/{missing[0]}; '
                'export it again, or search by distance with naics_embed.Searcher'
            )
        codes = [
            code
            for code, level in zip(searcher.codes, searcher.level, strict=True)
            if level == LEAF_LEVEL
        ]
        evidence, fusion, adaptation = read_evidence(folder, codes, FUSED)
        frozen = read_frozen(folder / FROZEN, searcher.backbone)
        encoder = _encoder(searcher, frozen, precision)
        return cls(searcher, evidence, fusion, encoder, precision, adaptation)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability of each six-digit code, float64 ``(len(texts), leaves)``.

        Raises:
            UserError: a text is empty, no string or no Unicode; the message names its position.
        """
        check_texts(texts)
        result = np.empty((len(texts), len(self.leaves)))
        done = 0
        for scored in self.scored(texts):
            p = scored.probabilities
            result[done : done + len(p)] = p
            done += len(p)
        return result

    def search(
        self,
        texts: str | Sequence[str],
        k: int = 5,
        level: int = LEAF_LEVEL,
        *,
        confidence: float = CONFIDENCE,
        evidence: int = 0,
        support: int | None = None,
    ) -> list[Answer]:
        """Return ranked codes and the confident code of each text.

        Args:
            texts: descriptions: one string, a list, or a column of numpy, pandas, polars or Arrow.
            k: how many codes.
            level: digits of the codes ranked, 2 to 6.
            confidence: least probability of the confident code.
            evidence: training texts and matching terms to return for each hit.
            support: the name of ``evidence`` in earlier versions.

        Raises:
            UserError: a text is empty or no text, or an option is out of range.
        """
        if support is not None:
            warnings.warn('support is now evidence', DeprecationWarning, stacklevel=2)
            evidence = support
        texts = as_texts(texts)
        check_k_and_level(k, level)
        check_texts(texts)
        check_confidence(confidence)
        check_evidence(evidence)
        answers: list[Answer] = []
        for scored in self.scored(texts):
            p = scored.probabilities
            sums = {
                at: np.add.reduceat(p, first, axis=1) if at < LEAF_LEVEL else p
                for at, (_, first) in self._levels.items()
            }
            for row in range(len(p)):
                text = texts[len(answers)]
                row_sums = {at: values[row] for at, values in sums.items()}
                hits, path = self._ranked(row_sums, scored.distances[row], k, level)
                passing = [hit for hit in path if hit.probability >= confidence]
                of_hits = tuple(
                    self._evidence(text, scored.embeddings[row], hit, evidence)
                    for hit in (hits if evidence and level == LEAF_LEVEL else ())
                )
                confident = passing[-1] if passing else None
                familiarity = float(scored.familiarity[row])
                answers.append(
                    Answer(
                        text,
                        hits,
                        path,
                        confident,
                        confidence,
                        of_hits,
                        familiarity,
                        self.starter,
                    )
                )
        return answers

    def learn(
        self, texts: Sequence[str], codes: Iterable[Any], *, out: Path | str, **options: Any
    ) -> tuple['Coder', Any]:
        """Derive a bundle that knows labelled texts; see `naics_embed.learning.learn.learn`.

        Args:
            texts: descriptions.
            codes: code of each.
            out: directory of the new bundle; an existing bundle there is replaced.
            options: ``groups``, ``name``, ``private``, ``vintage``, ``max_unknown``, ``settings``
                and ``progress`` of that function.

        Returns:
            the coder of the new bundle, and what has changed, an
            `naics_embed.learning.outcome.Outcome`.
        """
        # Learning is built on the coder, so it is looked up when it is asked for.
        function = importlib.import_module('naics_embed.learning.learn').learn
        learned: tuple[Coder, Any] = function(self, texts, codes, out=out, **options)
        return learned

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Yield what is known of texts, `CHUNK` at a time, in their order."""
        searcher = self.searcher
        for start in range(0, len(texts), CHUNK):
            at = start % ENCODED
            if at == 0:
                encoded = self.encoder.embed(texts[start : start + ENCODED], BATCH_TOKENS)
            part = texts[start : start + CHUNK]
            trained, frozen = (values[at : at + CHUNK] for values in encoded)
            points = searcher.points_of(trained)
            far = pairwise_distance(points, searcher.points, c=searcher.space.curvature).numpy()
            embeddings = frozen.numpy()
            scores, gates = leaf_scores(far[:, self.leaves], part, embeddings, self.evidence)
            log_prior = None
            if self.adaptation is not None:
                source = self.adaptation.gate.values(part, embeddings)
                gates = np.column_stack([gates, source])
                log_prior = self.adaptation.log_prior
            p = self.fusion.probabilities(scores, gates, log_prior)
            self._exact.decide(part, p)
            familiarity = scores[..., FUSED.index(NEAREST)].max(axis=1)
            yield Scored(far, embeddings, scores, familiarity, p)

    @cached_property
    def _exact(self) -> ExactTexts:
        return ExactTexts(self.searcher.codes, self.searcher.titles, self.evidence)

    def _above(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the codes of a level that have leaves, and where the leaves of each begin."""
        codes = self.searcher.codes
        index = {code: i for i, code in enumerate(codes)}
        ancestors = [index[canonical_code(codes[leaf][:level])] for leaf in self.leaves.tolist()]
        return np.unique(np.array(ancestors), return_index=True)

    def _ranked(
        self, sums: dict[int, np.ndarray], distances: np.ndarray, k: int, level: int
    ) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
        """Rank the codes of a level by the probabilities of all levels."""
        codes, _ = self._levels[level]
        # The first of equal ones, as the stable sort has it.
        order = (
            [int(np.argmax(sums[level]))] if k == 1 else np.argsort(-sums[level], kind='stable')[:k]
        )
        hits = tuple(
            self._hit(int(codes[i]), distances, float(min(sums[level][i], 1.0))) for i in order
        )
        best = int(self._levels[level][1][order[0]])
        path = []
        for at, (above, first) in self._levels.items():
            if at > level:
                break
            i = int(np.searchsorted(first, best, side='right')) - 1
            path.append(self._hit(int(above[i]), distances, float(min(sums[at][i], 1.0))))
        return hits, tuple(path)

    def _hit(self, code: int, distances: np.ndarray, probability: float) -> Hit:
        searcher = self.searcher
        return Hit(
            searcher.codes[code],
            searcher.official[code],
            searcher.titles[code],
            int(searcher.level[code]),
            float(distances[code]),
            probability,
        )

    def _evidence(self, text: str, embedding: np.ndarray, hit: Hit, count: int) -> Evidence:
        leaf = int(np.searchsorted(self.leaves, self.searcher.codes.index(hit.code)))
        return Evidence(
            tuple(self.evidence.nearest_texts(embedding, leaf, count)),
            tuple(self.evidence.matching_terms(text, leaf, count)),
        )


def _encoder(searcher: Searcher, frozen: 'Transformer', precision: str) -> PairedEncoder:
    trained = searcher.backbone
    if PackedEncoder.fits(trained):
        return PackedEncoder(searcher.tokenizer, trained, frozen, precision)
    if precision != FLOAT32:
        raise UserError(
            f'precision {precision} is for encoders of the kind BERT, not '
            f'{type(trained).__name__}; use {FLOAT32}'
        )
    return PairedEncoder(searcher.tokenizer, trained, frozen)


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
