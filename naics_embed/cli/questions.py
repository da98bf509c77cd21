"""Questions on a terminal, and what ``search`` prints of them elsewhere."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from naics_embed.questions.question import Question
    from naics_embed.search.coder import Answer, Coder

MOST_QUESTIONS = 3
"""Questions about one text, so that nobody is kept."""


def put_questions(coder: 'Coder', answer: 'Answer', options: dict[str, Any]) -> 'Answer':
    """Put questions until none helps enough, and return the last answer.

    An empty line ends them.

    Args:
        coder: of the answer.
        answer: with its question.
        options: of the search.
    """
    from naics_embed.questions.question import Reply

    replies: list[Reply] = []
    while answer.question is not None and len(replies) < MOST_QUESTIONS:
        typer.echo('\n'.join([answer.text, *_lines(answer.question)]), err=True)
        option = _read(len(answer.question.options))
        if option is None:
            break
        replies.append(Reply(answer.question, option))
        answer = coder.search([answer.text], replies=replies, **options)[0]
    return answer


def print_more(answer: 'Answer') -> None:
    """Print what a text lacks, the set of codes, and the question that is left."""
    lines: list[str] = []
    if answer.missing:
        lines.append('too vague to code; it does not say ' + ', nor '.join(answer.missing))
    if answer.code_set is not None:
        chosen = answer.code_set
        codes = ', '.join(hit.official for hit in chosen.codes)
        lines.append(f'with {chosen.coverage:.0%} among: {codes}')
        if chosen.node is not None:
            lines.append(
                f'with {chosen.coverage:.0%} in: {chosen.node.official} {chosen.node.title}'
            )
    if answer.question is not None:
        lines += _lines(answer.question)
    if lines:
        typer.echo('\n'.join(lines) + '\n')


def _lines(question: 'Question') -> list[str]:
    numbered = [f'  {i}  {option.text}' for i, option in enumerate(question.options, start=1)]
    return [question.prompt, *numbered]


def _read(count: int) -> int | None:
    """Read the number of an option, from 1; return it from 0, or None for an empty line."""
    while True:
        try:
            line = input('> ').strip()
        except EOFError:
            return None
        if not line:
            return None
        if line.isascii() and line.isdigit() and 1 <= int(line) <= count:
            return int(line) - 1
        typer.echo(f'type a number from 1 to {count}, or nothing to stop', err=True)
