import webbrowser

import numpy as np
import pytest

from naics_embed.artifacts import checksum, read_json
from naics_embed.atlas.layout import write_disk
from naics_embed.bundle.promotion import ROOT_VARIABLE, promote
from naics_embed.bundle.storage import DISK, Bundle
from tests.tiny_bundle import change_manifest


@pytest.fixture
def drawn(copy):
    """A bundle with a disk."""
    codes = Bundle.load(copy, verify=False).codes()['code'].to_list()
    angle = np.arange(len(codes)) * 0.01
    write_disk(copy / DISK, codes, 0.9 * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    files = read_json(copy / 'manifest.json')['files'] | {DISK: checksum(copy / DISK)[0]}
    change_manifest(copy, files=files)
    return copy


def test_the_map_of_the_promoted_table(cli, drawn, tmp_path, monkeypatch):
    promote(tmp_path, drawn, {})
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    opened = []
    monkeypatch.setattr(webbrowser, 'open', lambda url: opened.append(url) or True)
    out = tmp_path / 'map.html'
    done = cli('map', '-o', out, '--open')
    assert (done.status, done.out) == (0, '')
    assert str(out) in done.err
    assert 'Custom Computer Programming Services' in out.read_text(encoding='utf-8')
    assert opened == [out.as_uri()]


def test_without_the_option_no_browser_opens(cli, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, 'open', lambda url: pytest.fail(f'opened {url}'))
    assert cli('map', '-o', tmp_path / 'map.html', '--bundle', drawn).status == 0


def test_where_no_browser_is_the_file_is_still_written(cli, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, 'open', lambda _: False)
    out = tmp_path / 'map.html'
    done = cli('map', '-o', out, '--open', '--bundle', drawn)
    assert done.status == 2
    assert f'open {out} yourself' in done.err
    assert out.is_file()


@pytest.mark.parametrize(
    ('out', 'message'), [('nowhere/map.html', 'does not exist'), ('map.png', 'must end in .html')]
)
def test_where_no_map_can_go(cli, drawn, tmp_path, out, message):
    done = cli('map', '-o', tmp_path / out, '--bundle', drawn)
    assert done.status == 2
    assert message in done.err


def test_a_bundle_without_a_disk_is_a_message(cli, bundle_path, tmp_path):
    done = cli('map', '-o', tmp_path / 'map.html', '--bundle', bundle_path)
    assert done.status == 2
    assert 'export it again' in done.err
    assert not (tmp_path / 'map.html').exists()
