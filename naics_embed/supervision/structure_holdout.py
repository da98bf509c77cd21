"""Leaf codes hidden from every loss, to measure how well text alone embeds them."""

import logging
from collections import Counter

import polars as pl

from naics_embed.census.normalise import unit_hash
from naics_embed.taxonomy import LEVELS, Taxonomy

log = logging.getLogger(__name__)

SUPERVISED, VALIDATION, TEST = 'supervised', 'validation', 'test'
HOLDOUT_SCHEMA = pl.Schema({'code': pl.String(), 'split': pl.String()})


def structure_holdout(taxonomy: Taxonomy, *, fraction: float, seed: int) -> pl.DataFrame:
    """Hide whole single-child chains that end in a six-digit leaf.

    A code and its only child are the same industry, so a chain is hidden whole or not at all.
    Every parent of a hidden chain keeps a supervised child, and no sector is hidden. Chains are
    taken in the order of a hash of seed and code, alternately for validation and test.

    Args:
        taxonomy: the codes.
        fraction: fraction of all leaves to hide, in [0, 1); half for validation, half for test.
        seed: seed of the draw.

    Returns:
        `HOLDOUT_SCHEMA`: every code, in order, with its split (supervised, validation or test).
        Fewer leaves are hidden, with a warning, where the tree does not allow the fraction.

    Raises:
        ValueError: ``fraction`` is out of range.
    """
    if not 0 <= fraction < 1:
        raise ValueError(f'fraction must lie in [0, 1), not {fraction}')
    tops = [
        int(taxonomy.chain[leaf])
        for leaf in taxonomy.leaves
        if taxonomy.level[leaf] == LEVELS[-1] and taxonomy.parent[taxonomy.chain[leaf]] >= 0
    ]
    tops.sort(key=lambda top: (unit_hash(str(seed), taxonomy.codes[top]), top))
    count = round(fraction * len(taxonomy.leaves))
    left = Counter(int(parent) for parent in taxonomy.parent if parent >= 0)
    split_of: dict[int, str] = {}
    for top in tops:
        parent = int(taxonomy.parent[top])
        if len(split_of) < count and left[parent] > 1:
            left[parent] -= 1
            split_of[top] = TEST if len(split_of) % 2 else VALIDATION
    if len(split_of) < count:
        log.warning(
            'only %d of %d leaves can be hidden without emptying a parent', len(split_of), count
        )
    splits = [split_of.get(int(top), SUPERVISED) for top in taxonomy.chain]
    return pl.DataFrame({'code': taxonomy.codes, 'split': splits}, schema=HOLDOUT_SCHEMA)
