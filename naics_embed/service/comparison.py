"""Two codes side by side: why the one, and why not the other."""

from dataclasses import asdict

from naics_embed.search import coder as coding
from naics_embed.search.card import path_of
from naics_embed.search.code_table import CodeTable
from naics_embed.search.cues import Words, cues, deciding_words
from naics_embed.service import answers
from naics_embed.taxonomy import LEAF_LEVEL

WORDS = 6
"""Words that are named for each side."""
TEXTS = 3
"""Training texts that are shown for each side."""
SHORTEST = 3
"""Letters of a cue: "at" may have a weight, and means nothing."""

NONE: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def compare_codes(
    coder: coding.Coder, table: CodeTable, first: str, second: str, text: str | None
) -> answers.CodeComparison:
    """Return two codes, and what decides between them.

    Args:
        coder: of the table.
        table: the codes.
        first: the one, in any accepted spelling.
        second: the other.
        text: a description, for which there is evidence.

    Raises:
        CodeError: there is no such code.
        UserError: the text is none.
    """
    compared = table.compare(first, second)
    ends = (compared.first, compared.second)
    columns = [_column(coder, end.code) for end in ends]
    leaves = all(end.level == LEAF_LEVEL for end in ends) and ends[0] != ends[1]
    of_text: tuple[Words, Words] = NONE
    of_codes: tuple[Words, Words] = NONE
    if leaves:
        of_codes = deciding_words(coder, columns[0], columns[1], WORDS)
        if text is not None:
            first_cues, second_cues = cues(coder, [text], columns[0], columns[1], len(text))
            of_text = (_telling(first_cues), _telling(second_cues))
    embedding = None if text is None else coder.embed([text])[1][0]
    sides = []
    for at, end in enumerate(ends):
        evidence = None
        if text is not None and embedding is not None and end.level == LEAF_LEVEL:
            known = coder.evidence
            evidence = coding.Evidence(
                tuple(known.nearest_texts(embedding, columns[at], TEXTS)),
                tuple(known.matching_terms(text, columns[at], WORDS)),
            )
        sides.append(
            answers.Side(
                **vars(end),
                path=[answers.Code(**vars(step)) for step in path_of(table, end.code)],
                evidence=evidence_of(evidence),
                cues=list(of_text[at]),
                deciding_words=list(of_codes[at]),
            )
        )
    common = compared.common
    return answers.CodeComparison(
        first=sides[0],
        second=sides[1],
        common=None if common is None else answers.Code(**vars(common)),
        tree_distance=compared.tree_distance,
        distance=compared.distance,
        cross_references=[
            answers.CrossReference(**asdict(found)) for found in table.between(first, second)
        ],
    )


def evidence_of(evidence: coding.Evidence | None) -> answers.Evidence | None:
    """Return evidence for a code as it is answered."""
    if evidence is None:
        return None
    return answers.Evidence(
        texts=[answers.KnownText(text=text, cosine=cosine) for text, cosine in evidence.texts],
        words=[answers.Word(word=word, weight=weight) for word, weight in evidence.words],
    )


def _telling(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first words that are long enough to tell a reader something."""
    return tuple(word for word in words if len(word) >= SHORTEST)[:WORDS]


def _column(coder: coding.Coder, code: str) -> int:
    """Return the column of a six-digit code among the leaves, −1 for another one."""
    rows = list(coder.leaf_codes)
    return rows.index(code) if code in rows else -1
