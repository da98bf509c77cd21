"""The process as a user starts it, and its page in a real browser."""

import json
import os
import socket
import urllib.request
from pathlib import Path

import pytest

from naics_embed.config.service import ServiceConfig
from naics_embed.errors import UserError
from naics_embed.service.server import is_loopback, listen, run_server
from tests.service.service_help import START_S, WAIT_S, ask, start, wait
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

AXE = os.environ.get('AXE_CORE')


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


def errors(page) -> list[str]:
    return [entry['message'] for entry in page.get_log('browser') if entry['level'] == 'SEVERE']


@pytest.mark.slow
def test_a_description_is_typed_and_codes_are_seen(page):
    ask(page, 'corn farming', '5 codes for “corn farming”')
    hits = page.find_elements('css selector', '#hits > li')
    assert len(hits) == 5
    assert '111150' in hits[0].text
    assert 'Corn Farming' in hits[0].text
    assert '11 Agriculture' in hits[0].text
    assert '%' in hits[0].text
    assert 'Words: corn' in hits[0].text
    assert page.find_element('id', 'confident-text').text
    assert len(page.find_elements('css selector', '#confident-path li')) == 5
    wait(page, "document.querySelectorAll('#disk .hit').length == 5")
    assert len(page.find_elements('css selector', '#disk .point')) == 1
    assert errors(page) == []
    if AXE:
        page.execute_script(Path(AXE).read_text(encoding='utf-8'))
        found = page.execute_async_script('axe.run().then(arguments[0])')
        assert [violation['id'] for violation in found['violations']] == []


@pytest.mark.slow
def test_the_keyboard_is_enough(page):
    from selenium.webdriver.common.keys import Keys

    ask(page, 'corn farming', '5 codes for “corn farming”')
    wait(page, "document.querySelectorAll('#disk .hit').length == 5")
    for _ in range(4):
        page.switch_to.active_element.send_keys(Keys.TAB)
    assert 'Corn Farming' in page.switch_to.active_element.text
    wait(page, "document.querySelectorAll('#disk .hit.lit').length == 1")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    wait(page, "document.activeElement.id == 'card'")
    card = page.find_element('id', 'card').text
    assert card.startswith('111150 Corn Farming')
    assert 'Similar codes' in card


@pytest.mark.slow
def test_markup_in_a_query_stays_text(page):
    query = '<img src=x onerror=alert(1)> corn & "farming"'
    ask(page, query, f'5 codes for “{query}”')
    assert page.find_elements('css selector', 'main img') == []
    assert errors(page) == []


@pytest.mark.slow
def test_a_code_shows_its_card_and_a_fault_is_told(page):
    ask(page, '31-33', '31-33 is Manufacturing')
    assert 'Its codes' in page.find_element('id', 'card').text
    assert not page.find_element('id', 'found').is_displayed()
    ask(page, ' ', 'Type a description first')
    ask(page, '511210', 'became 513210')
    ask(page, 'x' * 301, 'at most 300 are read')
    # The browser itself notes the two refused requests, and nothing else.
    assert [error for error in errors(page) if '404' not in error and '422' not in error] == []
