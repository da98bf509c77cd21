"""What a request wants: which classification, a question, its answer, a set with a coverage."""

from typing import NamedTuple

from naics_embed.classifications.names import NAICS2022
from naics_embed.questions import question as questions
from naics_embed.search import coder as coding
from naics_embed.service import answers
from naics_embed.service.requests import CodeRequestFields


class Wanted(NamedTuple):
    """What a request wants; equal ones share a pass of the model, unless they have replies."""

    ask: bool = False
    coverage: float | None = None
    replies: tuple[questions.Reply, ...] = ()
    classification: str = NAICS2022


NOTHING_MORE = Wanted()


def wanted_of(request: CodeRequestFields, classification: str) -> Wanted:
    """Return what the body of a request wants, in a classification by its name."""
    replies = tuple(
        questions.Reply(_read(reply.question), reply.option) for reply in request.replies
    )
    return Wanted(request.ask, request.coverage, replies, classification)


def shown_question(question: questions.Question | None) -> answers.Question | None:
    """Return a question as it is sent."""
    if question is None:
        return None
    options = [
        answers.Option(text=option.text, codes=list(option.codes), rest=option.rest)
        for option in question.options
    ]
    return answers.Question(
        kind=question.kind, prompt=question.prompt, options=options, gain=question.gain
    )


def shown_set(code_set: coding.CodeSet | None) -> answers.CodeSet | None:
    """Return a set of codes as it is sent."""
    if code_set is None:
        return None
    node = code_set.node
    return answers.CodeSet(
        coverage=code_set.coverage,
        codes=[answers.LikelyCode(**vars(hit)) for hit in code_set.codes],
        node=None if node is None else answers.LikelyCode(**vars(node)),
    )


def _read(sent: answers.Question) -> questions.Question:
    options = tuple(
        questions.Option(option.text, tuple(option.codes), option.rest) for option in sent.options
    )
    return questions.Question(sent.kind, sent.prompt, options, sent.gain)
