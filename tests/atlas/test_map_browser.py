"""The map as a reader meets it, in a headless Chromium that reaches no network.

Rules of axe-core are run where ``AXE_CORE`` names its ``axe.min.js`` (``npm pack axe-core``).
"""

import base64
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

selenium = pytest.importorskip('selenium', reason='selenium (extra dev) is not installed')

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
CHROMEDRIVER = shutil.which('chromedriver')
FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
    '--window-size=1200,800',
)
WAIT_S = 60
AXE = os.environ.get('AXE_CORE')
CODE = '541511'
TITLE = 'Custom Computer Programming Services'


class Map:
    """The page in a browser."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.canvas = driver.find_element(By.ID, 'map')

    def run(self, script: str, *given: Any) -> Any:
        return self.driver.execute_script(script, *given)

    def wait(self, script: str) -> Any:
        return WebDriverWait(self.driver, WAIT_S).until(lambda _: self.run(f'return {script}'))

    def place(self, code: str) -> tuple[float, float]:
        """Where a code is, in pixels from the middle of the canvas."""
        x, y, width, height = self.run(
            """naicsMap.paint();
            const { picture, table } = naicsMap;
            return [...picture.toScreen(table.codes.indexOf(arguments[0])),
              picture.width, picture.height]""",
            code,
        )
        return x - width / 2, y - height / 2

    def settle(self) -> None:
        self.wait('!naicsMap.view.flying')

    def home(self) -> None:
        self.run('naicsMap.select(-1); naicsMap.view.home()')
        self.settle()

    def move_to(self, x: float, y: float) -> ActionChains:
        chain = ActionChains(self.driver, duration=20)
        return chain.move_to_element_with_offset(self.canvas, round(x), round(y))

    def pixels(self) -> str:
        return self.run('naicsMap.paint(); return naicsMap.picture.canvas.toDataURL()')


@pytest.fixture(scope='module')
def driver(page) -> Iterator[webdriver.Chrome]:
    if not (CHROMIUM and CHROMEDRIVER):
        pytest.skip('chromium and chromedriver are not installed')
    with tempfile.TemporaryDirectory(prefix='naics-embed-map-') as folder:
        file = Path(folder) / 'atlas.html'
        file.write_text(page, encoding='utf-8')
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f'--user-data-dir={folder}/profile'):
            options.add_argument(flag)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        service = webdriver.ChromeService(CHROMEDRIVER)
        driver = webdriver.Chrome(options=options, service=service)
        driver.set_page_load_timeout(WAIT_S)
        driver.get(file.as_uri())
        yield driver
        driver.quit()


@pytest.fixture
def opened(driver) -> Iterator[Map]:
    """The map at home, nothing selected; what it wrote to the console fails the test."""
    found = Map(driver)
    found.home()
    yield found
    assert driver.get_log('browser') == []


def test_frames_are_drawn(opened):
    before = opened.run('return naicsMap.frames.count')
    opened.run('naicsMap.view.pan(1, 0, 0.3)')
    opened.wait(f'naicsMap.frames.count > {before}')
    image = base64.b64decode(opened.pixels().partition(',')[2])
    assert len(image) > 20_000


def test_search_flies_to_a_code(opened):
    box = opened.driver.find_element(By.ID, 'search')
    box.clear()
    box.send_keys('computer systems')
    assert opened.run("return document.getElementById('found').children.length") >= 2
    box.send_keys(Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ENTER)
    opened.wait('naicsMap.state.selected >= 0')
    chosen = opened.run('return naicsMap.table.codes[naicsMap.state.selected]')
    opened.settle()
    assert math.hypot(*opened.place(chosen)) < 1
    title = opened.run('return naicsMap.table.titles[naicsMap.state.selected]')
    assert 'Computer Systems' in title
    card = opened.driver.find_element(By.ID, 'card')
    assert chosen in card.text
    assert opened.run('return document.activeElement.id') == 'map'
    ActionChains(opened.driver).send_keys(Keys.ESCAPE).perform()
    assert not card.is_displayed()


def test_a_flight_passes_along_the_geodesic(opened):
    opened.run(
        """window.seen = [];
        const { table, view } = naicsMap;
        const code = table.codes.indexOf(arguments[0]);
        const changed = view.changed;
        view.changed = () => {
          seen.push(hyperbolic.apply(view.motion, table.disk(code)));
          changed();
        };
        naicsMap.fly(code).then(() => { view.changed = changed; });""",
        CODE,
    )
    opened.settle()
    seen = opened.run('return seen')
    radii = [math.hypot(*at) for at in seen]
    assert radii == sorted(radii, reverse=True)
    assert radii[-1] < 1e-9
    angles = [math.atan2(y, x) for x, y in seen if math.hypot(x, y) > 1e-6]
    assert max(angles) - min(angles) < 1e-6


def test_drag_keeps_the_grabbed_code_under_the_pointer(opened):
    x, y = opened.place('31')
    to = (x + 90, y - 60)
    chain = opened.move_to(x, y).click_and_hold()
    chain.move_by_offset(50, -20).move_by_offset(40, -40).release().perform()
    found = opened.place('31')
    assert math.dist(found, to) < 2
    assert opened.run('return naicsMap.state.selected') == -1


def test_wheel_magnifies_about_the_pointer_and_back_home(opened):
    spot = opened.place('52')
    origin = ActionChains(opened.driver).w3c_actions
    origin.wheel_action.scroll(
        round(spot[0]), round(spot[1]), delta_y=-400, origin=opened.canvas, duration=0
    )
    origin.perform()
    opened.wait('naicsMap.view.scale > 1')
    assert math.dist(opened.place('52'), spot) < 3
    opened.run('for (let i = 0; i < 60; i++) naicsMap.view.zoom(0.7, [0, 0])')
    assert opened.run('return naicsMap.view.scale') == 1
    home = opened.run('return hyperbolic.apply(naicsMap.view.motion, [0, 0])')
    assert math.hypot(*home) < 1e-3


def test_hover_shows_code_title_and_path(opened):
    opened.run('naicsMap.fly(naicsMap.table.codes.indexOf(arguments[0]))', CODE)
    opened.settle()
    opened.move_to(0, 0).perform()
    tip = opened.driver.find_element(By.ID, 'tip')
    assert tip.is_displayed()
    for text in (CODE, TITLE, '5415 ', '54 Professional'):
        assert text in tip.text


def test_double_click_centres_a_code(opened):
    opened.move_to(*opened.place('42')).double_click().perform()
    opened.wait('naicsMap.state.selected >= 0')
    opened.settle()
    assert math.hypot(*opened.place('42')) < 1


def test_edges_are_drawn_on_demand(opened):
    plain = opened.pixels()
    button = opened.driver.find_element(By.ID, 'edges')
    button.click()
    assert button.get_attribute('aria-pressed') == 'true'
    assert opened.pixels() != plain
    button.click()
    assert opened.pixels() == plain


def test_the_legend_filters(opened):
    everything = opened.pixels()
    opened.run("document.querySelectorAll('#legend input')[4].click()")
    assert opened.pixels() != everything
    x, y = opened.place('31')
    nearest = 'return naicsMap.picture.nearest(arguments[0], arguments[1], 3, naicsMap.state.shown)'
    size = opened.run('return [naicsMap.picture.width / 2, naicsMap.picture.height / 2]')
    found = opened.run(nearest, x + size[0], y + size[1])
    code = 'return naicsMap.table.codes[arguments[0]]'
    assert found < 0 or opened.run(code, found)[:2] not in ('31', '32', '33')
    opened.driver.find_element(By.ID, 'all').click()
    assert opened.pixels() == everything


def test_keys_move_magnify_and_reset(opened):
    opened.run("document.getElementById('map').focus()")
    ActionChains(opened.driver).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, '+').perform()
    assert opened.run('return naicsMap.view.scale') > 1
    assert opened.run('return hyperbolic.apply(naicsMap.view.motion, [0, 0])[0]') < -0.1
    ActionChains(opened.driver).send_keys('0').perform()
    opened.settle()
    assert opened.run('return naicsMap.view.scale') == 1
    ActionChains(opened.driver).send_keys('/').perform()
    assert opened.run('return document.activeElement.id') == 'search'


def test_the_theme_and_the_spread_change_the_picture(opened):
    light = opened.pixels()
    opened.driver.find_element(By.ID, 'theme').click()
    dark = opened.pixels()
    assert dark != light
    opened.driver.find_element(By.ID, 'theme').click()
    assert opened.pixels() == light
    spread = """const range = document.getElementById('spread');
      range.value = arguments[0];
      range.dispatchEvent(new Event('input'));"""
    opened.run(spread, 1)
    assert opened.pixels() != light
    opened.run(spread, 1.5)


def test_pinch_magnifies(opened):
    opened.run(
        """const canvas = document.getElementById('map');
        const box = canvas.getBoundingClientRect();
        const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
        canvas.setPointerCapture = () => {};
        const send = (type, id, dx) => canvas.dispatchEvent(new PointerEvent(type, {
          pointerId: id, pointerType: 'touch', clientX: x + dx, clientY: y, bubbles: true }));
        send('pointerdown', 11, -40);
        send('pointerdown', 12, 40);
        send('pointermove', 12, 120);
        send('pointerup', 11, -40);
        send('pointerup', 12, 120);
        delete canvas.setPointerCapture;"""
    )
    assert opened.run('return naicsMap.view.scale') == pytest.approx(2, rel=0.01)
    assert opened.run('return naicsMap.state.selected') == -1


def test_without_motion_a_flight_is_a_jump(opened):
    emulate = 'Emulation.setEmulatedMedia'
    reduced = [{'name': 'prefers-reduced-motion', 'value': 'reduce'}]
    opened.driver.execute_cdp_cmd(emulate, {'features': reduced})
    opened.run('naicsMap.fly(naicsMap.table.codes.indexOf(arguments[0]))', CODE)
    assert not opened.run('return naicsMap.view.flying')
    assert math.hypot(*opened.place(CODE)) < 1
    opened.driver.execute_cdp_cmd(emulate, {'features': []})


def test_a_link_leads_to_a_code(opened):
    opened.run("location.hash = '#722511'")
    opened.wait('naicsMap.state.selected >= 0')
    opened.settle()
    assert math.hypot(*opened.place('722511')) < 1
    opened.run("history.replaceState(null, '', location.pathname)")


@pytest.mark.skipif(AXE is None, reason='AXE_CORE names no axe.min.js')
@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_axe_finds_no_fault(opened, theme):
    opened.run(Path(str(AXE)).read_text(encoding='utf-8'))
    opened.run('document.documentElement.dataset.theme = arguments[0]', theme)
    opened.run('naicsMap.fly(naicsMap.table.codes.indexOf(arguments[0]))', CODE)
    opened.settle()
    found = opened.driver.execute_async_script(
        """const done = arguments[arguments.length - 1];
        document.querySelectorAll('details').forEach((part) => { part.open = true; });
        axe.run().then((result) => done(result.violations.map(
          (fault) => [fault.id, fault.impact, fault.nodes.map((node) => node.html)])));"""
    )
    opened.run('delete document.documentElement.dataset.theme')
    assert found == []
