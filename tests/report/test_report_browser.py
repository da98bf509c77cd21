"""The page in headless Chromium, in both themes. Skipped where there is no browser.

Rules of axe-core are run where ``AXE_CORE`` names its ``axe.min.js`` (``npm pack axe-core``);
contrast, names and keyboard are checked here in any case.
"""

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naics_embed.report.render import complete, render
from naics_embed.report.verdict import judge

webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')

CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason='chromium or chromedriver is not installed'
    ),
]

QUIET = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--window-size=1360,900',
)
LEAST_CONTRAST = 4.5
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (css) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const over = (top, below) => {
  const a = top[3] / 255;
  return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a));
};
const behind = (node) => {
  const found = [];
  for (let at = node; at; at = at.parentElement) {
    found.push(rgba(getComputedStyle(at).backgroundColor));
  }
  return found.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
};
const light = (colour) => {
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const [r, g, b] = colour.map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const worst = [];
for (const node of document.querySelectorAll('body *')) {
  const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const silent = ['SCRIPT', 'STYLE', 'title'].includes(node.tagName);
  if (!own || silent || !node.getClientRects().length) continue;
  const style = getComputedStyle(node);
  const drawn = node.namespaceURI.includes('svg');
  const back = behind(drawn ? node.closest('svg').parentElement : node);
  const front = over(rgba(drawn ? style.fill : style.color), back);
  const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
  worst.push([(high + 0.05) / (low + 0.05), node.tagName, node.textContent.trim().slice(0, 40)]);
}
return worst.sort((a, b) => a[0] - b[0]).slice(0, 5);
"""


@pytest.fixture(scope='module')
def page(whole, config, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('report') / 'report.html'
    html = render(whole, judge(whole, config.report), config.report)
    path.write_text(complete(html, map_href='atlas.html'), encoding='utf-8')
    return path


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*QUIET, f'--user-data-dir={tmp_path_factory.mktemp("chromium")}'):
        options.add_argument(option)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as found:
        found.set_page_load_timeout(120)
        yield found


def show(browser, page: Path, theme: str) -> None:
    """Open the page on a machine that prefers a theme."""
    browser.execute_cdp_cmd(
        'Emulation.setEmulatedMedia',
        {'features': [{'name': 'prefers-color-scheme', 'value': theme}]},
    )
    browser.get(page.as_uri())


def background(browser) -> str:
    return browser.execute_script('return getComputedStyle(document.body).backgroundColor')


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_both_themes_are_drawn_and_legible(browser, page, theme):
    show(browser, page, theme)
    assert [entry['message'] for entry in browser.get_log('browser')] == []
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert('L')
    shades = np.asarray(picture)
    assert (shades.mean() > 128) == (theme == 'light')
    assert shades.std() > 15, 'a blank page'
    assert len(np.unique(shades)) > 100
    assert 'Good' in browser.find_element('css selector', '#glance').text
    browser.execute_script(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
    )
    worst = browser.execute_script(CONTRAST)
    assert worst[0][0] >= LEAST_CONTRAST, worst


def test_the_button_changes_the_theme(browser, page):
    show(browser, page, 'light')
    before = background(browser)
    button = browser.find_element('css selector', '#theme')
    assert button.text == 'Dark theme'
    button.send_keys('\n')
    assert background(browser) != before
    assert button.text == 'Light theme'
    button.click()
    assert background(browser) == before


def test_nothing_leaves_the_machine_and_nothing_overflows(browser, page):
    show(browser, page, 'light')
    asked = [
        entry['message']
        for entry in browser.get_log('performance')
        if '"Network.requestWillBeSent"' in entry['message']
    ]
    assert asked
    assert not any('"url":"http' in message for message in asked)
    for width in (1360, 420):
        browser.set_window_size(width, 900)
        wide, shown = browser.execute_script(
            'return [document.documentElement.scrollWidth, document.documentElement.clientWidth]'
        )
        assert wide <= shown, f'the page scrolls sideways at {width} pixels'
    browser.set_window_size(1360, 900)


OFF_SCREEN = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll('.headline td:not(.bar), .checks b, .beside b')]
  .filter((cell) => cell.textContent.trim() && cell.getClientRects().length)
  .filter((cell) => cell.getBoundingClientRect().right > wide + 1)
  .map((cell) => cell.textContent.trim());
"""


def resize(browser, width: int) -> None:
    """Show the page at a width, that of a phone too, which a window cannot have."""
    browser.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        {'width': width, 'height': 844, 'deviceScaleFactor': 1, 'mobile': width < 600},
    )


@pytest.mark.parametrize('width', [390, 768, 1280])
def test_every_headline_number_is_on_the_screen(browser, page, width):
    show(browser, page, 'light')
    try:
        resize(browser, width)
        assert browser.execute_script(OFF_SCREEN) == []
        wide = browser.execute_script('return document.documentElement.scrollWidth')
        assert wide <= width
    finally:
        browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_without_scripts_the_theme_follows_the_machine(browser, page):
    browser.execute_cdp_cmd('Emulation.setScriptExecutionDisabled', {'value': True})
    show(browser, page, 'dark')
    dark = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert('L')
    browser.execute_cdp_cmd('Emulation.setScriptExecutionDisabled', {'value': False})
    assert np.asarray(dark).mean() < 128


@pytest.mark.skipif('AXE_CORE' not in os.environ, reason='AXE_CORE names no axe.min.js')
@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_axe_finds_no_fault(browser, page, theme):
    show(browser, page, theme)
    browser.set_script_timeout(120)
    browser.execute_script(Path(os.environ['AXE_CORE']).read_text(encoding='utf-8'))
    found = browser.execute_async_script(
        'const done = arguments[arguments.length - 1];'
        'axe.run().then((result) => done(result.violations));'
    )
    faults = [(one['id'], one['impact'], one['nodes'][0]['html'][:120]) for one in found]
    assert faults == []
