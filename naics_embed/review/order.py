"""The order in which people read the texts of a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from naics_embed.errors import UserError
from naics_embed.search.coder import Coder

UNCERTAINTY, EXPOSURE, DISAGREEMENT = 'uncertainty', 'exposure', 'disagreement'
RANDOM, DIVERSE = 'random', 'diverse'
ORDERS = (UNCERTAINTY, EXPOSURE, DISAGREEMENT, RANDOM, DIVERSE)
"""What comes first: the least probable best code; the greatest expected loss; the text on which the
scores of the coder disagree most; any text; uncertain texts that are unlike each other."""

MOST_DIVERSE = 2000
"""Texts that are chosen by how unlike they are; those after them come by their uncertainty."""


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
    """Draw texts by uncertainty × squared distance to the nearest one drawn.

    These are the seeds of k-means++ (Arthur and Vassilvitskii 2007) on weighted points, as BADGE
    draws them (Ash et al., ICLR 2020), with the uncertainty in place of the length of the gradient.
    """
    points = np.asarray(
        _needed(waiting.embeddings, DIVERSE, 'give the embeddings'), dtype=np.float32
    )
    weight = waiting.uncertainty
    n = len(weight)
    far = np.ones(n)
    drawn = np.zeros(n, dtype=bool)
    order: list[int] = []
    for _ in range(min(n, MOST_DIVERSE)):
        mass = np.where(drawn, 0.0, weight * far)
        total = mass.sum()
        if not total > 0:
            break
        chosen = min(int(np.searchsorted(np.cumsum(mass), rng.random() * total, 'right')), n - 1)
        order.append(chosen)
        drawn[chosen] = True
        # Of unit vectors: half of the squared distance.
        far = np.minimum(far, np.maximum(1.0 - points @ points[chosen], 0.0))
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
