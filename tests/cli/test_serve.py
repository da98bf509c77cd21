"""What the command that serves does around the service."""

import webbrowser

import pytest

from naics_embed.service import server
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

ADDRESS = 'http://127.0.0.1:8722/'


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('serve')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'), coder=True)


@pytest.fixture
def opened(monkeypatch):
    """Addresses that a browser was asked for, where the service answers at once."""
    asked: list[str] = []
    monkeypatch.setattr(server, 'run_server', lambda *given, on_open, **named: on_open(ADDRESS))
    monkeypatch.setattr(webbrowser, 'open', lambda url: asked.append(url) or True)
    return asked


def test_the_page_is_opened_where_that_is_asked_for(cli, bundle, opened):
    assert cli('serve', '--bundle', bundle).status == 0
    assert opened == []
    assert cli('serve', '--bundle', bundle, '--open').status == 0
    assert opened == [ADDRESS]


def test_a_machine_without_a_browser_is_told_the_address(cli, bundle, opened, monkeypatch):
    monkeypatch.setattr(webbrowser, 'open', lambda url: False)
    done = cli('serve', '--bundle', bundle, '--open')
    assert f'no browser could be opened; open {ADDRESS}' in done.err
