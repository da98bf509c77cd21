"""How long a decision takes on the page of the review, in Chromium.

A store, a batch whose suggestions are made up and one reviewer; the service runs without a coder,
as suggestions are made when a batch is created. Every text is decided by the key 1. Measured in the
page: from the key to the next text, and to the line that says that all is saved.

    python -m benchmarks.review_page --decisions 100
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from naics_embed.review.store import Store
from tests.review.review_help import (
    CHROMEDRIVER,
    CHROMIUM,
    PASSWORD,
    make_batch,
    make_users,
    served,
)

WATCH = """
window.taken = [];
let pressed = 0, shown = 0;
addEventListener('keydown', () => { pressed = performance.now(); shown = 0; }, true);
new MutationObserver(() => {
  const now = performance.now();
  const text = document.querySelector('#text')?.textContent;
  if (text !== window.before) { window.before = text; shown ||= now - pressed; }
  if (shown && pressed && document.getElementById('saved').textContent === 'All saved') {
    window.taken.push([shown, now - pressed]); pressed = 0;
  }
}).observe(document.body, {subtree: true, childList: true, characterData: true});
window.before = document.querySelector('#text').textContent;
"""


def measure(decisions: int) -> np.ndarray:
    """Return milliseconds from the key to the next text and to its being saved, ``(n, 2)``."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ''
    with tempfile.TemporaryDirectory() as folder:
        for flag in ('--headless', '--no-sandbox', f'--user-data-dir={folder}/chromium'):
            options.add_argument(flag)
        address = str(Path(folder) / 'review.db')
        store = Store.open(address)
        make_batch(store, people=decisions + 5)
        make_users(store, ann='reviewer')
        driver = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
        try:
            with served(address, 0) as (_, page):
                wait = WebDriverWait(driver, 60, 0.02)
                driver.get(page)
                wait.until(lambda it: it.find_element('id', 'name').is_displayed())
                driver.find_element('id', 'name').send_keys('ann')
                driver.find_element('id', 'password').send_keys(PASSWORD, Keys.ENTER)
                wait.until(lambda it: it.find_elements('css selector', '#text'))
                driver.execute_script(WATCH)
                for done in range(1, decisions + 1):
                    ActionChains(driver).send_keys('1').perform()
                    wait.until(
                        lambda it, done=done: it.execute_script('return taken.length') >= done
                    )
                return np.array(driver.execute_script('return taken'))
        finally:
            driver.quit()
            store.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--decisions', type=int, default=100)
    taken = measure(parser.parse_args().decisions)
    for name, column in zip(('next text', 'saved'), taken.T, strict=True):
        p50, p95 = np.percentile(column, [50, 95])
        print(f'{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms of {len(column)} decisions')


if __name__ == '__main__':
    main()
