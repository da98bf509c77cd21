"""The question that separates the likely codes of a text best."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from naics_embed.evidence.empty_texts import says_nothing
from naics_embed.evidence.known_texts import KnownTexts
from naics_embed.questions.phrases import examples, option_text, reference_phrase
from naics_embed.questions.question import (
    KINDS,
    NONE,
    REFERENCE,
    ROLE,
    UNKNOWN,
    WORDS,
    Option,
    Question,
    members,
)
from naics_embed.questions.roles import ROLES, Role, role_of
from naics_embed.questions.settings import QuestionSettings
from naics_embed.questions.splits import SPLITS

ROLE_PROMPT = 'What does the business mainly do?'
WORDS_PROMPT = 'Which of these comes closest to its main activity?'
PAIR_PROMPT = 'Which of these two comes closer to its main activity?'
REFERENCE_PROMPT = 'Is its main activity {}?'
YES, NO = 'Yes', 'No'
NOTHING = ('what the business makes, sells or does',)
"""What a text does not say that names no activity."""
FEW = 3
"""Most roles that are listed as missing."""


class Questioner:
    """Draws questions from codes, titles, cross references and known texts. Safe to share.

    Args:
        leaves: six-digit codes, ascending.
        titles: their titles.
        known: known texts, whose columns are these codes.
        references: code, activity, and the codes where it belongs instead.
        settings: when and how.
    """

    def __init__(
        self,
        leaves: Sequence[str],
        titles: Sequence[str],
        known: KnownTexts,
        references: Iterable[tuple[str, str, Sequence[str]]],
        settings: QuestionSettings,
    ) -> None:
        self.leaves, self.titles, self.known = list(leaves), list(titles), known
        self.settings = settings
        self.roles = [role_of(code) for code in self.leaves]
        self._sector = np.unique([leaf[:2] for leaf in self.leaves], return_inverse=True)[1]
        self._column = {code: i for i, code in enumerate(self.leaves)}
        self._phrases: dict[tuple[str, str], str] = {}
        for code, phrase, targets in references:
            said = reference_phrase(phrase)
            if said is not None and len(targets) == 1:
                for leaf in self._below(code):
                    key = (self.leaves[leaf], targets[0])
                    held = self._phrases.get(key)
                    if held is None or len(said) < len(held):
                        self._phrases[key] = said

    def question(
        self,
        probabilities: np.ndarray,
        embedding: np.ndarray,
        least_gain: float | None = None,
    ) -> Question | None:
        """Return the question to ask; None where none promises the least gain.

        Args:
            probabilities: ``(leaves,)``, of sum 1.
            embedding: float32 ``(width,)``, of the text, by the frozen encoder.
            least_gain: that of the settings where None.
        """
        settings = self.settings
        least_gain = settings.least_gain if least_gain is None else least_gain
        if 1.0 - probabilities.max() < least_gain:
            return None
        order = np.argsort(-probabilities, kind='stable')[: settings.candidates]
        likely = [i for i in order.tolist() if probabilities[i] >= settings.least_probability]
        if len(likely) < 2:
            return None
        drawn = list(self._drawn(likely, probabilities))
        drawn.append(self._by_words(likely[: settings.most_options], probabilities))
        best = max(question.gain for question in drawn)
        if best < least_gain:
            return None
        near = [question for question in drawn if question.gain >= settings.plainness * best]
        chosen = min(near, key=lambda one: (KINDS.index(one.kind), -one.gain))
        return self._with_examples(chosen, embedding) if chosen.kind == WORDS else chosen

    def asked(
        self,
        text: str,
        probabilities: np.ndarray,
        embedding: np.ndarray,
        least_gain: float | None = None,
    ) -> tuple[Question | None, tuple[str, ...]]:
        """Return the question to ask about a text, and what the text does not say."""
        missing = NOTHING if says_nothing(text) else self.missing(probabilities)
        return self.question(probabilities, embedding, least_gain), missing

    def missing(self, probabilities: np.ndarray) -> tuple[str, ...]:
        """Return what a text does not say that is too vague to code; empty where it is not.

        It is where not even a sector is probable.
        """
        if np.bincount(self._sector, probabilities).max() >= self.settings.vague_sector:
            return ()
        mass: dict[Role, float] = {}
        for role, p in zip(self.roles, probabilities.tolist(), strict=True):
            mass[role] = mass.get(role, 0.0) + p
        first = sorted(ROLES, key=lambda role: -mass.get(role, 0.0))[:FEW]
        told = '; or '.join(role.text[:1].lower() + role.text[1:] for role in first)
        return (
            f'what the business does: whether {told}',
            'which goods or services it does this with',
        )

    def _drawn(self, likely: list[int], p: np.ndarray) -> Iterator[Question]:
        yield from self._by_role(likely, p)
        for split in SPLITS:
            groups: dict[int, list[int]] = {}
            for i in likely:
                option = split.option_of(self.leaves[i], self.titles[i])
                if option is not None:
                    groups.setdefault(option, []).append(i)
            if len(groups) > 1 and len(groups) <= self.settings.most_options:
                options = [
                    Option(split.options[at][0], tuple(self.leaves[i] for i in groups[at]))
                    for at in sorted(groups)
                ]
                yield self._made(split.kind, split.prompt, options, p)
        yield from self._by_reference(likely, p)

    def _by_role(self, likely: list[int], p: np.ndarray) -> Iterator[Question]:
        found = list(dict.fromkeys(self.roles[i] for i in likely))[: self.settings.most_options]
        if len(found) < 2:
            return
        options = []
        for role in found:
            codes = [self.leaves[i] for i in likely if self.roles[i] is role]
            options.append(Option(role.text, tuple(codes)))
        yield self._made(ROLE, ROLE_PROMPT, options, p)

    def _by_reference(self, likely: list[int], p: np.ndarray) -> Iterator[Question]:
        for source in likely[:FEW]:
            for target in likely[:FEW]:
                phrase = self._phrase(source, target)
                if phrase is not None:
                    yes = Option(YES, (self.leaves[target],))
                    yield self._made(REFERENCE, REFERENCE_PROMPT.format(phrase), [yes], p, NO)

    def _phrase(self, source: int, target: int) -> str | None:
        code = self.leaves[target]
        if source == target:
            return None
        keys = [(self.leaves[source], code[:digits]) for digits in (6, 5)]
        # A code above the target stands for it only if it is the only one below.
        return next(
            (
                self._phrases[key]
                for key in keys
                if key in self._phrases and (len(key[1]) == 6 or len(self._below(key[1])) == 1)
            ),
            None,
        )

    def _by_words(self, likely: list[int], p: np.ndarray) -> Question:
        options = [Option(self.titles[i], (self.leaves[i],)) for i in likely]
        prompt = PAIR_PROMPT if len(options) == 2 else WORDS_PROMPT
        return self._made(WORDS, prompt, options, p)

    def _with_examples(self, question: Question, embedding: np.ndarray) -> Question:
        columns = [self._column[option.codes[0]] for option in question.options if option.codes]
        texts = []
        for column in columns:
            others = [other for other in columns if other != column]
            shown = examples(
                self.known,
                column,
                others,
                embedding,
                self.titles[column],
                self.settings.examples,
            )
            texts.append(option_text(self.titles[column], shown, self.settings.most_words))
        named = [
            Option(text, (self.leaves[column],))
            for text, column in zip(texts, columns, strict=True)
        ]
        rest = question.options[len(named) :]
        return Question(question.kind, question.prompt, (*named, *rest), question.gain)

    def _made(
        self, kind: str, prompt: str, options: list[Option], p: np.ndarray, rest: str = NONE
    ) -> Question:
        every = (*options, Option(rest, rest=True), Option(UNKNOWN))
        outside = np.ones(len(p), dtype=bool)
        expected = 0.0
        for option in options:
            inside = members(option.codes, self.leaves)
            outside &= ~inside
            expected += float(p[inside].max(initial=0.0))
        expected += float(p[outside].max(initial=0.0))
        return Question(kind, prompt, every, expected - float(p.max()))

    def _below(self, code: str) -> list[int]:
        return np.flatnonzero(members((code,), self.leaves)).tolist()
