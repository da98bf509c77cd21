"""Questions of ``search``, on a terminal and from a pipe."""

import io
import json
import re
from pathlib import Path

import pytest

from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

TEXT = 'furniture'


@pytest.fixture(scope='module')
def coder_path(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('asked')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'), coder=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def asked(cli, path, *more):
    done = cli('search', TEXT, '--json', '--ask', '--bundle', path, *more)
    assert done.status == 0, done.err
    return json.loads(done.out)[0]


def test_a_pipe_gets_the_question(cli, coder_path):
    question = asked(cli, coder_path)['question']
    done = cli('search', TEXT, '--ask', '--bundle', coder_path)
    assert question['prompt'] in done.out
    for number, option in enumerate(question['options'], start=1):
        assert f'  {number}  {option["text"]}' in done.out
    assert question['prompt'] not in cli('search', TEXT, '--bundle', coder_path).out


def test_a_terminal_is_asked_until_the_codes_are_clear(cli, coder_path, monkeypatch):
    question = asked(cli, coder_path)['question']
    monkeypatch.setattr('sys.stdin', Terminal('seven\n99\n2\n\n'))
    done = cli('search', TEXT, '--ask', '--bundle', coder_path)
    assert question['prompt'] in done.err
    assert done.err.count('type a number from 1 to') == 2
    [code] = question['options'][1]['codes'][:1]
    assert re.findall(r'\b\d{6}\b', done.out)[0] == code


def test_an_empty_line_or_the_end_stops(cli, coder_path, monkeypatch):
    for typed in ('\n', ''):
        monkeypatch.setattr('sys.stdin', Terminal(typed))
        done = cli('search', TEXT, '--ask', '--bundle', coder_path)
        assert done.status == 0
        assert asked(cli, coder_path)['question']['prompt'] in done.out


def test_what_needs_a_coder_says_so(cli, coder_path, bundle_path):
    for arguments in (
        ['--ask', '--distance', '--bundle', coder_path],
        ['--ask', '--bundle', bundle_path],
    ):
        done = cli('search', TEXT, *arguments)
        assert done.status == 2
        assert '--ask, --coverage and --prior need a bundle with a coder' in done.err
    done = cli('search', TEXT, '--coverage', '0.9', '--bundle', coder_path)
    assert done.status == 2
    assert 'run the pipeline again' in done.err
