"""The lines that a run ends with can be copied into a shell."""

import io
import logging
import re
import shlex

from rich.console import Console

from flows.cli.running import _log_to_terminal
from flows.cli.summary import print_summary
from naics_embed.sqlite_address import sqlite_address, sqlite_file


def test_the_commands_are_whole_lines(tmp_path):
    root = tmp_path / 'why? [bold] 100%20x' / ('long' * 20)
    summary = {
        'warnings': [f'{root}/[a].xlsx is not the known file'],
        'stages': {},
        'seconds': 1.0,
        'source': 'package',
        'metrics': {},
        'root': str(root),
        'bundle': str(root / 'bundle'),
        'promoted': False,
        'promotion': '',
        'table': 'text',
        'report': None,
        'verdict': None,
        'tracking_uri': sqlite_address(root / 'mlflow.db'),
    }
    out = io.StringIO()
    print_summary(summary, Console(file=out, width=60))
    assert f'warning {root}/[a].xlsx is not the known file' in out.getvalue().splitlines()
    lines = {
        line.split()[1]: shlex.split(line)
        for line in out.getvalue().splitlines()
        if '.venv' in line
    }
    server = lines['server']
    assert sqlite_file(server[server.index('--backend-store-uri') + 1]) == root / 'mlflow.db'
    assert lines['search'][-1] == str(root / 'bundle')
    assert f'files    {root}' in out.getvalue().replace('\n', '')


def test_a_log_in_a_file_has_whole_lines(capsys, monkeypatch):
    logger = logging.getLogger('naics_embed')
    monkeypatch.setattr(logger, 'handlers', [])
    monkeypatch.setattr(logger, 'propagate', True)
    monkeypatch.setattr(logger, 'level', logging.NOTSET)
    _log_to_terminal(logging.INFO)
    said = f'wrote {"/a/long/path" * 20} [bold]'
    logger.getChild('somewhere').info(said)
    assert re.fullmatch(rf'\d\d:\d\d:\d\d {re.escape(said)}\n', capsys.readouterr().err)
