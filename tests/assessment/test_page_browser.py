"""The page in headless Chromium, in both themes, as the report of a run is tested."""

import os
from pathlib import Path

import pytest

from naics_embed.assessment.assess import assess
from naics_embed.assessment.page import render_assessment
from naics_embed.learning.labelled import label_texts
from tests.report import test_report_browser as report

pytestmark = report.pytestmark
browser = report.browser


@pytest.fixture(scope='module')
def page(coder, tmp_path_factory) -> Path:
    titles = [coder.searcher.titles[i] for i in coder.leaves.tolist()][::9]
    codes = list(coder.leaf_codes)[::9]
    texts = [' '.join(title.split()[:3]) + ' and more of it' for title in titles]
    texts += ['Corn Farming', 'Rice Farming', 'unbroken' * 60, 'none']
    codes += ['541110', '541110', '541110', '541110']
    labelled = label_texts(texts, codes, coder.searcher.codes)
    path = tmp_path_factory.mktemp('page') / 'assessment.html'
    path.write_text(render_assessment(assess(coder, labelled), 'firms.csv'), encoding='utf-8')
    return path


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_both_themes_are_drawn_and_legible(browser, page, theme):
    report.show(browser, page, theme)
    assert [entry['message'] for entry in browser.get_log('browser')] == []
    browser.execute_script(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
    )
    worst = browser.execute_script(report.CONTRAST)
    assert worst[0][0] >= report.LEAST_CONTRAST, worst


def test_nothing_leaves_the_machine_and_nothing_overflows(browser, page):
    report.show(browser, page, 'light')
    asked = [
        entry['message']
        for entry in browser.get_log('performance')
        if '"Network.requestWillBeSent"' in entry['message']
    ]
    assert asked
    assert not any('"url":"http' in message for message in asked)
    for width in (1360, 400):
        shape = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}
        browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', shape)
        wide, shown = browser.execute_script(
            'return [document.documentElement.scrollWidth, document.documentElement.clientWidth]'
        )
        assert wide <= shown <= width, f'the page scrolls sideways at {width} pixels'
    browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_the_button_changes_the_theme(browser, page):
    report.show(browser, page, 'light')
    before = report.background(browser)
    browser.find_element('css selector', '#theme').click()
    assert report.background(browser) != before


@pytest.mark.skipif('AXE_CORE' not in os.environ, reason='AXE_CORE names no axe.min.js')
@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_axe_finds_no_fault(browser, page, theme):
    report.test_axe_finds_no_fault(browser, page, theme)
