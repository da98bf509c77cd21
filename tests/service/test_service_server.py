"""The process as a user starts it, and its page in a real browser."""

import json
import socket
import urllib.request

import pytest

from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.service.listening import is_loopback, listen
from naics_embed.service.server import run_server
from tests.service.service_help import START_S, WAIT_S, start
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


def fails(*arguments: object) -> str:
    """The one line that a start leaves that cannot go on."""
    process = start(*arguments)
    _, output = process.communicate(timeout=START_S)
    assert process.returncode == 2, output
    assert 'Traceback' not in output
    return output


@pytest.mark.slow
def test_the_process_answers(server):
    assert server.startswith('http://127.0.0.1:')
    request = urllib.request.Request(
        f'{server}/v1/code',
        data=json.dumps({'texts': ['corn farming', 'offices of dentists']}).encode(),
        headers={'content-type': 'application/json'},
    )
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        assert answer.headers.get('server') is None
        found = json.load(answer)['answers']
    assert [one['hits'][0]['title'] for one in found] == ['Corn Farming', 'Offices of Dentists']


@pytest.mark.slow
def test_what_cannot_be_served_is_told_in_one_line(tmp_path):
    assert str(tmp_path / 'none') in fails('--bundle', tmp_path / 'none')
    plain = write_tiny_bundle(tmp_path / 'plain', write_tiny_encoder(tmp_path / 'encoder'))
    assert 'exported without coder/' in fails('--bundle', plain)


def test_answers_do_not_wait_for_an_acknowledgement():
    with (
        listen('127.0.0.1', 0) as listening,
        socket.create_connection(listening.getsockname(), WAIT_S),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f'127.0.0.1:{port} cannot be listened on'):
            listen('127.0.0.1', port)
    with listen('127.0.0.1', 0) as free:
        assert free.getsockname()[1] > 0


def test_which_addresses_are_loopback():
    assert all(map(is_loopback, ('127.0.0.1', '127.9.9.9', '::1', 'localhost')))
    assert not any(map(is_loopback, ('0.0.0.0', '::', '10.0.0.1', 'example.org')))


def test_others_are_warned_of(bundle_path, caplog):
    with socket.create_server(('', 0)) as taken:
        config = ServiceConfig(host='0.0.0.0', port=taken.getsockname()[1])
        with pytest.raises(UserError, match='cannot be listened on'):
            run_server(config, bundle_path)
    [warning] = [text for text in caplog.messages if 'listening on 0.0.0.0' in text]
    assert 'no authentication' in warning
    assert 'docs/serving.md' in warning
