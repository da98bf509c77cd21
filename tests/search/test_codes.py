import numpy as np
import pytest
import torch

from naics_embed.errors import CodeError, UserError
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.search.clusters import cluster_codes
from naics_embed.search.code_table import CodeTable
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope='module')
def table(encoder, tmp_path_factory) -> CodeTable:
    folder = tmp_path_factory.mktemp('codes')
    return CodeTable.load(write_tiny_bundle(folder / 'bundle', encoder, coder=True))


def test_kin(table):
    assert table.parent('111110').code == '11111'
    assert table.parent('31-33') is None
    assert [code.code for code in table.children('1111')][:2] == ['11111', '11112']
    assert table.children('111110') == []
    siblings = [code.code for code in table.siblings('31')]
    assert len(siblings) == 19
    assert '31' not in siblings
    assert {code.code for code in table.siblings('1111')} == {'1112', '1113', '1114', '1119'}
    assert table['33'].official == '31-33'


def test_similar_codes_are_the_nearest(table):
    own = table.position('722511')
    rows = table.taxonomy.at_level(6)
    far = pairwise_distance(
        table.points[own : own + 1], table.points[rows.tolist()], c=table.curvature
    )[0].numpy()
    wanted = [table.taxonomy.codes[rows[i]] for i in np.argsort(far, kind='stable')]
    found = table.similar('722511', k=7)
    assert [near.code for near in found] == [code for code in wanted if code != '722511'][:7]
    for near in found:
        other = table.position(near.code)
        assert near.tree_distance == table.taxonomy.tree_distance[own, other]
        if near.shared is not None:
            assert near.code.startswith(near.shared[:2]) or near.shared in ('31', '44', '48')


def test_similar_codes_of_another_level(table):
    assert {near.level for near in table.similar('722511', k=5, level=4)} == {4}
    assert len(table.similar('722511', k=5000, level=2)) == 20


def test_comparison(table):
    found = table.compare('111110', '111120')
    assert found.common.code == '1111'
    assert found.tree_distance == 4
    assert found.distance == pytest.approx(
        {near.code: near.distance for near in table.similar('111110', k=2000)}['111120']
    )
    assert 0 <= found.nearer < 1
    assert table.compare('111110', '722511').common is None


def test_a_code_is_nowhere_from_itself(table):
    found = table.compare('111110', 111110)
    assert found.tree_distance == 0
    assert found.distance == pytest.approx(0, abs=1e-6)
    assert found.nearer == 0
    assert found.common.code == '111110'


def test_cross_references_say_where_an_activity_belongs(table):
    [found] = table.redirections('111120')
    assert found.activity == 'Growing soybeans'
    assert [target.code for target in found.targets] == ['111110']
    assert table.redirections('111110') == []


def test_a_bundle_without_cross_references_says_so(bundle_path):
    with pytest.raises(UserError, match='no cross references'):
        CodeTable.load(bundle_path).redirections('111120')


def test_a_rollup_is_a_centroid(table):
    alone = table.rollup({'111110': 3.0})
    np.testing.assert_allclose(alone, table.tangents[table.position('111110')], atol=1e-9)
    weights = {'111110': 1.0, '722511': 2.0, '541330': 1.0}
    mean = exp0(torch.from_numpy(table.rollup(weights))[None], c=table.curvature)
    rows = [table.position(code) for code in weights]

    def cost(point):
        d = pairwise_distance(point, table.points[rows], c=table.curvature)[0].numpy()
        scale = np.sqrt(table.curvature) / 2
        return (np.array(list(weights.values())) * np.sinh(scale * d) ** 2).sum()

    least = cost(mean)
    for shift in torch.eye(mean.shape[1], dtype=torch.float64):
        assert cost(mean + 1e-3 * shift) > least
        assert cost(mean - 1e-3 * shift) > least


@pytest.mark.parametrize('weights', [{}, {'111110': 0}, {'111110': -1}, {'111110': np.nan}])
def test_weights_must_make_sense(table, weights):
    with pytest.raises(UserError, match='weights must be'):
        table.rollup(weights)


@pytest.mark.parametrize(
    ('code', 'match'),
    [
        ('511210', 'not a code of NAICS 2022; it is a code of NAICS 2017 that became 513210'),
        ('111119', 'under 11111 there are 111110'),
        ('9999', 'not a code of NAICS 2022'),
        ('farm', 'is not a NAICS code'),
    ],
)
def test_a_wrong_code_gets_help(table, code, match):
    with pytest.raises(CodeError, match=match):
        table.similar(code)


@pytest.mark.parametrize(('k', 'level'), [(0, None), (3, 7), (3, 1)])
def test_bad_arguments(table, k, level):
    with pytest.raises(UserError, match=r'k must be|there are no codes'):
        table.similar('111110', k=k, level=level)


def test_agglomerative_clusters(table):
    found = cluster_codes(table, 12, level=4, method='agglomerative')
    assert len(found) == 308
    assert sorted(found['cluster'].unique()) == list(range(12))
    firsts = found.group_by('cluster', maintain_order=True).first()['cluster'].to_list()
    assert firsts == list(range(12))
    assert found.equals(cluster_codes(table, 12, level=4, method='agglomerative'))


def test_agglomerative_clusters_of_the_sectors_are_those_of_scipy(table):
    from scipy.cluster.hierarchy import fcluster, linkage

    rows = table.taxonomy.at_level(2).tolist()
    far = pairwise_distance(table.points[rows], table.points[rows], c=table.curvature).numpy()
    condensed = far[np.triu_indices(len(rows), 1)]
    wanted = fcluster(linkage(condensed, 'average'), 5, 'maxclust')
    own = cluster_codes(table, 5, level=2, method='agglomerative')['cluster'].to_numpy()
    assert ((wanted[:, None] == wanted) == (own[:, None] == own)).all()


@pytest.mark.parametrize(
    'changes', [{'k': 0}, {'k': 21}, {'level': 7}, {'method': 'magic'}], ids=str
)
def test_clusters_that_cannot_be(table, changes):
    with pytest.raises(UserError):
        cluster_codes(table, **{'k': 3, 'level': 2, 'method': 'agglomerative'} | changes)
