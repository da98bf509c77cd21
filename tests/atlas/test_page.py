import json
import re

import numpy as np
import pytest

from naics_embed.atlas.layout import write_disk
from naics_embed.atlas.page import SCRIPTS, STATIC, bundle_page, map_page
from naics_embed.atlas.palette import SECTOR_COLOURS
from naics_embed.bundle.storage import Bundle, write_bundle
from naics_embed.errors import ArtifactError
from naics_embed.geometry import lorentz
from naics_embed.taxonomy import Taxonomy
from tests.tiny_bundle import SPACE, tiny_codebook, write_tiny_encoder

DISK = {'light': '#fcfcfd', 'dark': '#10141c'}


def data_of(page: str) -> dict:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


def test_the_page_asks_nothing_of_a_network(page):
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)\s*=\s*["\'](?!data:,)', page)
    assert not re.search(r'https?:|//[a-z]+\.[a-z]|@import|url\(', page)
    assert not re.search(r'\b(?:fetch|XMLHttpRequest|WebSocket|import)\s*\(', page)


def test_every_script_is_in_the_page(page):
    assert {path.name for path in STATIC.glob('*.js')} == set(SCRIPTS)
    for name in SCRIPTS:
        assert (STATIC / name).read_text(encoding='utf-8') in page
    assert '$' not in re.sub(r'<script.*?</script>', '', page, flags=re.DOTALL)


def test_the_page_holds_all_codes_where_the_disk_has_them(page, taxonomy, titles, points):
    data = data_of(page)
    assert data['codes'] == list(taxonomy.codes)
    assert data['titles'] == titles
    assert data['official'][taxonomy.index('31')] == '31-33'
    radius, angle = np.array(data['radius']), np.array(data['angle'])
    drawn = np.tanh(radius / 2)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(drawn, points, atol=1e-6)
    assert data['stretch'] == pytest.approx(1.5)


def test_nearest_codes_are_those_of_the_table(page, taxonomy, tangents):
    import torch

    data = data_of(page)
    node = taxonomy.index('541511')
    space = lorentz.exp0(torch.from_numpy(tangents), c=0.7)
    leaves = taxonomy.at_level(6)
    far = lorentz.pairwise_distance(space[[node]], space[leaves], c=0.7)[0]
    wanted = [taxonomy.codes[i] for i in leaves[far.argsort()[1:6]]]
    assert [taxonomy.codes[i] for i in data['near'][node]] == wanted


def test_a_title_cannot_end_the_script(taxonomy, titles, tangents, points):
    hostile = ['</script><img src=x onerror=alert(1)>', *titles[1:]]
    page = map_page(taxonomy, hostile, tangents, points, curvature=0.7, vintage=2022)
    assert '<img' not in page
    assert data_of(page)['titles'] == hostile


@pytest.mark.parametrize('change', [{'disk': np.ones((2, 2))}, {'titles': ['one']}])
def test_what_does_not_fit_is_named(change):
    taxonomy = Taxonomy(['11', '111'])
    given = {'titles': ['a', 'b'], 'tangents': np.ones((2, 3)), 'disk': np.zeros((2, 2))} | change
    with pytest.raises(ArtifactError, match=r'outside the disk|do not fit'):
        map_page(taxonomy, **given, curvature=1.0, vintage=2022)


def test_a_bundle_is_drawn_or_says_that_it_has_no_disk(tmp_path, points, tangents):
    codebook = tiny_codebook()
    parts = (
        codebook,
        np.ones(len(codebook), dtype=bool),
        tangents[:, : SPACE.dim],
        write_tiny_encoder(tmp_path / 'encoder'),
        SPACE,
        {},
        {},
    )
    write_disk(tmp_path / 'disk.parquet', codebook['code'].to_list(), points)
    write_bundle(tmp_path / 'drawn', *parts, disk=tmp_path / 'disk.parquet')
    assert data_of(bundle_page(Bundle.load(tmp_path / 'drawn')))['titles'][0]
    write_bundle(tmp_path / 'plain', *parts)
    with pytest.raises(ArtifactError, match='export it again'):
        bundle_page(Bundle.load(tmp_path / 'plain'))


def luminance(colour: str) -> float:
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_colours_stand_out_from_the_disk_and_differ(theme):
    css = (STATIC / 'map.css').read_text(encoding='utf-8')
    assert f'--disk: {DISK[theme]}' in css
    ground = luminance(DISK[theme])
    colours = [pair[theme == 'dark'] for pair in SECTOR_COLOURS.values()]
    for colour in colours:
        low, high = sorted([luminance(colour), ground])
        assert (high + 0.05) / (low + 0.05) >= 3
    assert len(set(colours)) == len(SECTOR_COLOURS) == 20
