"""Sampling of triplets by the structure of the tree, one anchor at a time.

Positives come from rings around the anchor: one from each distance 1, 2, 3 … in turn, so that a
parent is not outnumbered by forty cousins. Negatives come from four kinds, by the levels up from
the anchor and down to the negative:

- *sibling*: another child of the same parent (1 up, 1 down);
- *cousin*: a nephew, aunt or cousin (at most 2 up and 2 down);
- *same sector*: anything else of the sector;
- *other sector*: the rest.

Inside a kind, near codes are drawn more often: with probability proportional to D*^(−exponent),
without replacement, by exponential keys (Efraimidis and Spirakis 2006).
"""

from dataclasses import dataclass, fields

import numpy as np

from naics_embed.errors import ConfigError
from naics_embed.supervision.relations import UNRELATED_OFFSET, relation_ids, relation_steps
from naics_embed.taxonomy import Taxonomy

NEGATIVE_KINDS = ('sibling', 'cousin', 'same sector', 'other sector')
"""Kinds of negatives, the hardest first."""

_NO_KIND = len(NEGATIVE_KINDS)


@dataclass(frozen=True)
class TripletSettings:
    """How triplets are sampled.

    Attributes:
        positives: positives drawn for each anchor, at most.
        siblings: negatives of kind *sibling* for each positive, at most.
        cousins: negatives of kind *cousin* for each positive, at most.
        same_sector: negatives of kind *same sector* for each positive, at most.
        other_sector: negatives of kind *other sector* for each positive, at most.
        margin_scale: margin for each step by which the negative is farther than the positive.
        margin_max: largest margin.
        positive_distance: largest D* of a positive, which always shares the anchor's sector.
        distance_exponent: inside a kind, a negative is drawn in proportion to D*^(−exponent).
        seed: seed of every draw.
        group_rows: triplets in one row group of the files, which bounds the memory.
    """

    positives: int
    siblings: int
    cousins: int
    same_sector: int
    other_sector: int
    margin_scale: float
    margin_max: float
    positive_distance: int = 4
    distance_exponent: float = 1.0
    seed: int = 0
    group_rows: int = 16384

    def __post_init__(self) -> None:
        for name in ('positives', 'positive_distance', 'group_rows'):
            if getattr(self, name) < 1:
                raise ConfigError(f'triplets.{name} must be at least 1, not {getattr(self, name)}')
        for name in ('siblings', 'cousins', 'same_sector', 'other_sector', 'seed'):
            if getattr(self, name) < 0:
                raise ConfigError(f'triplets.{name} must not be negative: {getattr(self, name)}')
        if not any(self.negatives):
            raise ConfigError(
                'triplets: siblings, cousins, same_sector and other_sector are all 0, '
                'so no triplet has a negative; raise one of them'
            )
        if not 0 < self.margin_scale < np.inf or not 0 < self.margin_max < np.inf:
            raise ConfigError(
                'triplets.margin_scale and triplets.margin_max must be positive, '
                f'not {self.margin_scale} and {self.margin_max}'
            )
        if not 0 <= self.distance_exponent < np.inf:
            raise ConfigError(
                f'triplets.distance_exponent must be at least 0, not {self.distance_exponent}'
            )

    @property
    def negatives(self) -> tuple[int, ...]:
        """Negatives a positive by kind, in the order of `NEGATIVE_KINDS`."""
        return self.siblings, self.cousins, self.same_sector, self.other_sector

    def margin(self, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        """Return min(margin_scale · (D*ₙ − D*ₚ), margin_max) as float32; > 0 where D*ₙ > D*ₚ."""
        steps = negative.astype(np.float32) - positive.astype(np.float32)
        return np.minimum(
            np.float32(self.margin_scale) * steps, np.float32(self.margin_max), dtype=np.float32
        )


@dataclass(frozen=True)
class Triplets:
    """Columns of equal length ``(m,)``, one row a triplet.

    Attributes:
        anchor: int16, position of the anchor.
        positive: int16, position of the positive.
        negative: int16, position of the negative; unmarked and farther than the positive.
        distance_positive: uint8, D* of anchor and positive.
        distance_negative: uint8, D* of anchor and negative.
        margin: float32, by how much the negative should be farther.
        positive_relation: uint8, relation id of the positive to the anchor.
        negative_relation: uint8, relation id of the negative to the anchor.
        positive_mark: uint8, mark of anchor and positive (see `marks`): 1 lineal, 2 redirect.
        negative_kind: uint8, position in `NEGATIVE_KINDS`.
    """

    anchor: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    distance_positive: np.ndarray
    distance_negative: np.ndarray
    margin: np.ndarray
    positive_relation: np.ndarray
    negative_relation: np.ndarray
    positive_mark: np.ndarray
    negative_kind: np.ndarray

    def __len__(self) -> int:
        return len(self.anchor)

    def take(self, rows: np.ndarray | slice) -> 'Triplets':
        """Return the triplets at some rows."""
        return Triplets(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def empty() -> 'Triplets':
        """Return no triplets, with the column types of any other."""
        small, byte = np.empty(0, dtype=np.int16), np.empty(0, dtype=np.uint8)
        margin = np.empty(0, dtype=np.float32)
        return Triplets(small, small, small, byte, byte, margin, byte, byte, byte, byte)

    @staticmethod
    def concatenate(parts: list['Triplets']) -> 'Triplets':
        """Join non-empty lists of triplets in order."""
        return Triplets(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(Triplets)
            }
        )


def negative_kinds(relations: np.ndarray) -> np.ndarray:
    """Return the kind of negative of each relation id as uint8, 4 for lineal ones (and self)."""
    up, down = relation_steps(relations)
    near = (up <= 2) & (down <= 2)
    kinds = np.select(
        [relations >= UNRELATED_OFFSET, (up == 0) | (down == 0), (up == 1) & (down == 1), near],
        [3, _NO_KIND, 0, 1],
        default=2,
    )
    return kinds.astype(np.uint8)


def sample_anchor(
    taxonomy: Taxonomy,
    anchor: int,
    marks: np.ndarray,
    visible: np.ndarray,
    settings: TripletSettings,
) -> Triplets:
    """Draw the triplets of one anchor, the same ones whichever other anchors are drawn.

    Args:
        taxonomy: the tree.
        anchor: position of a visible code.
        marks: uint8 ``(n, n)`` from `pair_marks`; a marked pair is no negative.
        visible: bool ``(n,)``, the codes that may occur.
        settings: counts, margin and seed.

    Returns:
        Triplets sorted by kind of negative; none where no code qualifies.
    """
    rng = np.random.default_rng([settings.seed, int(taxonomy.codes[anchor])])
    everyone = np.arange(len(taxonomy))
    relation = relation_ids(taxonomy, np.full(len(taxonomy), anchor), everyone)
    distance = taxonomy.tree_distance[anchor]
    positives = _draw_positives(rng, anchor, relation, distance, visible, settings)

    kind = negative_kinds(relation)
    repelled = visible & (marks[anchor] == 0)
    drawn: list[tuple[np.ndarray, np.ndarray]] = []
    for k, count in enumerate(settings.negatives):
        pool = np.flatnonzero((kind == k) & repelled)
        if count and pool.size and positives.size:
            drawn.append(_draw_negatives(rng, positives, pool, distance, count, settings))
    empty = np.empty(0, dtype=np.intp)
    positive = np.concatenate([empty, *(p for p, _ in drawn)])
    negative = np.concatenate([empty, *(n for _, n in drawn)])
    return Triplets(
        anchor=np.full(len(positive), anchor, dtype=np.int16),
        positive=positive.astype(np.int16),
        negative=negative.astype(np.int16),
        distance_positive=distance[positive],
        distance_negative=distance[negative],
        margin=settings.margin(distance[positive], distance[negative]),
        positive_relation=relation[positive],
        negative_relation=relation[negative],
        positive_mark=marks[anchor, positive],
        negative_kind=kind[negative],
    )


def _draw_positives(
    rng: np.random.Generator,
    anchor: int,
    relation: np.ndarray,
    distance: np.ndarray,
    visible: np.ndarray,
    settings: TripletSettings,
) -> np.ndarray:
    near = visible & (relation < UNRELATED_OFFSET) & (distance <= settings.positive_distance)
    near[anchor] = False
    pool = rng.permutation(np.flatnonzero(near))
    pool = pool[np.argsort(distance[pool], kind='stable')]
    ring = distance[pool]
    turn = np.arange(len(pool)) - np.searchsorted(ring, ring)
    return pool[np.lexsort((ring, turn))[: settings.positives]]


def _draw_negatives(
    rng: np.random.Generator,
    positives: np.ndarray,
    pool: np.ndarray,
    distance: np.ndarray,
    count: int,
    settings: TripletSettings,
) -> tuple[np.ndarray, np.ndarray]:
    away = distance[pool].astype(np.float64)
    keys = rng.standard_exponential((len(positives), len(pool)))
    keys *= away**settings.distance_exponent
    keys[away[None, :] <= distance[positives][:, None]] = np.inf
    if count < len(pool):
        chosen = np.argpartition(keys, count - 1, axis=1)[:, :count]
    else:
        chosen = np.broadcast_to(np.arange(len(pool)), keys.shape)
    eligible = np.isfinite(np.take_along_axis(keys, chosen, axis=1))
    row, column = np.nonzero(eligible)
    return positives[row], pool[chosen[row, column]]
