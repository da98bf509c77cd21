"""The named kinship of two codes.

The kinship of b to a is fixed by two numbers: the levels *up* from a to their lowest common
ancestor, and the levels *down* from there to b. Read "b is the … of a":

====  =======================  ================  ====================  ==========================  ==========================
up    down 0                   down 1            down 2                down 3                      down 4
====  =======================  ================  ====================  ==========================  ==========================
0     self                     child             grandchild            great-grandchild            great-great-grandchild
1     parent                   sibling           nephew                grandnephew                 great-grandnephew
2     grandparent              aunt              cousin                cousin once removed         cousin twice removed
3     great-grandparent        grandaunt         cousin once removed   second cousin               second cousin once removed
4     great-great-grandparent  great-grandaunt   cousin twice removed  second cousin once removed  third cousin
====  =======================  ================  ====================  ==========================  ==========================

Codes of different sectors meet only in the virtual root and are called *unrelated*.

The id of a relation is ``5·up + down`` inside a sector, so 0 … 24, and
``25 + 5·(up − 1) + (down − 1)`` across sectors, so 25 … 49: the id alone gives the name, both
numbers and, as up + down, the tree distance.
"""  # noqa: E501

from pathlib import Path

import numpy as np
import polars as pl

from naics_embed.artifacts import atomic_file
from naics_embed.supervision.pairs import enum_column, pair_columns, unordered_pairs
from naics_embed.taxonomy import LEVELS, ROOT_LEVEL, Taxonomy

STEPS = len(LEVELS)
UNRELATED = 'unrelated'
UNRELATED_OFFSET = STEPS * STEPS

_KINSHIP = (
    ('self', 'child', 'grandchild', 'great-grandchild', 'great-great-grandchild'),
    ('parent', 'sibling', 'nephew', 'grandnephew', 'great-grandnephew'),
    ('grandparent', 'aunt', 'cousin', 'cousin once removed', 'cousin twice removed'),
    (
        'great-grandparent',
        'grandaunt',
        'cousin once removed',
        'second cousin',
        'second cousin once removed',
    ),
    (
        'great-great-grandparent',
        'great-grandaunt',
        'cousin twice removed',
        'second cousin once removed',
        'third cousin',
    ),
)
_NAMES = tuple(name for row in _KINSHIP for name in row) + (UNRELATED,) * (STEPS * STEPS)
_DISTINCT = tuple(dict.fromkeys(_NAMES))
_DISTINCT_OF_ID = np.array([_DISTINCT.index(name) for name in _NAMES], dtype=np.uint8)


def relation_names() -> tuple[str, ...]:
    """Return the name of each relation id, 50 in all; a name may have several ids."""
    return _NAMES


def relation_table() -> pl.DataFrame:
    """Return one row a relation id: ``relation_id, relation, up, down, same_sector, distance``.

    All numbers are UInt8, ``relation`` is a string, ``same_sector`` is Boolean. ``distance`` is
    D*, the edges between two codes so related, which is up + down.
    """
    ids = np.arange(len(_NAMES), dtype=np.uint8)
    up, down = relation_steps(ids)
    return pl.DataFrame(
        {
            'relation_id': ids,
            'relation': list(_NAMES),
            'up': up,
            'down': down,
            'same_sector': ids < UNRELATED_OFFSET,
            'distance': up + down,
        }
    )


def relation_steps(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels up and down, uint8 each, of relation ids of any shape."""
    across = ids >= UNRELATED_OFFSET
    inner = np.where(across, ids - UNRELATED_OFFSET, ids)
    up, down = np.divmod(inner, STEPS)
    return (up + across).astype(np.uint8), (down + across).astype(np.uint8)


def relation_ids(taxonomy: Taxonomy, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the uint8 id of what each code of ``b`` is to the code of ``a``.

    Args:
        taxonomy: the tree.
        a: integer positions of codes.
        b: integer positions of codes, of a shape that broadcasts against ``a``.
    """
    shared = taxonomy.lca_level[a, b].astype(np.int16)
    up = taxonomy.level[a] - shared
    down = taxonomy.level[b] - shared
    across = UNRELATED_OFFSET + STEPS * (up - 1) + (down - 1)
    return np.where(shared == ROOT_LEVEL, across, STEPS * up + down).astype(np.uint8)


def relations(taxonomy: Taxonomy) -> pl.DataFrame:
    """Return the kinship of every unordered pair, n(n−1)/2 rows.

    Columns: ``i`` < ``j`` (Int16, positions), ``code_i``, ``code_j`` (Enum of the codes in tree
    order), ``relation`` (Enum: code_j is the … of code_i) and ``relation_id`` (UInt8). A parent
    comes before its children, so of the lineal names only child, grandchild … occur.

    Raises:
        ValueError: there are more codes than int16 can number.
    """
    i, j = unordered_pairs(len(taxonomy))
    ids = relation_ids(taxonomy, i, j)
    return pl.DataFrame(
        [
            *pair_columns(i, j, taxonomy),
            enum_column('relation', _DISTINCT_OF_ID[ids], _DISTINCT),
            pl.Series('relation_id', ids),
        ]
    )


def write_relations(taxonomy: Taxonomy, path: Path) -> int:
    """Write `relations` as parquet, whole or not at all, and return the number of rows."""
    frame = relations(taxonomy)
    with atomic_file(path) as temporary:
        frame.write_parquet(temporary, compression='zstd')
    return frame.height
