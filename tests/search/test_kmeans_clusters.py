import pytest

from naics_embed.search.clusters import cluster_codes
from naics_embed.search.code_table import CodeTable
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='module')
def table(tmp_path_factory) -> CodeTable:
    folder = tmp_path_factory.mktemp('kmeans')
    encoder = write_tiny_encoder(folder / 'encoder')
    return CodeTable.load(write_tiny_bundle(folder / 'bundle', encoder))


def test_kmeans_gives_the_clusters_asked_for(table):
    found = cluster_codes(table, 6, level=3, seed=1)
    assert len(found) == 96
    assert sorted(found['cluster'].unique()) == list(range(6))
    assert found.equals(cluster_codes(table, 6, level=3, seed=1))


def test_one_cluster_and_as_many_as_codes(table):
    assert cluster_codes(table, 1, level=2)['cluster'].unique().to_list() == [0]
    assert cluster_codes(table, 20, level=2)['cluster'].n_unique() == 20
