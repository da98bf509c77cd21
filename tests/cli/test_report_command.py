"""The command ``report``: the last run's file, or what a bundle alone can tell."""

import json
import webbrowser
from pathlib import Path

import pytest

from naics_embed.artifacts import MANIFEST
from naics_embed.bundle.promotion import ROOT_VARIABLE
from naics_embed.config.load import load_config
from naics_embed.config.sections import to_dict

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def judged(copy) -> Path:
    """A bundle whose run stated its marks."""
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest['configuration'] = to_dict(load_config(ROOT / 'configs', 'cpu').config)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    return copy


def test_the_last_run_is_shown(cli, tmp_path, monkeypatch):
    root = tmp_path / 'root'
    root.mkdir()
    (root / 'report.html').write_text('<p>last</p>')
    opened = []
    monkeypatch.setattr(webbrowser, 'open', lambda url: opened.append(url) or True)
    # Set by the fixture to a folder that is not there.
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    done = cli('report', '--open')
    assert done.status == 0
    assert done.out.strip() == str(root / 'report.html')
    assert opened == [(root / 'report.html').as_uri()]
    out = tmp_path / 'copy.html'
    assert cli('report', '-o', out).status == 0
    assert out.read_text() == '<p>last</p>'


def test_a_bundle_alone_tells_what_it_knows(cli, judged, tmp_path):
    out = tmp_path / 'bundle.html'
    done = cli('report', '--bundle', judged, '-o', out)
    assert done.status == 0, done.err
    html = out.read_text(encoding='utf-8')
    assert 'a bundle alone has none' in html
    assert 'Radius by level' in html
    assert 'test/index/mrr' in html
    assert '2,125 codes' in html


def test_what_cannot_be_reported_on_is_a_clear_error(cli, copy, tmp_path, monkeypatch):
    done = cli('report')
    assert done.status == 2
    assert 'no table has been promoted' in done.err
    done = cli('report', '--bundle', copy)
    assert done.status == 2
    assert 'was exported by a version without reports' in done.err
    done = cli('report', '--bundle', copy, '-o', tmp_path / 'nowhere' / 'x.html')
    assert done.status == 2


def test_a_machine_without_a_browser_is_told_the_path(cli, judged, tmp_path, monkeypatch):
    monkeypatch.setattr(webbrowser, 'open', lambda url: False)
    out = tmp_path / 'bundle.html'
    done = cli('report', '--bundle', judged, '-o', out, '--open')
    assert done.status == 2
    assert f'open {out} in one' in done.err
