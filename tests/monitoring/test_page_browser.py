"""The page of the monitor in headless Chromium, on three widths and in both themes."""

import io
import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.monitoring.compare import Monitoring, monitor
from naics_embed.monitoring.page import render_monitoring
from tests.monitoring.test_drift import texts
from tests.report import test_report_browser as report

pytestmark = report.pytestmark
browser = report.browser

WIDTHS = (390, 768, 1280)
START = datetime(2026, 1, 5)
NAME = 'a_folder_with_a_long_name_without_a_blank_' * 3 + 'coded.parquet'


def monitored(weeks: int, *, rows: int = 400, **changed) -> Monitoring:
    """Some weeks like the reference, and a last one that is not."""
    rng = np.random.default_rng(0)
    frames = [
        texts(rows, rng, START + timedelta(weeks=week), days=6.9, **(changed if last else {}))
        for week in range(weeks)
        for last in [week == weeks - 1]
    ]
    long_names = pl.concat(frames).with_columns(bundle=pl.lit('bundle' * 20))
    reference = texts(4000, rng)
    return monitor(long_names, reference, MonitoringConfig(), every='week', named='january.parquet')


@pytest.fixture(scope='module', params=['alarms', 'one window', 'too few texts'])
def page(request, tmp_path_factory) -> Path:
    shares = np.array([0.51, *[0.07] * 7])
    results = {
        'alarms': lambda: monitored(26, shares=shares, words=20, confidence=(2, 6)),
        'one window': lambda: monitored(1),
        'too few texts': lambda: monitored(3, rows=50),
    }
    result = results[request.param]()
    assert bool(result.alarms) == (request.param == 'alarms')
    path = tmp_path_factory.mktemp('page') / 'drift.html'
    path.write_text(render_monitoring(result, NAME), encoding='utf-8')
    return path


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_both_themes_are_drawn_and_legible(browser, page, theme):
    report.show(browser, page, theme)
    assert [entry['message'] for entry in browser.get_log('browser')] == []
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert('L')
    shades = np.asarray(picture)
    assert (shades.mean() > 128) == (theme == 'light')
    assert shades.std() > 15, 'a blank page'
    worst = browser.execute_script(report.CONTRAST)
    assert worst[0][0] >= report.LEAST_CONTRAST, worst


@pytest.mark.parametrize('width', WIDTHS)
@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_nothing_overflows_on_any_screen(browser, page, theme, width):
    report.show(browser, page, theme)
    try:
        report.resize(browser, width)
        wide = browser.execute_script('return document.documentElement.scrollWidth')
        assert wide <= width, f'the page scrolls sideways at {width} pixels'
        cut = browser.execute_script(CUT)
        assert cut == [], 'off the screen, and no box around it scrolls'
        if 'MONITOR_PICTURES' in os.environ:
            name = f'{page.parent.name}-{theme}-{width}.png'
            browser.save_screenshot(str(Path(os.environ['MONITOR_PICTURES']) / name))
    finally:
        browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


CUT = """
const wide = document.documentElement.clientWidth;
return [...document.querySelectorAll('main *')]
  .filter((node) => [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
  .filter((node) => node.getClientRects().length && !node.closest('.scroll'))
  .filter((node) => node.getBoundingClientRect().right > wide + 1)
  .map((node) => node.textContent.trim().slice(0, 60));
"""


def test_numbers_keep_their_names_where_a_phone_has_no_room_for_headers(browser, page):
    report.show(browser, page, 'light')
    try:
        report.resize(browser, 390)
        unnamed, seen = browser.execute_script(UNNAMED)
        assert unnamed == []
        assert seen == page.read_text(encoding='utf-8').count('data-name="PSI"')
    finally:
        browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


UNNAMED = """
const rows = [...document.querySelectorAll('table.errors tbody tr')];
const named = (cell) => getComputedStyle(cell, '::before').content.includes(cell.dataset.name);
const numbers = rows.flatMap((row) => [...row.querySelectorAll('td')].slice(1));
return [numbers.filter((cell) => !named(cell)).map((cell) => cell.textContent), rows.length];
"""


def test_the_page_asks_for_nothing(browser, page):
    report.show(browser, page, 'light')
    asked = [
        entry['message']
        for entry in browser.get_log('performance')
        if '"Network.requestWillBeSent"' in entry['message']
    ]
    assert asked
    assert not any('"url":"http' in message for message in asked)


def test_the_button_changes_the_theme(browser, page):
    report.show(browser, page, 'light')
    before = report.background(browser)
    browser.find_element('css selector', '#theme').click()
    assert report.background(browser) != before


@pytest.mark.skipif('AXE_CORE' not in os.environ, reason='AXE_CORE names no axe.min.js')
@pytest.mark.parametrize('width', WIDTHS)
@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_axe_finds_no_fault(browser, page, theme, width):
    try:
        report.resize(browser, width)
        report.test_axe_finds_no_fault(browser, page, theme)
    finally:
        browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
