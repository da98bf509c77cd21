"""A miniature of the Census source, and a browser.

The miniature is three real sectors, with texts made up on the spot.
"""

import shutil
from collections.abc import Iterator

import pytest

from benchmarks.miniature import Miniature
from benchmarks.miniature import miniature as make_miniature

FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
)


@pytest.fixture(scope='session')
def miniature() -> Miniature:
    return make_miniature()


@pytest.fixture
def browser(tmp_path) -> Iterator['object']:
    """A headless Chromium without a history."""
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    chromium, driver = shutil.which('chromium'), shutil.which('chromedriver')
    if not (chromium and driver):
        pytest.skip('chromium and chromedriver are not installed')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f'--user-data-dir={tmp_path}/profile'):
        options.add_argument(flag)
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield running
    running.quit()
