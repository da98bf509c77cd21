"""The page of the review in a real browser: keys, the arbiter, search, the tree, three widths.

Rules of axe-core are run where ``AXE_CORE`` names its ``axe.min.js`` (``npm pack axe-core``).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from naics_embed.review.decide import history
from naics_embed.review.queue import release
from naics_embed.review.store import Store
from naics_embed.review.tables import items
from naics_embed.review.users import known_user
from tests.review.review_help import (
    CHROMEDRIVER,
    CHROMIUM,
    PASSWORD,
    make_batch,
    make_users,
    served,
)

pytestmark = pytest.mark.slow

AXE = os.environ.get('AXE_CORE')
PICTURES = os.environ.get('REVIEW_PICTURES')
WIDTHS = (390, 768, 1280)
PEOPLE = 6
WAIT_S = 30
SAVED = "document.getElementById('saved').textContent === 'All saved'"
FINDER_CLOSED = "!document.getElementById('finder').open"


@pytest.fixture(scope='module')
def driver(tmp_path_factory) -> Iterator:
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip('there is no chromium with its chromedriver on this machine')
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    folder = tmp_path_factory.mktemp('chromium')
    flags = ('--headless', '--no-sandbox', '--disable-gpu', '--no-first-run')
    for flag in (*flags, f'--user-data-dir={folder}'):
        options.add_argument(flag)
    opened = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    yield opened
    opened.quit()


@dataclass
class Page:
    """The page as one user after another sees it."""

    driver: object
    address: str
    store: Store
    numbers: list[int]

    def until(self, script: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, WAIT_S, 0.05).until(
            lambda driver: driver.execute_script(f'return {script}')
        )

    def sign_in(self, name: str) -> None:
        """Sign in as a user who has not been here."""
        from selenium.webdriver.common.keys import Keys

        self.driver.get(self.address)
        self.driver.execute_script('localStorage.clear()')
        self.driver.delete_all_cookies()
        self.driver.refresh()
        self.until("!document.getElementById('sign-in').hidden")
        self.driver.find_element('id', 'name').send_keys(name)
        self.driver.find_element('id', 'password').send_keys(PASSWORD, Keys.ENTER)
        self.until("!document.getElementById('meter').hidden")

    def press(self, *keys: str) -> None:
        """Press keys where the focus is, as a keyboard does."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def text(self, selector: str) -> str:
        return self.driver.find_element('css selector', selector).text

    def has(self, selector: str) -> bool:
        return bool(self.driver.find_elements('css selector', selector))

    def shows(self, number: int) -> None:
        """Wait until the text with this position is shown."""
        self.until(f"document.querySelector('#text')?.textContent === 'text number {number + 1}'")

    def saved(self) -> None:
        self.until(SAVED)

    def item(self, at: int):
        with self.store.reading() as connection:
            return connection.execute(select(items).where(items.c.id == self.numbers[at])).one()

    def actions(self, at: int) -> list[tuple[str, str | None]]:
        with self.store.reading() as connection:
            return [(one.action, one.code) for one in history(connection, self.numbers[at])]


@pytest.fixture
def page(driver, store, address) -> Iterator[Page]:
    """A batch whose first text is decided by two."""
    numbers = make_batch(store, people=PEOPLE, double=(0,))
    make_users(store, ann='reviewer', bob='reviewer', cy='arbiter')
    with served(address, 0) as (_, at):
        yield Page(driver, at, store, numbers)


def test_the_arbiter_settles_a_conflict_that_nobody_saw_before(page):
    page.sign_in('ann')
    page.shows(0)
    page.press('1')
    page.shows(1)
    page.saved()

    # The arbiter, who may decide the text too, and the second reviewer see nothing of the first.
    page.sign_in('cy')
    page.shows(0)
    assert not page.has('.opinions')
    assert page.text('#conflict-count') == ''
    page.press('k')
    page.until("document.querySelector('#nothing h2')?.textContent === 'No conflicts'")
    page.press('r')
    page.shows(0)
    page.driver.find_element('id', 'sign-out').click()
    page.until("!document.getElementById('sign-in').hidden")
    with page.store.writing() as connection:
        release(connection, page.numbers, known_user(connection, 'cy').id)

    page.sign_in('bob')
    page.shows(0)
    assert not page.has('.opinions')
    assert 'ann' not in page.text('#work')
    assert not page.driver.find_element('id', 'conflicts-tab').is_displayed()
    page.press('2')
    page.saved()
    assert page.item(0).state == 'conflict'

    page.sign_in('cy')
    page.until("document.getElementById('conflict-count').textContent === '1'")
    page.press('k')
    page.shows(0)
    opinions = page.text('.opinions')
    assert 'ann: 111110' in opinions
    assert 'bob: 111120' in opinions
    page.press('3')
    page.until("document.querySelector('#nothing h2')?.textContent === 'No conflicts'")
    page.saved()
    settled = page.item(0)
    assert (settled.state, settled.final, settled.settled_by) == ('done', '111130', 'arbiter')
    # What reviewers decided is there still.
    assert page.actions(0) == [('code', '111110'), ('code', '111120'), ('code', '111130')]


def test_a_search_by_words_and_by_digits_gives_the_code(page):
    from selenium.webdriver.common.keys import Keys

    page.sign_in('ann')
    page.shows(0)
    page.press('/')
    page.until("document.activeElement.id === 'finder-query'")
    page.press('pet care')
    first = "document.querySelector('#finder-list .code')?.textContent"
    page.until(f"{first} === '812910'")
    # A digit is typed here, and accepts no suggestion.
    page.driver.find_element('id', 'finder-query').send_keys(Keys.CONTROL + 'a')
    page.press('541940')
    page.until(f"{first} === '541940'")
    page.press(Keys.ENTER)
    page.until(FINDER_CLOSED)
    page.shows(1)
    page.saved()
    assert page.actions(0) == [('code', '541940')]

    page.press('/')
    page.press('zzzz')
    page.until("document.getElementById('finder-status').textContent.startsWith('No code')")
    page.press(Keys.ENTER, Keys.ESCAPE)
    page.until(FINDER_CLOSED)
    page.shows(1)
    assert page.actions(1) == []


def test_the_tree_is_browsed_by_arrows(page):
    from selenium.webdriver.common.keys import Keys

    page.sign_in('ann')
    page.shows(0)
    page.press('b')
    sectors = "document.querySelectorAll('#finder-list li').length === 20"
    selected = "document.querySelector('#finder-list [aria-selected=true] .code')?.textContent"
    page.until(sectors)
    page.press(Keys.ARROW_DOWN)
    page.until(f"{selected} === '21'")
    for code in ('211', '2111', '21112', '211120'):
        page.press(Keys.ARROW_RIGHT)
        page.until(f"{selected} === '{code}'")
    assert '2111 ' in page.text('#finder-path')
    page.press(Keys.ARROW_LEFT)
    page.until(f"{selected} === '21112'")
    page.press(Keys.ARROW_DOWN)
    page.until(f"{selected} === '21113'")
    page.press(Keys.ARROW_RIGHT)
    page.until(f"{selected} === '211130'")
    page.press(Keys.ENTER)
    page.until(FINDER_CLOSED)
    page.shows(1)
    page.saved()
    assert page.actions(0) == [('code', '211130')]


def test_undo_brings_the_text_back_and_keeps_the_history(page):
    page.sign_in('ann')
    page.shows(0)
    assert not page.driver.find_element('id', 'undo').is_enabled()
    for at in range(1, 3):
        page.press('1')
        page.shows(at)
    page.saved()
    page.press('u')
    page.shows(1)
    page.press('u')
    page.shows(0)
    page.saved()
    assert page.item(1).state == 'open'
    page.press('4')
    page.shows(1)
    page.saved()
    assert page.actions(0) == [('code', '111110'), ('undo', None), ('code', '541511')]
    assert page.actions(1) == [('code', '111110'), ('undo', None)]
    # A page that is loaded again knows what it may undo.
    page.driver.refresh()
    page.until("!document.getElementById('work').hidden")
    page.press('u')
    page.shows(0)
    page.saved()
    assert page.actions(0)[-1] == ('undo', None)


def show(driver, width: int, theme: str) -> None:
    metrics = {'width': width, 'height': 844, 'deviceScaleFactor': 1, 'mobile': False}
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    wanted = [{'name': 'prefers-color-scheme', 'value': theme}]
    driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': wanted})


def check_view(page: Page, view: str) -> None:
    """Nothing overflows, and axe finds no fault, on three widths and in both themes."""
    for width in WIDTHS:
        for theme in ('light', 'dark'):
            show(page.driver, width, theme)
            wide = page.driver.execute_script('return document.documentElement.scrollWidth')
            assert wide <= width, (view, width)
            if PICTURES:
                name = f'review-{view}-{width}-{theme}.png'
                page.driver.save_screenshot(str(Path(PICTURES) / name))
            if AXE:
                page.driver.execute_script(Path(AXE).read_text(encoding='utf-8'))
                found = page.driver.execute_async_script('axe.run().then(arguments[0])')
                faults = [(fault['id'], fault['nodes'][0]['html']) for fault in found['violations']]
                assert faults == [], (view, width, theme)


def test_every_view_fits_three_widths_in_both_themes(page):
    try:
        page.driver.get(page.address)
        page.driver.delete_all_cookies()
        page.driver.refresh()
        page.until("!document.getElementById('sign-in').hidden")
        check_view(page, 'sign-in')
        page.sign_in('cy')
        page.shows(0)
        check_view(page, 'item')
        page.press('/')
        page.until("document.getElementById('finder').open")
        check_view(page, 'finder')
        page.driver.execute_script("document.getElementById('finder').close()")
        page.driver.find_element('css selector', '[data-view=overview]').click()
        page.until("document.querySelector('#overview .card')")
        check_view(page, 'overview')
    finally:
        page.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
        page.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': []})
