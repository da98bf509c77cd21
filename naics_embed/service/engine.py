"""What a loaded bundle answers."""

import math
import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from naics_embed.atlas.page import map_page, page_policy
from naics_embed.atlas.words import known_words
from naics_embed.classifications.classification import Classification, ClassificationCode
from naics_embed.classifications.successors import later_codes
from naics_embed.questions.settings import QuestionSettings
from naics_embed.search import coder as coding
from naics_embed.search.card import card_of, looks_like_code, path_of
from naics_embed.search.code_table import CodeTable
from naics_embed.search.suggest import SuggestIndex
from naics_embed.service import answers
from naics_embed.service.comparison import compare_codes, evidence_of
from naics_embed.service.disk import CodeDisk
from naics_embed.service.extras import NOTHING_MORE, Wanted, shown_question, shown_set
from naics_embed.taxonomy import LEAF_LEVEL, LEVELS

EVIDENCE_OF_A_SEARCH = 3
NO_CODE = '000000'


class Engine:
    """One coder, one table and one map, shared by all threads."""

    def __init__(self, coder: coding.Coder, table: CodeTable, disk: CodeDisk) -> None:
        """Use `load`."""
        self.coder = coder
        self.table = table
        self.disk = disk
        self.provenance = coder.provenance
        self.bundle = self.provenance.bundle
        self._suggest: SuggestIndex | None = None
        self._building = threading.Lock()
        self.map = self._map().model_dump_json().encode()

    @classmethod
    def load(
        cls, path: Path, stretch: float, questions: QuestionSettings | None = None
    ) -> 'Engine':
        """Load a bundle, and answer once, so that the first request does not wait.

        Args:
            path: directory of the bundle.
            stretch: factor on the radii of the map, for a bundle without one.
            questions: when questions are asked, and how; the defaults where None.

        Raises:
            ArtifactError: there is no such bundle, it is damaged, or it has no coder.
        """
        coder = coding.Coder.load(path, questions=questions)
        coder.prepare()
        table = CodeTable(coder.searcher.bundle)
        engine = cls(coder, table, CodeDisk.of(table, stretch))
        engine.search(engine.table.frame['title'][0], 1, LEAF_LEVEL, 1.0)
        engine.card(engine.table.taxonomy.codes[0], 1)
        # The concordance takes seconds to import, and answers the first code that is none.
        later_codes(NO_CODE)
        return engine

    def code(
        self,
        texts: Sequence[str],
        k: int,
        level: int,
        confidence: float,
        evidence: int,
        wanted: Wanted = NOTHING_MORE,
    ) -> answers.CodeAnswer:
        """Return ranked codes for texts.

        Raises:
            UserError: see `naics_embed.Coder.search`.
        """
        coded = self.coder.search(
            texts,
            k,
            level,
            confidence=confidence,
            evidence=evidence,
            ask=wanted.ask,
            coverage=wanted.coverage,
            replies=wanted.replies,
            classification=wanted.classification,
        )
        return answers.CodeAnswer(
            answers=[self._coded(answer) for answer in coded], provenance=self.origin()
        )

    def origin(self) -> answers.Provenance:
        """Return where answers that are given now come from."""
        return answers.Provenance(**vars(self.provenance.now()))

    def suggester(self) -> SuggestIndex:
        """Return the index of suggestions; it is built when it is asked for first."""
        with self._building:
            if self._suggest is None:
                self._suggest = SuggestIndex.of(self.coder.searcher.bundle)
        return self._suggest

    def card(self, code: str, similar: int, by: str = 'tree') -> answers.CodeCard:
        """Return all about a code. Raises CodeError where there is no such code."""
        card = card_of(self.table, code, similar, by)
        row = self.table.position(card.code)
        coordinates = answers.Coordinates(
            curvature=self.table.curvature,
            tangent=self.table.tangents[row].tolist(),
            disk=_point(self.disk.points[row]),
        )
        return answers.CodeCard(**asdict(card), coordinates=coordinates)

    def compare(self, first: str, second: str, text: str | None) -> answers.CodeComparison:
        """Return two codes side by side, and what decides between them, for a text.

        Raises:
            CodeError: there is no such code.
            UserError: see `naics_embed.Coder.search`.
        """
        return compare_codes(self.coder, self.table, first, second, text)

    @cached_property
    def atlas(self) -> tuple[bytes, str]:
        """The page of the map, and the policy under which its own style and scripts run."""
        bundle = self.table.bundle
        page = map_page(
            self.table.taxonomy,
            self.table.frame['title'].to_list(),
            self.table.tangents,
            self.disk.points,
            curvature=self.table.curvature,
            vintage=self.table.vintage,
            words=known_words(bundle, self.table.taxonomy),
            search_page='./',
        )
        return page.encode(), page_policy(page)

    def codes(self, parent: str | None, level: int | None) -> answers.CodeList:
        """Return the codes of a level.

        Args:
            parent: the code that they are below; all where None.
            level: digits; one more than the parent's where None, and the sectors without one.

        Raises:
            CodeError: there is no such parent.
        """
        taxonomy = self.table.taxonomy
        above = None if parent is None else self.table.position(parent)
        if level is None:
            level = LEVELS[0] if above is None else int(taxonomy.level[above]) + 1
        rows = taxonomy.at_level(level) if level in LEVELS else np.empty(0, dtype=np.int64)
        if above is not None:
            level_above = int(taxonomy.level[above])
            rows = rows[taxonomy.ancestors[rows, level_above - LEVELS[0]] == above]
            rows = rows[rows != above]
        listed = [
            answers.ListedCode(
                **vars(self.table[taxonomy.codes[row]]), children=len(taxonomy.children[row])
            )
            for row in rows.tolist()
        ]
        entry = None if above is None else answers.Code(**vars(self.table[taxonomy.codes[above]]))
        return answers.CodeList(vintage=self.table.vintage, parent=entry, codes=listed)

    def search(
        self, query: str, k: int, level: int, confidence: float, wanted: Wanted = NOTHING_MORE
    ) -> answers.SearchAnswer:
        """Return what the page shows: for a code its card, for a text its codes and its point.

        The map shows the codes of the bundle; other classifications have neither cards nor points.

        Raises:
            UserError: see `naics_embed.Coder.search`.
            CodeError: the query looks like a code and is none.
        """
        own = wanted.classification == self.coder.own
        if own and looks_like_code(query):
            card = self.card(query, k)
            point = card.coordinates.disk
            return answers.SearchAnswer(
                answer=None, code=card, point=point, place=point, provenance=self.origin()
            )
        evidence = EVIDENCE_OF_A_SEARCH if own else 0
        [answer] = self.code([query], k, level, confidence, evidence, wanted).answers
        if not own:
            return answers.SearchAnswer(
                answer=answer, code=None, point=None, place=None, provenance=self.origin()
            )
        rows = np.array([self.table.position(hit.code) for hit in answer.hits])
        weights = np.array([hit.probability for hit in answer.hits])
        point = _point(self.disk.centre(rows, weights))
        return answers.SearchAnswer(
            answer=answer, code=None, point=point, place=point, provenance=self.origin()
        )

    def _coded(self, answer: coding.Answer) -> answers.CodedText:
        evidence = answer.evidence or (None,) * len(answer.hits)
        hit = answer.confident
        confident = None if hit is None else answers.LikelyCode(**vars(hit))
        return answers.CodedText(
            text=answer.text,
            status=cast('answers.Status', answer.status),
            hits=[
                answers.Hit(
                    **vars(hit),
                    path=self._path(hit.code, answer.classification),
                    evidence=evidence_of(one),
                )
                for hit, one in zip(answer.hits, evidence, strict=True)
            ],
            path=[answers.LikelyCode(**vars(step)) for step in answer.path],
            confident=confident,
            backoff=confident,
            confidence=answer.confidence,
            classification=answer.classification,
            starter=answer.starter,
            familiarity=None if math.isnan(answer.familiarity) else answer.familiarity,
            question=shown_question(answer.question),
            missing=list(answer.missing),
            code_set=shown_set(answer.code_set),
        )

    def _path(self, code: str, classification: str) -> list[answers.Code]:
        if classification != self.coder.own:
            tree = Classification.load(classification)
            above = tree.ancestors[tree.index(code)].tolist()
            return [_code(tree.at(position)) for position in above if position >= 0]
        return [answers.Code(**vars(step)) for step in path_of(self.table, code)]

    def _map(self) -> answers.DiskMap:
        taxonomy, frame = self.table.taxonomy, self.table.frame
        points = np.round(self.disk.points, 5)
        return answers.DiskMap(
            code=frame['official'].to_list(),
            title=frame['title'].to_list(),
            level=frame['level'].to_list(),
            parent=taxonomy.parent.tolist(),
            x=points[:, 0].tolist(),
            y=points[:, 1].tolist(),
        )


def _code(code: ClassificationCode) -> answers.Code:
    return answers.Code(code=code.code, official=code.official, title=code.title, level=code.level)


def _point(xy: np.ndarray) -> answers.DiskPoint:
    return answers.DiskPoint(x=float(xy[0]), y=float(xy[1]))
