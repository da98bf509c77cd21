"""What tests of the service share."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from naics_embed.config.service import ServiceConfig
from naics_embed.service.answers import Problem

CONFIG = ServiceConfig(workers=2, max_texts=8, max_characters=200, max_body_bytes=4096, max_k=20)
COMMAND = 'from naics_embed.cli.main import main; main()'
ADDRESS = re.compile(r'listening on (http://\S+)')
START_S = 300
WAIT_S = 60
ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
CHROMEDRIVER = shutil.which('chromedriver')
NAME, REBOUND = 'naics.test', 'rebound.test'
FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'),
    *('--disable-background-networking', '--disable-component-update', '--disable-sync'),
    '--window-size=1200,1000',
    # Names that resolve to this machine: one that the service is to answer to, and one of a page
    # whose author has control of its name.
    f'--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP {REBOUND} 127.0.0.1',
)


def wait_until(met: Callable[[], bool], seconds: float = WAIT_S) -> None:
    """Return when a condition is met; fail after some seconds."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.01)


def is_problem(answer, status: int) -> Problem:
    """Check that an answer is an error that tells no more than it should."""
    assert answer.status_code == status, answer.text
    assert answer.headers['content-type'] == 'application/problem+json'
    assert 'Traceback' not in answer.text
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == status
    assert problem.detail
    return problem


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-c', COMMAND, 'serve', *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def wait(page, script: str) -> object:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(page, WAIT_S).until(lambda _: page.execute_script(f'return {script}'))


def ask(page, query: str, status: str) -> None:
    """Type a query, press enter, and wait for what the page says."""
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.getElementById('query').value = ''")
    page.find_element('id', 'query').send_keys(query, Keys.ENTER)
    wait(page, f"document.getElementById('status').textContent.includes({json.dumps(status)})")
