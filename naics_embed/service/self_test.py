"""A bundle answers known texts before it is used for requests."""

import math
from dataclasses import dataclass

from naics_embed.errors import UserError
from naics_embed.service.engine import Engine
from naics_embed.taxonomy import LEAF_LEVEL

CONFIDENCE = 0.8
BEFORE = 'mainly'
WHOLE = 1e-6
"""How far probabilities of all sectors may be from 1 in sum."""


class SelfTestError(UserError):
    """A bundle did not pass its test."""


@dataclass(frozen=True)
class SelfTest:
    """What a bundle answered to known texts.

    Attributes:
        texts: how many there were.
        right: how many got their own code.
    """

    texts: int
    right: int


def check_engine(engine: Engine, texts: int, accuracy: float) -> SelfTest:
    """Let a bundle answer some of its own known texts.

    Args:
        engine: the bundle.
        texts: how many.
        accuracy: least fraction of them that must get their own code.

    Raises:
        SelfTestError: too few are right, or a probability is none.
    """
    known = engine.coder.evidence
    codes = list(engine.coder.leaf_codes)
    # A text that its user keeps private is not there.
    there = [i for i, text in enumerate(known.texts) if text]
    step = max(1, len(there) // texts)
    chosen = there[::step][:texts]
    if not chosen:
        raise SelfTestError(
            f'{engine.coder.searcher.bundle.path} has no known text to be tested by'
        )
    # With a word before it: a known text word for word gets its code without the model.
    asked = [f'{BEFORE} {known.texts[i]}' for i in chosen]
    answers = engine.code(asked, 1, LEAF_LEVEL, CONFIDENCE, 0).answers
    sectors = engine.code(asked[:1], len(codes), 2, CONFIDENCE, 0).answers[0].hits
    total = sum(hit.probability for hit in sectors)
    values = [hit.probability for answer in answers for hit in (*answer.hits, *answer.path)]
    if not all(math.isfinite(p) and 0 <= p <= 1 for p in values) or abs(total - 1) > WHOLE:
        raise SelfTestError(
            f'{engine.coder.searcher.bundle.path} answers known texts with probabilities that are '
            'none; export the table again'
        )
    right = sum(
        answer.hits[0].code == codes[int(known.labels[i])]
        for i, answer in zip(chosen, answers, strict=True)
    )
    if right < accuracy * len(chosen):
        raise SelfTestError(
            f'{engine.coder.searcher.bundle.path} gives {right} of {len(chosen)} known texts their '
            f'code, fewer than {accuracy:.0%} (service.reload.self_test_accuracy)'
        )
    return SelfTest(len(chosen), right)
