"""The pages in a real browser: what a clerk does, at three widths and in both themes.

Rules of axe-core are run where ``AXE_CORE`` names its ``axe.min.js`` (``npm pack axe-core``).
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from naics_embed.config.operation import KeysConfig
from naics_embed.service.app import create_app
from naics_embed.service.key_file import create_key
from naics_embed.service.server import listen, make_server
from tests.service.service_help import CONFIG, WAIT_S, ask, wait

pytestmark = pytest.mark.slow

AXE = os.environ.get('AXE_CORE')
WIDTHS = (390, 768, 1280)


@pytest.fixture
def opened(page, server):
    """Open an address of the server, and wait for a script to be true."""

    def go(path: str, script: str = 'true'):
        page.get(f'{server}/{path}')
        wait(page, script)
        return page

    page.execute_script('sessionStorage.clear()')
    return go


HITS = "document.querySelectorAll('#hits > li').length == 5"
CARD = "document.getElementById('card-title')"


def shown(page, script: str) -> object:
    return page.execute_script(f'return {script}')


def text(page, selector: str) -> str:
    return page.find_element('css selector', selector).text


def errors(page) -> list[str]:
    return [entry['message'] for entry in page.get_log('browser') if entry['level'] == 'SEVERE']


def click(page, selector: str) -> None:
    page.execute_script('document.querySelector(arguments[0]).click()', selector)


def test_the_start_offers_examples_and_the_twenty_sectors(opened):
    page = opened('', "document.querySelectorAll('.sector').length == 20")
    assert '31-33' in text(page, '.sectors')
    assert len(page.find_elements('css selector', '.meanings dt')) == 3
    click(page, '.chip')
    wait(page, "location.search.startsWith('?q=')")
    wait(page, "document.getElementById('confident')")
    page.back()
    wait(page, "document.querySelectorAll('.sector').length == 20")
    assert len(page.find_elements('css selector', '.start section')) == 4, 'with what was asked'
    click(page, '.sector')
    wait(page, CARD)
    assert 'Agriculture' in text(page, '#card-title')


def test_typing_is_enough_and_the_state_is_in_the_address(opened):
    page = opened('?confidence=0.5')
    page.find_element('id', 'query').send_keys('corn farming')
    wait(page, HITS)
    assert 'q=corn+farming' in shown(page, 'location.search')
    assert 'confidence=0.50' in shown(page, 'location.search')
    first = page.find_element('css selector', '#hits > li').text
    for part in ('111150', 'Corn Farming', '%', 'Words: corn'):
        assert part in first
    assert errors(page) == []


def test_digits_and_confidence_act_at_once(opened):
    page = opened('?q=corn+farming&confidence=0.5', HITS)
    page.find_element('css selector', '#level option:nth-child(3)').click()
    wait(page, "document.querySelector('#hits .code').textContent == '1111'")
    assert 'digits=4' in shown(page, 'location.search')
    confident = shown(page, "document.querySelector('#confident-text strong').textContent")
    assert len(confident) <= 4
    assert '111150' not in text(page, '#left')
    page.execute_script(
        """const range = document.getElementById('confidence');
        range.value = 99;
        range.dispatchEvent(new Event('input'));"""
    )
    wait(page, "location.search.includes('confidence=0.99')")
    # A title word for word is as sure as can be asked for.
    wait(page, "document.querySelector('#confident h2').textContent == 'Sure'")


def test_nonsense_gets_no_ranking(opened):
    page = opened('?q=xylophone+zzz&confidence=0.99', "document.getElementById('confident')")
    assert text(page, '#confident h2') == 'Not enough said'
    assert page.find_elements('id', 'hits') == []
    guesses = page.find_element('css selector', '.guesses')
    assert guesses.get_attribute('open') is None
    assert '%' not in guesses.get_attribute('textContent')
    # What is left out leaves no trace.
    assert 'null' not in text(page, '#left')


def test_an_error_leaves_no_old_answer(opened):
    page = opened('?q=corn+farming&confidence=0.5', HITS)
    ask(page, '511210', 'became 513210')
    assert text(page, '#left') == text(page, '#panel') == ''
    ask(page, ' ', 'Type a description first')
    ask(page, 'x' * 301, 'at most 300 are read')
    # The browser itself notes the two refused requests, and nothing else.
    assert [error for error in errors(page) if '404' not in error and '422' not in error] == []


def test_a_card_opens_beside_and_back_leads_back(opened):
    page = opened('?q=corn+farming&confidence=0.5', HITS)
    wait(page, CARD)
    before = shown(page, 'scrollY')
    click(page, '#hits > li:nth-child(2) .name')
    wait(page, "location.search.includes('code=')")
    wait(page, "document.querySelector('#hits > li:nth-child(2) [aria-current]')")
    assert shown(page, 'scrollY') == before
    left, panel = (page.find_element('id', name).rect for name in ('left', 'panel'))
    assert panel['x'] > left['x'] + left['width']
    page.back()
    wait(page, "!location.search.includes('code=')")
    wait(page, "document.querySelector('#card-title .code').textContent == '111150'")


def test_on_a_phone_the_answer_comes_first_and_a_card_has_a_way_back(opened):
    page = opened('')
    size(page, 390)
    opened('?q=corn+farming&confidence=0.5', HITS)
    assert page.find_element('id', 'panel').text == ''
    hits = page.find_elements('css selector', '#hits > li')
    assert hits[1].rect['y'] + hits[1].rect['height'] < 844, 'answer and alternatives at once'
    assert not page.find_element('id', 'confident-path').is_displayed(), 'ancestors are folded'
    click(page, '#hits > li:nth-child(2) .name')
    wait(page, CARD)
    assert not page.find_element('id', 'left').is_displayed()
    back = page.find_element('css selector', '#panel > .back')
    assert back.is_displayed()
    back.click()
    wait(page, HITS)
    assert page.find_element('id', 'left').is_displayed()


def test_the_card_has_the_official_texts(opened):
    page = opened('?code=111150', CARD)
    card = text(page, '#panel')
    for part in ('Firms that mostly grow corn.', 'Popcorn farming', 'Index terms (2)', 'Popcorn'):
        assert part in card
    opened('?code=111120', CARD)
    assert 'Growing soybeans → 111110 Soybean Farming' in text(page, '#panel')
    page.find_element('xpath', "//button[text()='111110 Soybean Farming']").click()
    wait(page, "document.querySelector('#card-title .code').textContent == '111110'")
    assert '111110' in text(page, '.tree [aria-current]')
    opened('?q=31-33', CARD)
    assert 'Its codes' in text(page, '#panel')


CLIPBOARD = """
window.copied = [];
const writeText = (text) => Promise.resolve(window.copied.push(text));
Object.defineProperty(navigator, 'clipboard', { value: { writeText } });
"""


def test_code_and_link_are_copied(opened):
    page = opened('?q=corn+farming&confidence=0.5&code=111150', CARD)
    page.execute_script(CLIPBOARD)
    for label in ('Copy code', 'Copy link'):
        page.find_element('xpath', f"//div[@id='panel']//button[text()='{label}']").click()
    wait(page, 'window.copied.length == 2')
    code, link = shown(page, 'window.copied')
    assert code == '111150'
    assert 'code=111150' in link
    page.get(link)
    wait(page, CARD)


def test_why_not_the_other(opened):
    page = opened('?q=corn+farming&confidence=0.5', HITS)
    click(page, '#hits > li:nth-child(1) input')
    click(page, '#hits > li:nth-child(2) input')
    wait(page, "document.querySelector('.sides')")
    assert len(page.find_elements('css selector', '.side')) == 2
    assert 'compare=111150' in shown(page, 'location.search')
    panel = text(page, '#panel')
    assert 'Cross references between them' in panel
    assert '“corn”' in text(page, '.decides')
    page.back()
    wait(page, "!document.querySelector('.sides')")


def test_markup_in_a_query_stays_text(opened):
    query = '<img src=x onerror=alert(1)> corn & "farming"'
    page = opened('')
    ask(page, query, f'“{query}”')
    assert page.find_elements('css selector', 'main img') == []
    assert errors(page) == []


def test_a_list_is_decided_by_keyboard(opened, tmp_path):
    from selenium.webdriver.common.keys import Keys

    page = opened('table', "document.getElementById('start')")
    file = tmp_path / 'firms.csv'
    file.write_text('id,what\n1,corn farming\n2,n/a\n3,"soybeans, beans"\n', encoding='utf-8')
    page.find_element('id', 'file').send_keys(str(file))
    wait(page, "document.querySelectorAll('#columns button').length == 2")
    assert shown(page, "document.querySelector('.likely').textContent") == 'what'
    click(page, '.likely')
    wait(page, "document.querySelectorAll('.row').length == 3")
    assert 'n/a' in text(page, '.row'), 'the most doubtful first'
    wait(page, "document.activeElement.id == 'rows'")
    page.switch_to.active_element.send_keys('s')
    page.switch_to.active_element.send_keys('2')
    page.switch_to.active_element.send_keys(Keys.ENTER)
    decisions = [one.text for one in page.find_elements('css selector', '.decision')]
    assert decisions == ['skipped', 'overridden', 'accepted']
    assert '0 to decide' in text(page, '#status')
    page.switch_to.active_element.send_keys('u')
    assert '1 to decide' in text(page, '#status')
    assert errors(page) == []
    page.execute_script('window.onbeforeunload = null; document.body.replaceChildren()')


def test_the_map_leads_to_a_code_and_back_to_the_search(opened):
    page = opened('atlas#111150+111140', 'window.naicsMap')
    assert shown(page, 'naicsMap.state.marked.map((i) => naicsMap.table.codes[i])') == [
        '111150',
        '111140',
    ]
    numbers = shown(page, '(naicsMap.paint(), naicsMap.picture.numbers)')
    # The view shows the marked codes; numbers of sectors that have no room there are left out.
    assert '11' in numbers
    assert set(numbers) <= set(shown(page, 'naicsMap.table.official'))
    page.execute_script("naicsMap.select(naicsMap.table.codes.indexOf('541511'))")
    assert shown(page, 'location.hash') == '#541511'
    assert shown(page, "document.getElementById('ask').href").endswith('?code=541511')
    assert errors(page) == [], 'its scripts pass the policy'
    page.find_element('id', 'ask').click()
    wait(page, CARD)


def size(page, width: int, theme: str = 'light') -> None:
    """Give the page a width and a theme, until `restored`."""
    metrics = {'width': width, 'height': 844, 'deviceScaleFactor': 1, 'mobile': False}
    page.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    wanted = [{'name': 'prefers-color-scheme', 'value': theme}]
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': wanted})


@pytest.fixture(autouse=True)
def restored(browser):
    """Undo what `size` did."""
    yield
    browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
    browser.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})


VIEWS = {
    'start': ('', "document.querySelectorAll('.sector').length == 20"),
    'answer': ('?q=corn+farming&confidence=0.5', HITS),
    'card': ('?q=corn+farming&confidence=0.5&code=111150', CARD),
    'comparison': ('?q=corn+farming&compare=111150,111140', "document.querySelector('.sides')"),
    'codes': ('?code=111150', CARD),
    'unclear': ('?q=xylophone&confidence=0.99', "document.getElementById('confident')"),
    'list': ('table', "document.getElementById('start')"),
    'map': ('atlas#111150', 'window.naicsMap'),
}


@pytest.mark.parametrize('view', VIEWS)
def test_no_width_overflows_and_axe_finds_no_fault(opened, view):
    page = opened('')
    path, ready = VIEWS[view]
    for width in WIDTHS:
        for theme in ('light', 'dark'):
            size(page, width, theme)
            opened('healthz')
            opened(path, ready)
            assert shown(page, 'document.documentElement.scrollWidth') <= width
            if AXE:
                page.execute_script(
                    "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
                )
                page.execute_script(Path(AXE).read_text(encoding='utf-8'))
                found = page.execute_async_script('axe.run().then(arguments[0])')
                faults = [(fault['id'], fault['nodes'][0]['html']) for fault in found['violations']]
                assert faults == [], (width, theme)


@contextmanager
def served(app) -> Iterator[str]:
    """Serve an app from a thread of this process; yields its address."""
    with listen('127.0.0.1', 0) as listening:
        server = make_server(app, CONFIG, listening, 100)
        # Signals belong to the main thread.
        server.capture_signals = threading.Lock
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield f'http://127.0.0.1:{listening.getsockname()[1]}'
        finally:
            server.should_exit = True
            thread.join(WAIT_S)
    assert not thread.is_alive()


def test_a_page_that_is_opened_while_the_model_loads_goes_on_by_itself(browser, engine):
    go = threading.Event()

    def load():
        assert go.wait(WAIT_S)
        return engine

    with served(create_app(CONFIG, load)) as address:
        try:
            browser.get(f'{address}/?q=corn+farming&confidence=0.5')
            wait(browser, "document.getElementById('status').textContent.includes('is loading')")
            told = browser.find_element('id', 'status').text
            assert re.search(r'for \d+ s', told)
            assert 'by itself' in told
            browser.get(f'{address}/atlas')
            wait(browser, "document.getElementById('status').textContent.includes('is loading')")
            go.set()
            wait(browser, 'window.naicsMap')
            browser.get(f'{address}/?q=corn+farming&confidence=0.5')
            wait(browser, HITS)
        finally:
            go.set()


def test_a_service_with_keys_asks_for_one_and_keeps_it_in_the_tab(browser, engine, tmp_path):
    file = tmp_path / 'keys.json'
    secret, _ = create_key(file, 'clerk')
    config = replace(CONFIG, keys=KeysConfig(file=str(file)))
    with served(create_app(config, lambda: engine)) as address:
        browser.get(f'{address}/?q=corn+farming&confidence=0.5')
        wait(browser, "document.querySelectorAll('form.key').length == 1")
        assert 'needs an API key' in text(browser, '#key-reason')
        assert shown(browser, 'document.activeElement.id') == 'api-key'
        size(browser, 390, 'light')
        assert browser.find_element('css selector', 'form.key button').is_displayed()
        browser.find_element('id', 'api-key').send_keys('nek_00_wrong\n')
        wait(browser, "document.getElementById('key-reason')?.textContent.includes('not know')")
        browser.find_element('id', 'api-key').send_keys(f'{secret}\n')
        wait(browser, HITS)
        assert not browser.find_elements('css selector', 'form.key')
        # Another page of the tab has it too; another tab has not.
        browser.get(f'{address}/table')
        browser.find_element('id', 'lines').send_keys('corn farming')
        click(browser, '#start')
        wait(browser, "document.querySelectorAll('#rows > li').length == 1")
        assert shown(browser, 'localStorage.length') == 0
        # The map is opened by a link, which sends no key: its cookie lives for seconds.
        browser.get(f'{address}/atlas#111150')
        wait(browser, 'window.naicsMap')
        wait(browser, 'naicsMap.state.selected >= 0')
        browser.switch_to.new_window('tab')
        browser.get(f'{address}/?q=corn+farming')
        wait(browser, "document.getElementById('api-key')")
        assert text(browser, '#status') == '', 'nothing is searched for before there is a key'
        # Any tab of the browser has the cookie for its ten seconds.
        browser.execute_cdp_cmd('Network.clearBrowserCookies', {})
        browser.get(f'{address}/atlas')
        wait(browser, "document.getElementById('api-key')")
        browser.find_element('id', 'api-key').send_keys(f'{secret}\n')
        wait(browser, 'window.naicsMap')
        browser.close()
        browser.switch_to.window(browser.window_handles[0])
