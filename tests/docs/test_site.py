"""The site builds without a warning, lists every page, and fetches nothing from elsewhere."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.documents import ROOT

BUILD_TIMEOUT_S = 600
PICTURES = ROOT / 'docs' / 'images'
needs_mkdocs = pytest.mark.skipif(
    importlib.util.find_spec('mkdocs') is None or importlib.util.find_spec('mkdocstrings') is None,
    reason="needs the extra 'docs'",
)


@pytest.fixture(scope='module')
def site(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp('site') / 'site'
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return folder


@needs_mkdocs
@pytest.mark.slow
def test_the_site_is_built_and_fetches_nothing(site):
    pages = list(site.rglob('*.html'))
    assert len(pages) > 25
    for page in pages:
        text = page.read_text(encoding='utf-8')
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]+src="(https?:[^"]+)"', text)
        loaded += re.findall(r'<link[^>]+href="(https?:[^"]+)"[^>]*>', text)
        assert loaded == [], page
        # Material asks GitHub for stars where a repository is shown.
        assert 'data-md-component="source"' not in text
    for style in site.rglob('*.css'):
        assert not re.search(r'url\(["\']?https?:', style.read_text(encoding='utf-8')), style


@needs_mkdocs
@pytest.mark.slow
def test_the_api_is_made_from_docstrings(site):
    text = (site / 'api' / 'geometry' / 'index.html').read_text(encoding='utf-8')
    assert 'id="naics_embed.geometry.lorentz.pairwise_distance"' in text
    assert 'The Lorentz model of hyperbolic space' in text


def test_every_package_is_in_the_api():
    shown = {
        name
        for page in (ROOT / 'docs' / 'api').glob('*.md')
        for name in re.findall(r'^::: naics_embed\.(\w+)', page.read_text(encoding='utf-8'), re.M)
    }
    packages = {path.stem for path in (ROOT / 'naics_embed').iterdir() if path.suffix == '.py'}
    packages |= {path.parent.name for path in (ROOT / 'naics_embed').glob('*/__init__.py')}
    assert packages - {'__init__', '__main__', 'cli'} == shown


def test_every_page_is_in_the_navigation():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [page for value in values for page in pages(value)]

    nav = yaml.safe_load((ROOT / 'mkdocs.yml').read_text(encoding='utf-8'))['nav']
    docs = ROOT / 'docs'
    there = sorted(path.relative_to(docs).as_posix() for path in docs.rglob('*.md'))
    assert sorted(pages(nav)) == there, 'list the page under nav in mkdocs.yml'


def test_pictures_are_those_that_the_script_draws(tmp_path):
    path = ROOT / 'docs' / 'draw_pictures.py'
    spec = importlib.util.spec_from_file_location('draw_pictures', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.draw(tmp_path)
    assert {path.name for path in drawn} == {path.name for path in PICTURES.glob('*.svg')}
    for path in drawn:
        # Digits may differ between machines; words and the number of paths may not.
        new, kept = (p.read_text(encoding='utf-8') for p in (path, PICTURES / path.name))
        assert re.findall(r'<text[^>]*>([^<]*)', new) == re.findall(r'<text[^>]*>([^<]*)', kept)
        assert abs(new.count('<path') - kept.count('<path')) <= 2
