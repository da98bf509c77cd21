"""The roles of a user's labelled texts: training, validation or test query, drawn by group."""

from collections.abc import Mapping, Sequence

import numpy as np

from naics_embed.census.normalise import normalise, unit_hash
from naics_embed.supervision.leakage import find_matches

TRAIN, VALIDATION, TEST = 'train', 'validation', 'test'
LEFT_OUT = 'left out'
ROUNDS = 20


def labelled_roles(
    texts: Sequence[str],
    groups: np.ndarray,
    training: Sequence[str],
    held_out: Sequence[str],
    *,
    fractions: Mapping[str, float],
    seed: int,
    jaccard: float,
) -> list[str]:
    """Return the role of each text.

    Groups are drawn whole, by a hash of seed and text, so that the order of rows does not matter. A
    group with a text that matches a training text (see `leakage`) is never held out.

    Args:
        texts: n texts.
        groups: int ``(n,)``, group of each: of one firm, or duplicates.
        training: everything else that training may see, all index entries among it.
        held_out: validation and test queries of the project; an equal text is left out.
        fractions: of ``validation`` and ``test``; the others are training queries.
        seed: of the draw.
        jaccard: trigram similarity from which two texts count as the same.

    Returns:
        ``train``, ``validation``, ``test`` or ``left out``.
    """
    normal = [normalise(text) for text in texts]
    taken = {normalise(text) for text in held_out}
    first: dict[int, str] = {}
    for group, text in zip(groups.tolist(), normal, strict=True):
        first[group] = min(text, first.get(group, text))
    role_of = {group: _drawn(text, fractions, seed) for group, text in first.items()}
    role = np.array([role_of[group] for group in groups.tolist()], dtype=object)
    others = list(training)
    for _ in range(ROUNDS):
        held = np.flatnonzero(role != TRAIN)
        own = [texts[row] for row in np.flatnonzero(role == TRAIN).tolist()]
        leaking = find_matches([texts[row] for row in held.tolist()], [*others, *own], jaccard)
        if not leaking.any():
            break
        role[np.isin(groups, groups[held[leaking]])] = TRAIN
    else:
        role[:] = TRAIN
    return [
        LEFT_OUT if own == TRAIN and text in taken else own
        for own, text in zip(role.tolist(), normal, strict=True)
    ]


def _drawn(text: str, fractions: Mapping[str, float], seed: int) -> str:
    at = unit_hash(str(seed), 'labelled', text)
    if at < fractions[TEST]:
        return TEST
    return VALIDATION if at < fractions[TEST] + fractions[VALIDATION] else TRAIN
