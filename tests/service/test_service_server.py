"""The process as a user starts it, and its page in a real browser."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_bundle import write_tiny_bundle, write_tiny_encoder

from naics_embed.errors import UserError
from naics_embed.service.server import is_loopback, listen

COMMAND = 'from naics_embed.cli.main import main; main()'
ADDRESS = re.compile(r'listening on (http://\S+)')
START_S = 300
WAIT_S = 60
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
CHROMEDRIVER = shutil.which('chromedriver')
FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
    '--window-size=1200,1000',
)
AXE = os.environ.get('AXE_CORE')


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-c', COMMAND, 'serve', *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def fails(*arguments: object) -> str:
    """The one line that a start leaves that cannot go on."""
    process = start(*arguments)
    _, told = process.communicate(timeout=START_S)
    assert process.returncode == 2, told
    assert 'Traceback' not in told
    return told


@pytest.fixture(scope='module')
def server(bundle_path) -> Iterator[str]:
    """Address of a server; it must stop when it is told to, without a word of error."""
    process = start('--port', 0, '--bundle', bundle_path, 'service.max_characters=300')
    told = []
    for line in process.stderr:
        told.append(line)
        if found := ADDRESS.search(line):
            break
    else:
        pytest.fail(''.join(told))
    address = found.group(1)
    end = time.monotonic() + START_S
    while not any('ready' in line for line in told):
        assert time.monotonic() < end
        told.append(process.stderr.readline())
    yield address
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=WAIT_S)
    assert 'Traceback' not in rest + ''.join(told)
    # Nobody's query is in the log.
    assert 'v1/search' not in rest


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


@pytest.fixture(scope='module')
def page(server, tmp_path_factory) -> Iterator:
    """The page in a browser that has used nothing before."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip('there is no chromium with its chromedriver on this machine')
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    for flag in (*FLAGS, f'--user-data-dir={tmp_path_factory.mktemp("chromium")}'):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    driver.get(server)
    yield driver
    driver.quit()


def wait(page, script: str) -> object:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(page, WAIT_S).until(lambda _: page.execute_script(f'return {script}'))


def ask(page, query: str, status: str) -> None:
    """Type a query, press enter, and wait for what the page says."""
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.getElementById('query').value = ''")
    page.find_element('id', 'query').send_keys(query, Keys.ENTER)
    wait(page, f"document.getElementById('status').textContent.includes({json.dumps(status)})")


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
    assert page.find_element('id', 'sure-text').text
    assert len(page.find_elements('css selector', '#sure-path li')) == 5
    wait(page, "document.querySelectorAll('#disk .hit').length == 5")
    assert len(page.find_elements('css selector', '#disk .place')) == 1
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
