"""The command as a user runs it, in this process, on one small bundle."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from naics_embed.bundle.promotion import ROOT_VARIABLE
from naics_embed.cli import main as entry
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

OWN_COMMANDS = tuple(entry.app.registered_commands)
"""Those before any start has joined others."""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture(scope='session')
def bundle_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('cli')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'))


@pytest.fixture
def copy(bundle_path, tmp_path) -> Path:
    return shutil.copytree(bundle_path, tmp_path / 'copy')


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Run ``naics-embed`` with arguments, where no table is promoted."""
    monkeypatch.setenv('COLUMNS', '160')
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / 'no-artifacts'))

    def run(*arguments: object) -> Outcome:
        # Every start joins the commands of the pipeline anew.
        monkeypatch.setattr(entry.app, 'registered_commands', list(OWN_COMMANDS))
        monkeypatch.setattr('sys.argv', ['naics-embed', *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            entry.main()
        written = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), written.out, written.err)

    return run
