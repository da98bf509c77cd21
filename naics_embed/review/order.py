"""The order in which people read the texts of a batch."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from naics_embed.errors import UserError
from naics_embed.search.coder import Coder

UNCERTAINTY, EXPOSURE, DISAGREEMENT = 'uncertainty', 'exposure', 'disagreement'
RANDOM, DIVERSE = 'random', 'diverse'
ORDERS = (UNCERTAINTY, EXPOSURE, DISAGREEMENT, RANDOM, DIVERSE)
"""What comes first: the least probable best code; the greatest expected loss; the text on which the
scores of the coder disagree most; any text; texts that many uncertain ones are like."""

MOST_DIVERSE = 2000
"""Texts that are chosen by what they cover; those after them come by their uncertainty."""

MOST_CHOICE, MOST_COVERED = 8000, 4000
"""Most texts among which is chosen, and whose doubt is to be covered."""

SHARPNESS = 10.0
"""Factor on the cosine in the similarity of two texts, exp(sharpness · (cosine − 1))."""


@dataclass(frozen=True)
class Waiting:
    """What is known of n texts that wait for a reader.

    Attributes:
        confidence: ``(n,)``, probability of the best code of each.
        embeddings: ``(n, width)`` unit embeddings; for the order `DIVERSE` only.
        votes: int ``(n, members)``, the code that each score of the coder finds alone; for the
            order `DISAGREEMENT` only.
        exposures: ``(n,)``, what depends on the code of each, at least 0; for the order `EXPOSURE`
            only.

    >>> import numpy as np
    >>> review_order(Waiting(np.array([0.9, 0.4, 0.7])), UNCERTAINTY).tolist()
    [1, 2, 0]
    """

    confidence: np.ndarray
    embeddings: np.ndarray | None = None
    votes: np.ndarray | None = None
    exposures: np.ndarray | None = None

    @property
    def uncertainty(self) -> np.ndarray:
        """float64 ``(n,)``: the probability that the best code is wrong."""
        return np.clip(1.0 - np.asarray(self.confidence, dtype=np.float64), 0.0, 1.0)


def waiting_texts(
    coder: Coder, texts: Sequence[str], exposures: np.ndarray | None = None
) -> Waiting:
    """Return what the orders need to know of texts.

    Args:
        coder: codes them.
        texts: n texts, each readable by the coder.
        exposures: ``(n,)``, what depends on the code of each.
    """
    confidence, embeddings, votes = [], [], []
    for scored in coder.scored(texts):
        confidence.append(scored.probabilities.max(axis=1))
        embeddings.append(scored.embeddings)
        votes.append(scored.scores.argmax(axis=1))
    if not confidence:
        return Waiting(np.empty(0), np.empty((0, 0)), np.empty((0, 0), dtype=np.int64), exposures)
    return Waiting(
        np.concatenate(confidence), np.concatenate(embeddings), np.concatenate(votes), exposures
    )


def review_order(waiting: Waiting, order: str, seed: int = 0) -> np.ndarray:
    """Return the texts in the order in which they are read, int64 ``(n,)``, a permutation.

    Args:
        waiting: what is known of them.
        order: one of `ORDERS`.
        seed: of the draws of `RANDOM` and `DIVERSE`.

    Raises:
        UserError: there is no such order, or what it needs is missing.
    """
    if order not in ORDERS:
        raise UserError(f'order must be one of {", ".join(ORDERS)}, not {order!r}')
    return _ORDERS[order](waiting, np.random.default_rng(seed))


def vote_entropy(votes: np.ndarray) -> np.ndarray:
    """Return the entropy of the votes on each text, float64 ``(n,)`` (Dagan and Engelson 1995).

    Args:
        votes: int ``(n, members)``.
    """
    if not votes.size:
        return np.zeros(len(votes))
    # A vote's share is counted at each of its voters, so the mean of −log share is the entropy.
    share = (votes[:, :, None] == votes[:, None, :]).mean(axis=2)
    entropy: np.ndarray = -np.log(share).mean(axis=1)
    return entropy


def _by_uncertainty(waiting: Waiting, _: np.random.Generator) -> np.ndarray:
    return np.argsort(-waiting.uncertainty, kind='stable')


def _by_exposure(waiting: Waiting, _: np.random.Generator) -> np.ndarray:
    exposures = _needed(waiting.exposures, EXPOSURE, 'name a column of exposures')
    return np.argsort(-exposures * waiting.uncertainty, kind='stable')


def _by_disagreement(waiting: Waiting, _: np.random.Generator) -> np.ndarray:
    votes = _needed(waiting.votes, DISAGREEMENT, 'give the votes of the scores')
    # Among texts with equal votes, the less probable first.
    return np.lexsort((-waiting.uncertainty, -np.round(vote_entropy(votes), 9)))


def _at_random(waiting: Waiting, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(len(waiting.confidence))


def _diverse(waiting: Waiting, rng: np.random.Generator) -> np.ndarray:
    """Take texts that cover the doubt of all: greedily the one that adds most to

        Σ uncertainty of a text × greatest similarity to one that is taken,

    which is facility location (Wei, Iyer and Bilmes, ICML 2015), with the uncertainty as demand. A
    text is taken for the doubtful ones that it is like, and once they are covered, another kind is.
    Where there are many texts, the sum is over some and the choice among some, drawn at random; the
    gain of a text only falls, so most need not be computed again (Minoux 1978).
    """
    points = np.asarray(
        _needed(waiting.embeddings, DIVERSE, 'give the embeddings'), dtype=np.float32
    )
    demand = waiting.uncertainty
    doubtful = rng.permutation(np.flatnonzero(demand > 0))
    choice, covered = doubtful[:MOST_CHOICE], doubtful[:MOST_COVERED]
    asked = demand[covered].astype(np.float32)
    similar = np.exp(SHARPNESS * (points[choice] @ points[covered].T - 1))
    held = np.zeros(len(covered), dtype=np.float32)
    # Negated gains, which were right when fewer texts were taken.
    queue = [(-float(gain), at) for at, gain in enumerate(similar @ asked)]
    heapq.heapify(queue)
    order: list[int] = []
    while queue and len(order) < MOST_DIVERSE:
        _, at = queue[0]
        gain = float(asked @ np.maximum(similar[at] - held, 0))
        if len(queue) > 1 and -gain > min(queue[1:3])[0]:
            heapq.heapreplace(queue, (-gain, at))
            continue
        heapq.heappop(queue)
        order.append(int(choice[at]))
        np.maximum(held, similar[at], out=held)
    drawn = np.zeros(len(demand), dtype=bool)
    drawn[order] = True
    rest = _by_uncertainty(waiting, rng)
    return np.concatenate([np.array(order, dtype=np.int64), rest[~drawn[rest]]])


def _needed(values: np.ndarray | None, order: str, remedy: str) -> np.ndarray:
    if values is None:
        raise UserError(f'the order {order} needs more than the texts: {remedy}')
    return values


_ORDERS: dict[str, Callable[[Waiting, np.random.Generator], np.ndarray]] = {
    UNCERTAINTY: _by_uncertainty,
    EXPOSURE: _by_exposure,
    DISAGREEMENT: _by_disagreement,
    RANDOM: _at_random,
    DIVERSE: _diverse,
}
