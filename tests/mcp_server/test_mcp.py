"""An assistant asks the server, by the SDK's own client, over both transports."""

import asyncio
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

mcp = pytest.importorskip('mcp')

ROOT = Path(__file__).resolve().parents[2]
COMMAND = 'from naics_embed.cli.main import main; main()'
WAIT_S = 300


@pytest.fixture(scope='module')
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('mcp')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


async def ask(server) -> dict:
    async with mcp.Client(server, read_timeout_seconds=WAIT_S) as client:
        listed = await client.list_tools()

        async def call(tool: str, **arguments):
            return await client.call_tool(tool, arguments)

        return {
            'tools': {tool.name: tool for tool in listed.tools},
            'code': await call('code', texts=['soybean farming', 'dog kennels'], k=2),
            'isic': await call('code', texts=['soybean farming'], k=1, classification='isic4'),
            'odd': await call('code', texts=['soybean farming'], classification='isic9'),
            'level': await call('code', texts=['soybean farming'], level=1),
            'sic': await call('concord', codes=['7371'], source='sic', target='nace21'),
            'question': await call('question', text='farming'),
            'search': await call('search', words='soyb'),
            'card': await call('card', code='31-33', similar=2),
            'concord': await call('concord', codes=['541511'], source=2017, target=2022),
            'wrong': await call('card', code='999999'),
            'empty': await call('code', texts=['   ']),
            'many': await call('code', texts=['a'] * 51),
        }


def check(found: dict) -> None:
    assert {'code', 'question', 'search', 'card', 'concord'} <= set(found['tools'])
    assert all(tool.annotations.read_only_hint for tool in found['tools'].values())
    coded = found['code'].structured_content
    assert coded['answers'][0]['hits'][0]['code'] == '111110'
    assert coded['provenance']['classification'] == 'NAICS'
    assert found['search'].structured_content['result'][0]['code'] == '111110'
    assert 'question' in found['question'].structured_content
    card = found['card'].structured_content
    assert card['official'] == '31-33'
    assert 'coordinates' not in card
    assert found['concord'].structured_content['result'][0]['target'] == '541511'
    [isic] = found['isic'].structured_content['answers']
    assert isic['classification'] == 'isic4'
    assert (len(isic['hits'][0]['code']), isic['hits'][0]['evidence']) == (4, None)
    assert found['sic'].structured_content['result'][0]['target'].startswith('62')
    assert 'choose from naics2022' in found['odd'].content[0].text
    for name in ('wrong', 'empty', 'many', 'odd', 'level'):
        assert found[name].is_error, name
    assert '999999' in found['wrong'].content[0].text


def test_over_standard_input_and_output(bundle):
    server = mcp.StdioServerParameters(
        command=sys.executable, args=['-c', COMMAND, 'mcp', '--bundle', str(bundle)], cwd=ROOT
    )
    check(asyncio.run(ask(server)))


@pytest.mark.slow
def test_over_http(bundle):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    arguments = ['mcp', '--transport', 'http', '--port', str(port), '--bundle', str(bundle)]
    process = subprocess.Popen([sys.executable, '-c', COMMAND, *arguments], cwd=ROOT)
    try:
        end = time.monotonic() + WAIT_S
        while True:
            try:
                socket.create_connection(('127.0.0.1', port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.2)
        check(asyncio.run(ask(f'http://127.0.0.1:{port}/mcp')))
    finally:
        process.terminate()
        process.wait(WAIT_S)
