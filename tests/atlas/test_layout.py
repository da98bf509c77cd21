import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from naics_embed.atlas.layout import disk_layout, write_disk
from naics_embed.atlas.ordering import circular_order
from naics_embed.atlas.widths import polar_distance
from naics_embed.config.atlas import AtlasConfig
from naics_embed.errors import ConfigError
from naics_embed.geometry import lorentz
from naics_embed.geometry.models import from_poincare
from naics_embed.taxonomy import Taxonomy

CURVATURE = 0.7
SETTINGS = AtlasConfig(stretch=1.5, steps=6, sample=200, rate=0.1, seed=0)


def turn(points: np.ndarray) -> np.ndarray:
    return np.arctan2(points[:, 1], points[:, 0]) % (2 * math.pi)


def spans(points: np.ndarray, groups: np.ndarray) -> list[tuple[float, float]]:
    """First and last angle of each group, around the group's own mean direction."""
    found = []
    for group in np.unique(groups):
        chosen = points[groups == group]
        middle = np.angle((chosen @ [1, 1j]).sum())
        off = np.angle((chosen @ [1, 1j]) * np.exp(-1j * middle))
        found.append((middle + off.min(), middle + off.max()))
    return found


def test_radius_is_kept_up_to_the_stretch(points, tangents):
    radius = 2 * np.arctanh(np.linalg.norm(points, axis=1))
    wanted = SETTINGS.stretch * math.sqrt(CURVATURE) * np.linalg.norm(tangents, axis=1)
    np.testing.assert_allclose(radius, wanted, rtol=1e-9)


def test_equal_input_gives_equal_points(taxonomy, tangents, points):
    again = disk_layout(taxonomy, tangents.copy(), curvature=CURVATURE, settings=SETTINGS)
    np.testing.assert_array_equal(again, points)


@pytest.mark.parametrize('column', [0, 1, 2, 3])
def test_subtrees_own_disjoint_sectors_of_the_circle(taxonomy, points, column):
    below = taxonomy.ancestors[:, column] >= 0
    found = spans(points[below], taxonomy.ancestors[below, column])
    edges = np.array(sorted((start % (2 * math.pi), end - start) for start, end in found))
    gaps = np.diff(edges[:, 0], append=edges[0, 0] + 2 * math.pi) - edges[:, 1]
    assert (gaps > 0).all()


def test_the_fit_brings_distances_nearer_to_the_table(taxonomy, tangents, points):
    space = lorentz.exp0(torch.from_numpy(tangents), c=CURVATURE)
    wanted = lorentz.pairwise_distance(space, space, c=CURVATURE)
    stress = []
    even = replace(SETTINGS, steps=0)
    unfitted = disk_layout(taxonomy, tangents, curvature=CURVATURE, settings=even)
    for disk in (unfitted, points):
        plane = from_poincare(torch.from_numpy(disk), c=1.0)
        found = lorentz.pairwise_distance(plane, plane, c=1.0)
        scale = SETTINGS.stretch * math.sqrt(CURVATURE)
        stress.append(float((found - scale * wanted).square().mean()))
    assert stress[1] < 0.98 * stress[0]


def test_polar_distance_is_that_of_the_lorentz_model():
    r, a = torch.rand(2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5
    points = lorentz.exp0(torch.stack([r * a.cos(), r * a.sin()], dim=1), c=1.0)
    wanted = lorentz.pairwise_distance(points, points, c=1.0)
    found = polar_distance(r[:, None], a[:, None], r, a)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-9)


def test_sectors_far_apart_in_the_table_stand_opposite():
    codes = ['11', '21', '22', '23', '31', '42', '44', '48']
    taxonomy = Taxonomy([code + '1' * depth for code in codes for depth in (0, 1, 2)])
    around = np.random.default_rng(3).permutation(8) * (2 * math.pi / 8)
    turned = around[np.searchsorted(codes, [code[:2] for code in taxonomy.codes])]
    where = np.stack([np.cos(turned), np.sin(turned)], axis=1)
    sectors = [node for node in circular_order(taxonomy, _metric(where)) if node in taxonomy.sector]
    steps = np.diff(turned[sectors], append=turned[sectors[0]]) % (2 * math.pi)
    assert np.allclose(steps, steps[0])
    assert np.isclose(steps[0] % math.pi, math.pi / 4) or np.isclose(steps[0], 7 * math.pi / 4)


def test_every_leaf_has_a_direction_of_its_own(taxonomy, points):
    angles = np.sort(turn(points[taxonomy.leaves]))
    assert np.diff(angles).min() > 1e-4


def test_order_is_depth_first(taxonomy):
    some = ('11', '22', '23', '51', '54')
    taxonomy = Taxonomy(code for code in taxonomy.codes if code[:2] in some)
    rng = np.random.default_rng(0)
    order = circular_order(taxonomy, _metric(rng.normal(size=(len(taxonomy), 3))))
    assert sorted(order) == list(range(len(taxonomy)))
    place = np.argsort(order)
    for node, children in enumerate(taxonomy.children):
        if children:
            assert place[node] < place[list(children)].min()
    for column in range(5):
        chain = taxonomy.ancestors[order, column]
        changes = np.flatnonzero(np.diff(chain))
        assert len(changes) <= 2 * len(np.unique(chain[chain >= 0]))


def test_siblings_on_a_line_are_put_in_its_order():
    codes = ['11', *(f'11{digit}' for digit in range(1, 10)), '21', '22', '23', '31']
    taxonomy = Taxonomy(codes)
    where = np.zeros((len(taxonomy), 2))
    shuffled = np.random.default_rng(1).permutation(9)
    for code, place in zip(codes[1:10], shuffled, strict=True):
        where[taxonomy.index(code)] = [0.5, 0.1 * place]
    where[taxonomy.indices(['11', '21', '22', '23', '31'])] = [
        [0.5, 0.4],
        [0, 1],
        [-1, 0],
        [-0.5, -0.5],
        [0, -1],
    ]
    order = circular_order(taxonomy, _metric(where))
    children = [node for node in order if taxonomy.level[node] == 3]
    heights = [where[node, 1] for node in children]
    assert heights in (sorted(heights), sorted(heights)[::-1])


def test_a_tree_of_one_code():
    taxonomy = Taxonomy(['11'])
    points = disk_layout(taxonomy, np.array([[0.3, 0.4]]), curvature=1.0, settings=SETTINGS)
    np.testing.assert_allclose(np.linalg.norm(points), math.tanh(0.5 * SETTINGS.stretch / 2))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'tangents': np.zeros((3, 2))}, 'one row a code'),
        ({'tangents': np.full((2, 2), np.nan)}, 'NaN'),
    ],
)
def test_bad_input_is_named(change, message):
    given = {'tangents': np.zeros((2, 2)), 'curvature': 1.0, 'settings': SETTINGS} | change
    with pytest.raises(ConfigError, match=message):
        disk_layout(Taxonomy(['11', '111']), **given)


def test_the_file_holds_code_and_point(tmp_path, taxonomy, points):
    write_disk(tmp_path / 'disk.parquet', list(taxonomy.codes), points)
    frame = pl.read_parquet(tmp_path / 'disk.parquet')
    assert frame.schema == {'code': pl.String, 'x': pl.Float64, 'y': pl.Float64}
    assert frame['code'].to_list() == list(taxonomy.codes)
    np.testing.assert_array_equal(frame.select('x', 'y').to_numpy(), points)


def _metric(where: np.ndarray) -> np.ndarray:
    return np.linalg.norm(where[:, None] - where[None], axis=-1)
