"""What the coder suggests for rows, and what it knows of codes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.review.tables import codes
from naics_embed.search.code_table import CodeTable
from naics_embed.search.coder import Answer, Coder, Evidence
from naics_embed.search.searcher import text_fault
from naics_embed.search.several_texts import Weighed, search_several
from naics_embed.search.text_columns import FULL, RowTexts
from naics_embed.taxonomy import LEAF_LEVEL

CONFIDENCE = 0.8


@dataclass(frozen=True)
class Detail:
    """What the page shows beside the suggestions.

    Attributes:
        evidence: of each suggestion, ``texts`` and ``words``.
        question: that separates the first two codes: ``prompt`` and ``options``; None for none.
    """

    evidence: list[dict[str, Any]]
    question: dict[str, Any] | None


def bundle_of(coder: Coder) -> str:
    """Return the number by which outputs name the bundle of a coder."""
    return coder.provenance.bundle


def weighed_rows(texts: RowTexts, faults: Sequence[str | None]) -> list[Weighed]:
    """Return the texts of each row that can be coded, with their weights; none for a bad row."""
    columns = [(FULL, texts.main), *texts.lighter]
    return [
        tuple(
            (values[at], weight)
            for weight, values in columns
            if fault is None and text_fault(values[at]) is None and not says_nothing(values[at])
        )
        for at, fault in enumerate(faults)
    ]


def suggest(coder: Coder, rows: Sequence[Weighed], count: int) -> dict[Weighed, Answer]:
    """Return the answer for each row with a text; each distinct one is coded once.

    Args:
        coder: codes texts.
        rows: texts with weights.
        count: codes for each.
    """
    distinct = [row for row in dict.fromkeys(rows) if row]
    single = [row for row in distinct if len(row) == 1 and row[0][1] == FULL]
    several = [row for row in distinct if len(row) > 1 or row[0][1] != FULL]
    texts = [row[0][0] for row in single]
    answers = coder.search(texts, count, confidence=CONFIDENCE) if texts else []
    more = search_several(coder, several, count, LEAF_LEVEL, CONFIDENCE)
    return dict(zip([*single, *several], [*answers, *more], strict=True))


def details(coder: Coder, texts: Sequence[str], count: int, evidence: int) -> list[Detail]:
    """Return evidence and question for texts that people will see.

    Args:
        coder: codes texts.
        texts: the main text of each row.
        count: codes for each.
        evidence: training texts and matching terms for each code.
    """
    answers = coder.search(list(texts), count, confidence=CONFIDENCE, evidence=max(evidence, 1))
    return [
        Detail(
            [
                {'code': hit.code, **_evidence(one, evidence)}
                for hit, one in zip(answer.hits, answer.evidence, strict=True)
            ],
            question_of(answer),
        )
        for answer in answers
    ]


def question_of(answer: Answer) -> dict[str, Any] | None:
    """Return the question of an answer as plain values; None where it asks none."""
    question = getattr(answer, 'question', None)
    return asdict(question) if is_dataclass(question) and not isinstance(question, type) else None


def keep_codes(connection: Connection, coder: Coder, bundle: str) -> None:
    """Keep the codes of a bundle in the store, where they are not there yet."""
    known = select(codes.c.code).where(codes.c.bundle == bundle).limit(1)
    if connection.execute(known).first() is not None:
        return
    table = CodeTable(coder.searcher.bundle)
    rows = []
    for code in table.taxonomy.codes:
        entry, parent = table[code], table.parent(code)
        found = table.redirections(code) if table.has_redirections else ()
        rows.append(
            {
                'bundle': bundle,
                **vars(entry),
                'parent': None if parent is None else parent.code,
                'redirections': [
                    {'activity': one.activity, 'targets': [target.code for target in one.targets]}
                    for one in found
                ],
            }
        )
    connection.execute(insert(codes), rows)


def _evidence(evidence: Evidence, count: int) -> dict[str, Any]:
    return {
        'texts': [text for text, _ in evidence.texts[:count]],
        'words': [word for word, _ in evidence.words[:count]] if count else [],
    }
