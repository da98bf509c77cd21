"""The page's arithmetic against the Lorentz model of the library."""

import numpy as np
import pytest
import torch

from naics_embed.geometry import lorentz
from naics_embed.geometry.models import boost, from_poincare, to_poincare

SCRIPT = 'hyperbolic.js'
COUNT = 60


def at(radius: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Lorentz points of the plane."""
    heading = torch.stack([angle.cos(), angle.sin()], dim=-1)
    return lorentz.exp0(radius[..., None] * heading, c=1.0)


@pytest.fixture(scope='module')
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Lorentz points, some near the centre and some near the rim."""
    draws = torch.rand(4, COUNT, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return at(8 * draws[0], 6.28 * draws[1]), at(8 * draws[2], 6.28 * draws[3])


@pytest.fixture(scope='module')
def disks(pairs) -> list[list[list[float]]]:
    return [to_poincare(points, c=1.0).tolist() for points in pairs]


def test_distance_is_that_of_the_lorentz_model(node, pairs, disks):
    found = node(SCRIPT, 'return given[0].map((p, i) => script.distance(p, given[1][i]))', disks)
    np.testing.assert_allclose(found, lorentz.distance(*pairs, c=1.0), rtol=1e-9, atol=1e-9)


def test_moving_the_centre_is_the_lorentz_boost(node, pairs, disks):
    body = 'return given[0].map((p, i) => script.apply(script.fromCentre(p), given[1][i]))'
    moved = boost(pairs[1], lorentz.log0(pairs[0], c=1.0), c=1.0)
    np.testing.assert_allclose(
        node(SCRIPT, body, disks), to_poincare(moved, c=1.0), rtol=1e-9, atol=1e-9
    )


def test_a_translation_takes_one_point_to_the_other_along_their_geodesic(node, pairs, disks):
    body = """return given[0].map((p, i) => {
      const move = script.translation(p, given[1][i]);
      return [script.apply(move, p), script.apply(move, given[1][i])];
    })"""
    found = torch.tensor(node(SCRIPT, body, disks), dtype=torch.float64)
    np.testing.assert_allclose(found[:, 0], disks[1], atol=1e-8)
    beyond = lorentz.geodesic(*pairs, torch.tensor(2.0, dtype=torch.float64), c=1.0)
    np.testing.assert_allclose(found[:, 1], to_poincare(beyond, c=1.0), atol=1e-7)


def test_part_of_the_way_is_on_the_geodesic(node, pairs, disks):
    body = 'return given.map((p) => [0, 0.3, 1].map((t) => script.partWay(p, t)))'
    found = np.array(node(SCRIPT, body, disks[0]))
    centre = torch.zeros_like(pairs[0])
    for column, t in enumerate((0.0, 0.3, 1.0)):
        wanted = lorentz.geodesic(centre, pairs[0], t, c=1.0)
        np.testing.assert_allclose(found[:, column], to_poincare(wanted, c=1.0), atol=1e-9)


def test_motions_form_a_group(node, disks):
    body = """return given[0].map((p, i) => {
      const m = script.compose(script.rotation(i), script.fromCentre(given[1][i]));
      const n = script.fromCentre(given[1][(i + 7) % given[1].length]);
      const there = script.apply(script.compose(m, n), p);
      return [p, script.apply(script.compose(m, script.inverse(m)), p), there,
        script.apply(m, script.apply(n, p))];
    })"""
    found = np.array(node(SCRIPT, body, disks))
    np.testing.assert_allclose(found[:, 1], found[:, 0], atol=1e-9)
    np.testing.assert_allclose(found[:, 2], found[:, 3], atol=1e-7)


def test_a_long_walk_stays_an_isometry(node, disks):
    body = """let m = script.identity();
      const small = given[0].map(([x, y]) => [x / 3, y / 3]);
      for (let i = 0; i < 20000; i++) {
        m = script.compose(script.translation(small[i % 60], small[(i * 7 + 3) % 60]), m);
        m = script.bounded(m, 12);
      }
      const [p, q] = [[0.3, -0.2], [-0.5, 0.4]];
      return [Math.hypot(m[0], m[1]) ** 2 - Math.hypot(m[2], m[3]) ** 2,
        script.distance(script.apply(m, p), script.apply(m, q)), script.distance(p, q)]"""
    unit, after, before = node(SCRIPT, body, disks)
    assert unit == pytest.approx(1, abs=1e-6)
    assert after == pytest.approx(before, abs=1e-5)


def test_a_motion_that_leads_too_far_stops_at_the_limit(node):
    body = """return [3, 20].map((r) => {
      const far = script.compose(script.rotation(1), script.fromCentre([Math.tanh(r / 2), 0]));
      const kept = script.bounded(far, 12);
      const { centre, angle } = script.decomposed(kept);
      return [script.radius(centre), ...centre, angle];
    })"""
    near, far = np.array(node(SCRIPT, body))
    np.testing.assert_allclose(near, [3, -np.tanh(1.5), 0, 1], atol=1e-9)
    np.testing.assert_allclose(far, [12, -1, 0, 1], atol=2e-5)


def test_far_points_keep_their_distance_from_the_rim(node):
    """Points at radius 30 lie within 4e-13 of the rim, where a disk coordinate has no digits."""
    radius, angle = torch.linspace(0, 30, 40).double(), torch.linspace(0, 6, 40).double()
    body = """const out = new Float64Array(3 * given.radius.length);
      const move = script.compose(script.rotation(1.1), script.fromCentre([-0.9, 0.3]));
      script.applyToAll(move, script.spinors(given.radius, given.angle), out);
      return out"""
    given = {'radius': radius.tolist(), 'angle': angle.tolist()}
    found = np.array(node(SCRIPT, body, given)).reshape(-1, 3)
    start = torch.tensor([-0.9, 0.3], dtype=torch.float64)
    rapidity = lorentz.log0(from_poincare(start, c=1.0), c=1.0)
    moved = boost(at(radius, angle), rapidity, c=1.0)
    far = lorentz.radius(moved, c=1.0)
    np.testing.assert_allclose(found[:, 2], 1 / np.cosh(far / 2) ** 2, rtol=1e-6)
    turned = to_poincare(moved, c=1.0).numpy() @ [1, 1j] * np.exp(1.1j)
    np.testing.assert_allclose(found[:, :2] @ [1, 1j], turned, atol=1e-9)


def test_many_points_move_as_one_does(node, disks):
    body = """const move = script.compose(script.rotation(0.4), script.fromCentre(given[1][3]));
      const radii = given[0].map(script.radius);
      const angles = given[0].map(([x, y]) => Math.atan2(y, x));
      const out = new Float64Array(3 * radii.length);
      script.applyToAll(move, script.spinors(radii, angles), out);
      return given[0].map((p, i) => [...script.apply(move, p), out[3 * i], out[3 * i + 1]])"""
    found = np.array(node(SCRIPT, body, disks))
    np.testing.assert_allclose(found[:, :2], found[:, 2:], atol=1e-9)


def test_an_arc_is_the_geodesic(node, pairs, disks):
    body = """return given[0].map(([x, y], i) => script.arc(x, y, ...given[1][i], 0))"""
    middle = to_poincare(lorentz.geodesic(*pairs, 0.5, c=1.0), c=1.0).numpy()
    arcs = node(SCRIPT, body, disks)
    for found, point, start in zip(arcs, middle, disks[0], strict=True):
        centre = np.array([found['x'], found['y']])
        assert np.linalg.norm(point - centre) == pytest.approx(found['radius'], rel=1e-6)
        assert np.linalg.norm(start - centre) == pytest.approx(found['radius'], rel=1e-6)
        assert centre @ centre == pytest.approx(1 + found['radius'] ** 2, rel=1e-6)
        sign = -1 if found['clockwise'] else 1
        swept = sign * (found['to'] - found['from']) % (2 * np.pi)
        turn = sign * (np.arctan2(*(point - centre)[::-1]) - found['from']) % (2 * np.pi)
        assert swept < np.pi
        assert -1e-9 < turn < swept + 1e-9


def test_lines_through_the_centre_are_straight(node):
    body = 'return [script.arc(0, 0, 0.3, 0.4, 0), script.arc(-0.6, 0.6, 0.5, -0.5, 0)]'
    assert node(SCRIPT, body) == [None, None]


def test_a_hyperbolic_circle_is_a_circle(node, pairs, disks):
    found = node(SCRIPT, 'return given[0].slice(0, 9).map((p) => script.circle(p, 1.3))', disks)
    for circle, centre in zip(found, pairs[0], strict=False):
        angle = torch.linspace(0, 6, 5, dtype=torch.float64)
        ring = boost(
            at(torch.full_like(angle, 1.3), angle), lorentz.log0(centre, c=1.0).expand(5, 2), c=1.0
        )
        off = to_poincare(ring, c=1.0) - torch.tensor([circle['x'], circle['y']])
        np.testing.assert_allclose(off.norm(dim=-1), circle['radius'], rtol=1e-5)


def test_the_rim_moves_as_points_near_it_do(node):
    body = """const move = script.compose(script.rotation(2), script.fromCentre([0.5, -0.7]));
      return [0, 1, 2, 3, 4, 5].map((a) => {
        const [x, y] = script.apply(move, [Math.cos(a) * script.RIM, Math.sin(a) * script.RIM]);
        return [script.applyToRim(move, a), Math.atan2(y, x)];
      })"""
    found = np.array(node(SCRIPT, body))
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-6)


def test_what_is_under_a_zoom_stays_there(node, disks):
    body = """return given[0].map((spot, i) => {
      const before = script.compose(script.rotation(1), script.fromCentre(given[1][i]));
      const under = script.apply(script.inverse(before), spot);
      const after = script.zoomed(before, 2, 3, spot);
      return [...script.apply(after, under).map((v) => 3 * v), ...spot.map((v) => 2 * v)];
    })"""
    near = [[[x / 1.2, y / 1.2] for x, y in points] for points in disks]
    found = np.array(node(SCRIPT, body, near))
    np.testing.assert_allclose(found[:, :2], found[:, 2:], atol=1e-8)


def test_a_motion_is_put_together_from_its_parts(node, disks):
    body = """return given[0].map((p, i) => {
      const m = script.compose(script.fromCentre(given[1][i]), script.rotation(i));
      return [script.apply(m, p), script.apply(script.composed(script.decomposed(m)), p)];
    })"""
    found = np.array(node(SCRIPT, body, disks))
    np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-7)


@pytest.mark.parametrize(
    ('text', 'first'),
    [
        ('541511', '541511'),
        ('31-33', '31'),
        ('5415', '5415'),
        ('dog', None),
        ('soybean', '111110'),
        ('  Oil SEED grain ', '1111'),
        ('wheat xyz', None),
        ('', None),
    ],
)
def test_search_finds_codes_and_words(node, text, first):
    codes = ['11', '1111', '111110', '111140', '31', '5415', '541511']
    titles = ['Agriculture', 'Oilseed and Grain Farming', 'Soybean Farming', 'Wheat Farming']
    titles += ['Manufacturing', 'Computer Systems Design', 'Custom Computer Programming']
    titles[1] = 'Oil Seed and Grain Farming'
    official = [*codes[:4], '31-33', *codes[5:]]
    body = """const entries = script.index(given.codes, given.official, given.titles);
      return script.search(entries, given.text, 3)"""
    given = {'codes': codes, 'official': official, 'titles': titles, 'text': text}
    found = node('find.js', body, given)
    assert ([codes[i] for i in found] or [None])[0] == first


def test_digits_find_what_begins_with_them_shortest_first(node):
    body = """const entries = script.index(given, given, given.map(() => 'x'));
      return script.search(entries, '54', 9)"""
    assert node('find.js', body, ['541', '5415', '11', '5412', '54']) == [4, 0, 1, 3]


def test_codes_are_found_by_words_of_known_texts(node):
    given = {
        'vocabulary': ['bakery', 'baking', 'bread', 'dogs', 'grooming'],
        'words': [[], [0, 1, 2], [3, 4], [2]],
    }
    body = 'return script.searchKnown(given.vocabulary, given.words, given.text, 5)'
    for text, found in (
        ('bread', [1, 3]),
        ('bread bakeries', []),
        ('groom dog', [2]),
        ('an', []),
        ('cat', []),
    ):
        assert [one['i'] for one in node('find.js', body, given | {'text': text})] == found
    assert node('find.js', body, {**given, 'vocabulary': [], 'text': 'bread'}) == []
