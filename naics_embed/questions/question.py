"""A question, its options, and what an answer says of the codes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from naics_embed.errors import UserError
from naics_embed.questions.settings import QuestionSettings

ROLE, MATERIAL, SPLIT, REFERENCE, WORDS = 'role', 'material', 'split', 'reference', 'words'
KINDS = (ROLE, MATERIAL, SPLIT, REFERENCE, WORDS)
"""What a question is drawn from: roles by sector, materials in titles, other pairs of terms in
titles, official cross references, and the words in which the texts of the codes differ."""

_CODE = re.compile(r'[1-9][0-9]{1,5}|[1-9][0-9]-[1-9][0-9]')

NONE = 'None of these'
UNKNOWN = 'I do not know'


@dataclass(frozen=True)
class Option:
    """An option of a question.

    Attributes:
        text: as it is read out.
        codes: codes that it stands for, of any level; one of 2 to 5 digits stands for all below.
        rest: whether it stands for all codes that no other option stands for.
    """

    text: str
    codes: tuple[str, ...] = ()
    rest: bool = False


@dataclass(frozen=True)
class Question:
    """A question that separates the likely codes of a text.

    Attributes:
        kind: one of `KINDS`.
        prompt: the question.
        options: those that stand for codes, then one for all others, then `UNKNOWN`.
        gain: expected gain in the probability of the best code, if the answer is true.

    >>> options = (Option('Yes', ('111110',)), Option('No', rest=True), Option(UNKNOWN))
    >>> question = Question(REFERENCE, 'Is its main activity growing soybeans?', options, 0.3)
    >>> question.option_of('111120')
    1
    """

    kind: str
    prompt: str
    options: tuple[Option, ...]
    gain: float

    def option_of(self, code: str) -> int:
        """Return the number of the option that stands for a six-digit code."""
        for number, option in enumerate(self.options):
            if any(code.startswith(above) for above in _prefixes(option.codes)):
                return number
        return next(number for number, option in enumerate(self.options) if option.rest)


class Reply(NamedTuple):
    """The answer to a question: its option by number, from 0, or by text."""

    question: Question
    option: int | str


def chosen_option(question: Question, option: int | str) -> int:
    """Return the number of an option that is given by its number, from 0, or by its text.

    Raises:
        UserError: there is no such option.
    """
    texts = [each.text for each in question.options]
    if isinstance(option, str) and option in texts:
        return texts.index(option)
    if isinstance(option, int) and not isinstance(option, bool) and 0 <= option < len(texts):
        return option
    listed = '; '.join(f'{number}: {text}' for number, text in enumerate(texts))
    raise UserError(f'option must be one of {listed}, not {option!r}')


def answered(
    probabilities: np.ndarray,
    question: Question,
    option: int,
    leaves: Sequence[str],
    settings: QuestionSettings,
) -> np.ndarray:
    """Return the probabilities of codes, given an answer, float64 ``(leaves,)``.

    An answer is right with the stated reliability r, and otherwise any other option alike, so the
    probabilities of the codes of the option are multiplied by r and those of all others by
    ``(1 − r) / (options − 1)`` (Bayes). "I do not know" changes nothing.

    Args:
        probabilities: ``(leaves,)``, of sum 1.
        question: the question.
        option: number of the option.
        leaves: six-digit codes of the columns.
        settings: how reliable answers are.
    """
    chosen = question.options[option]
    if not chosen.codes and not chosen.rest:
        return probabilities
    inside = members(chosen.codes, leaves)
    if chosen.rest:
        named = [code for each in question.options for code in each.codes]
        inside = ~members(named, leaves)
    others = sum(1 for each in question.options if each.codes or each.rest) - 1
    wrong = (1.0 - settings.reliability) / max(others, 1)
    weighed = probabilities * np.where(inside, settings.reliability, wrong)
    total = weighed.sum()
    return weighed / total if total > 0 else probabilities


def members(codes: Sequence[str], leaves: Sequence[str]) -> np.ndarray:
    """Return which six-digit codes are named, or lie below one that is, bool ``(leaves,)``."""
    prefixes = _prefixes(codes)
    if not prefixes:
        return np.zeros(len(leaves), dtype=bool)
    return np.array([leaf.startswith(prefixes) for leaf in leaves])


def _prefixes(codes: Sequence[str]) -> tuple[str, ...]:
    """Return beginnings of six-digit codes: a range of sectors has several."""
    found: list[str] = []
    for code in codes:
        if not _CODE.fullmatch(code):
            raise UserError(f'{code!r} is not a code; give the question back as it was asked')
        first, _, last = code.partition('-')
        found += [str(sector) for sector in range(int(first), int(last or first) + 1)]
    return tuple(found)
