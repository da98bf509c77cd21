"""Checks of the ground truth, one by one.

The tree metric is computed again from the code strings alone, so that an error in the taxonomy
would not hide itself.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from naics_embed.audit.data_files import DataFiles
from naics_embed.census.normalise import normalise
from naics_embed.supervision.relations import relation_steps
from naics_embed.taxonomy import LEVELS, Taxonomy, canonical_code

SHOWN = 3


@dataclass(frozen=True)
class DataCheck:
    """A check of the data and its result.

    Attributes:
        name: the fault.
        found: number of cases.
        of: number of rows checked.
        wrong: whether a single case makes the ground truth wrong; other checks only inform.
        examples: the first cases.
    """

    name: str
    found: int
    of: int
    wrong: bool
    examples: list[str] = field(default_factory=list)


def data_checks(files: DataFiles, taxonomy: Taxonomy, *, sample: int, seed: int) -> list[DataCheck]:
    """Look for errors and surprises.

    Args:
        files: files of the data stages.
        taxonomy: the tree of its codes.
        sample: quadruples drawn for the four-point condition.
        seed: seed of the draw.
    """
    return [
        _wrong_distances(files.distances, taxonomy),
        _wrong_relations(files),
        _four_points(files.distances, len(taxonomy), sample, seed),
        _orphans(files.codebook),
        *_bad_triplets(files, taxonomy),
        *_shared_titles(files.codebook, taxonomy),
        *_labels(files.queries),
        _unlabelled(files),
        *_redirections(files.redirections),
    ]


def distances_from_strings(codes: tuple[str, ...], i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the edges between codes, int64 like ``i``, by the digits that they share.

    Args:
        codes: canonical codes.
        i: positions.
        j: positions.
    """
    length = np.array([len(code) for code in codes])
    shared = np.zeros(len(i), dtype=np.int64)
    for level in LEVELS:
        starts = [code[:level] if len(code) >= level else f'{code}!' for code in codes]
        if level == LEVELS[0]:
            starts = [canonical_code(start) for start in starts]
        ids = np.unique(starts, return_inverse=True)[1]
        deep = length >= level
        shared += (ids[i] == ids[j]) & deep[i] & deep[j]
    depth = length - LEVELS[0] + 1
    return depth[i] + depth[j] - 2 * shared


def _pairs(frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return frame['i'].to_numpy().astype(np.int64), frame['j'].to_numpy().astype(np.int64)


def _wrong_distances(distances: pl.DataFrame, taxonomy: Taxonomy) -> DataCheck:
    i, j = _pairs(distances)
    stored = distances['distance'].to_numpy().astype(np.int64)
    counted = distances_from_strings(taxonomy.codes, i, j)
    wrong = np.flatnonzero(stored != counted)
    examples = [
        f'{taxonomy.codes[i[row]]} and {taxonomy.codes[j[row]]}: {stored[row]}, not {counted[row]}'
        for row in wrong[:SHOWN]
    ]
    expected = len(taxonomy) * (len(taxonomy) - 1) // 2
    missing = expected - len(distances)
    if missing:
        examples.append(f'{missing:,} of {expected:,} pairs are missing')
    return DataCheck(
        'distance differs from the edges counted in the code strings',
        len(wrong) + abs(missing),
        expected,
        True,
        examples,
    )


def _wrong_relations(files: DataFiles) -> DataCheck:
    both = files.relations.join(files.distances, on=['i', 'j'], how='left')
    up, down = relation_steps(both['relation_id'].to_numpy())
    edges = both['distance'].fill_null(0).to_numpy().astype(np.int64)
    wrong = np.flatnonzero(up.astype(np.int64) + down != edges)
    examples = [
        f'{both["code_i"][row]} and {both["code_j"][row]}: {both["relation"][row]} at {edges[row]}'
        for row in wrong[:SHOWN].tolist()
    ]
    return DataCheck('relation does not fit the distance', len(wrong), len(both), True, examples)


def _four_points(distances: pl.DataFrame, codes: int, sample: int, seed: int) -> DataCheck:
    """Test the four-point condition (Buneman 1974): of three sums the two greatest are equal."""
    square = np.zeros((codes, codes), dtype=np.int16)
    i, j = _pairs(distances)
    square[i, j] = square[j, i] = distances['distance'].to_numpy()
    a, b, c, d = np.random.default_rng(seed).integers(0, codes, (4, sample))
    sums = np.stack(
        [
            square[a, b] + square[c, d],
            square[a, c] + square[b, d],
            square[a, d] + square[b, c],
        ]
    )
    sums.sort(axis=0)
    wrong = int((sums[2] != sums[1]).sum())
    return DataCheck('four codes whose distances fit no tree', wrong, sample, True)


def _orphans(codebook: pl.DataFrame) -> DataCheck:
    codes = set(codebook['code'])
    lost = codebook.filter(pl.col('parent').is_not_null() & ~pl.col('parent').is_in(list(codes)))
    examples = lost['code'].head(SHOWN).to_list()
    return DataCheck(
        'code whose parent is not in the table', len(lost), len(codebook), True, examples
    )


def _bad_triplets(files: DataFiles, taxonomy: Taxonomy) -> list[DataCheck]:
    triplets = files.triplets
    positions = [triplets[name].to_numpy() for name in ('anchor', 'positive', 'negative')]
    anchor, positive, negative = positions
    tree = taxonomy.tree_distance
    near, far = tree[anchor, positive], tree[anchor, negative]
    stored_near = triplets['distance_positive'].to_numpy()
    stored_far = triplets['distance_negative'].to_numpy()
    hidden = set(files.holdout.filter(pl.col('split') != 'supervised')['code'])
    is_hidden = np.array([code in hidden for code in taxonomy.codes])
    seen = is_hidden[np.stack(positions)].any(axis=0)
    many = len(triplets)

    def case(name: str, rows: np.ndarray) -> DataCheck:
        examples = [
            ' '.join(taxonomy.codes[column[row]] for column in positions)
            for row in np.flatnonzero(rows)[:SHOWN]
        ]
        return DataCheck(name, int(rows.sum()), many, True, examples)

    return [
        case('triplet whose negative is not farther than its positive', far <= near),
        case(
            'triplet with a distance that the tree does not have',
            (stored_near != near) | (stored_far != far),
        ),
        case('triplet with a code whose place is hidden from training', seen),
    ]


def _shared_titles(codebook: pl.DataFrame, taxonomy: Taxonomy) -> list[DataCheck]:
    """Only children often have their parent's title; unlike codes should not share one."""
    lineal, unlike = [], []
    groups = codebook.group_by(pl.col('title').str.to_lowercase()).agg(pl.col('code').sort())
    for title, codes in groups.sort('title').iter_rows():
        if len(codes) < 2:
            continue
        deepest = max(codes, key=len)
        if all(code == deepest or _is_ancestor(code, deepest, taxonomy) for code in codes):
            lineal.append(title)
        else:
            unlike.append(f'{title}: {", ".join(codes)}')
    many = len(codebook)
    return [
        DataCheck(
            'title shared by codes that are no ancestors of each other',
            len(unlike),
            many,
            False,
            unlike[:SHOWN],
        ),
        DataCheck(
            'title shared along one line of descent', len(lineal), many, False, lineal[:SHOWN]
        ),
    ]


def _is_ancestor(code: str, below: str, taxonomy: Taxonomy) -> bool:
    edges = int(taxonomy.tree_distance[taxonomy.index(code), taxonomy.index(below)])
    return edges == len(below) - len(code)


def _labels(queries: pl.DataFrame) -> list[DataCheck]:
    leaves = queries.filter(pl.col('code').str.len_chars() == LEVELS[-1]).with_columns(
        plain=pl.col('text').map_elements(normalise, return_dtype=pl.String)
    )
    by_text = leaves.group_by('plain').agg(
        codes=pl.col('code').unique().sort(), splits=pl.col('split').unique().sort()
    )
    torn = by_text.filter(pl.col('codes').list.len() > 1).sort('plain')
    leaking = by_text.filter(
        pl.col('splits').list.contains('train') & pl.col('splits').list.contains('test')
    ).sort('plain')
    return [
        DataCheck(
            'text with several six-digit codes',
            len(torn),
            len(by_text),
            False,
            [f'{text}: {", ".join(codes)}' for text, codes, _ in torn.head(SHOWN).iter_rows()],
        ),
        DataCheck(
            'text of the test split that is a training text too',
            len(leaking),
            len(by_text),
            True,
            leaking['plain'].head(SHOWN).to_list(),
        ),
    ]


def _unlabelled(files: DataFiles) -> DataCheck:
    leaves = files.codebook.filter(pl.col('level') == LEVELS[-1])['code']
    taught = set(files.queries.filter(pl.col('split') == 'train')['code'])
    hidden = set(files.holdout.filter(pl.col('split') != 'supervised')['code'])
    without = [code for code in leaves if code not in taught and code not in hidden]
    return DataCheck(
        'six-digit code without a training text', len(without), len(leaves), False, without[:SHOWN]
    )


def _redirections(redirections: pl.DataFrame) -> list[DataCheck]:
    if redirections.is_empty():
        return []
    many = len(redirections)

    def case(name: str, rows: pl.DataFrame) -> DataCheck:
        return DataCheck(name, len(rows), many, False, rows['code'].head(SHOWN).to_list())

    return [
        case('cross reference to the code itself', redirections.filter(pl.col('same_code'))),
        case('cross reference along one line of descent', redirections.filter(pl.col('lineal'))),
        case(
            'cross reference that names no code',
            redirections.filter(pl.col('targets').list.len() == 0),
        ),
    ]
