"""The service and the database killed again and again, with two reviewers at work.

``REVIEW_KILLS=50`` kills fifty times; a few by default.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from naics_embed.review.batches import progress
from naics_embed.review.decide import history
from naics_embed.review.queue import next_items
from naics_embed.review.resolution import settle
from naics_embed.review.store import Store
from naics_embed.review.tables import decisions, items, users
from tests.review.review_help import (
    CHROMEDRIVER,
    CHROMIUM,
    CLAIM_S,
    PASSWORD,
    ROOT,
    START_S,
    Client,
    make_batch,
    make_users,
)

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get('REVIEW_KILLS', '6'))
POSTGRES = Path('/usr/lib/postgresql')
NAMES = ('ann', 'bob')


class Worker(threading.Thread):
    """A reviewer's program that decides until it is told to stop."""

    def __init__(self, port: int, name: str, pause_s: float) -> None:
        super().__init__()
        self.client = Client(port, name)
        self.pause_s = pause_s
        self.sent: dict[str, int] = {}
        self.stopping = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.client.sign_in()
            while not self.stopping.wait(self.pause_s):
                taken = self.client.ask('POST', '/api/batches/q3/next', {'count': 1})['items']
                assert taken, 'the batch is too small for this test'
                self.decide(taken[0])
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self.failure = error

    def decide(self, item) -> None:
        key = f'{self.client.name}-{len(self.sent)}'
        code = item['suggestions'][len(self.sent) % 3]['code']
        self.sent[key] = item['id']
        body = {'key': key, 'item': item['id'], 'action': 'code', 'code': code}
        answer = self.client.ask('POST', '/api/decisions', body)
        assert answer['item'] == item['id']


def check_nothing_lost(store: Store, sent: dict[str, dict[str, int]]) -> None:
    """Each decision that was sent is there once, and the items are as the history says."""
    with store.reading() as connection:
        rows = connection.execute(
            select(decisions.c.key, decisions.c.item_id, users.c.name).join(
                users, users.c.id == decisions.c.user_id
            )
        ).all()
        found = {name: {row.key: row.item_id for row in rows if row.name == name} for name in sent}
        assert found == sent
        assert len(rows) == sum(len(own) for own in sent.values()), 'a decision is there twice'
        by_item = [item for own in sent.values() for item in own.values()]
        single = set(connection.execute(select(items.c.id).where(items.c.coders == 1)).scalars())
        once = [item for item in by_item if item in single]
        assert len(once) == len(set(once)), 'two reviewers got one item'
        for item in set(by_item):
            row = connection.execute(select(items).where(items.c.id == item)).one()
            assert row.state == settle(history(connection, item), row.coders).state


def at_work(port: int, pause_s: float = 0.02) -> list[Worker]:
    workers = [Worker(port, name, pause_s) for name in NAMES]
    for worker in workers:
        worker.start()
    return workers


def wait_for_more(workers: list[Worker], more: int) -> None:
    """Return when the workers together have sent some more decisions."""
    target = sum(len(worker.sent) for worker in workers) + more
    end = time.monotonic() + START_S
    while sum(len(worker.sent) for worker in workers) < target:
        for worker in workers:
            if worker.failure is not None:
                raise worker.failure
        assert time.monotonic() < end
        time.sleep(0.005)


def stop(workers: list[Worker]) -> dict[str, dict[str, int]]:
    for worker in workers:
        worker.stopping.set()
    for worker in workers:
        worker.join(START_S)
        if worker.failure is not None:
            raise worker.failure
    return {worker.client.name: worker.sent for worker in workers}


def test_the_service_is_killed_with_two_programs_at_work(store, address):
    people = 40 + 16 * KILLS
    make_batch(store, people=people, double=range(0, people, 5))
    make_users(store, **dict.fromkeys(NAMES, 'reviewer'))
    rng = np.random.default_rng(0)
    with servers(address) as running:
        workers = at_work(running.port)
        try:
            for _ in range(KILLS):
                wait_for_more(workers, int(rng.integers(1, 8)))
                time.sleep(float(rng.random()) * 0.02)
                running.kill()
                running.start()
            wait_for_more(workers, 5)
            sent = stop(workers)
        finally:
            for worker in workers:
                worker.stopping.set()
    check_nothing_lost(store, sent)
    print(f'{KILLS} kills, {sum(map(len, sent.values()))} decisions')  # noqa: T201


class Servers:
    """Starts servers on one port, and kills them."""

    def __init__(self, address: str) -> None:
        self.address = address
        with socket.create_server(('127.0.0.1', 0)) as free:
            self.port = free.getsockname()[1]
        self.starter = subprocess.Popen(
            [sys.executable, '-m', 'tests.review.server_starter'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.process = 0

    def start(self) -> None:
        """Start a server, and wait until it answers."""
        self.starter.stdin.write(f'{self.address} {self.port}\n')
        self.starter.stdin.flush()
        self.process = int(self.starter.stdout.readline())
        Client(self.port, '').ask('GET', '/healthz')

    def kill(self) -> None:
        """Kill it at once, as ``kill -9`` does, and wait until it is gone."""
        os.kill(self.process, signal.SIGKILL)
        end = time.monotonic() + START_S
        while Path(f'/proc/{self.process}').exists():
            assert time.monotonic() < end
            time.sleep(0.002)
        self.process = 0

    def close(self) -> None:
        if self.process:
            self.kill()
        self.starter.kill()
        self.starter.communicate()


@contextlib.contextmanager
def servers(address: str) -> Iterator[Servers]:
    made = Servers(address)
    try:
        made.start()
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator['Postgres']:
    found = sorted(POSTGRES.glob('*/bin/pg_ctl'))
    if not found:
        pytest.skip('there is no PostgreSQL on this machine')
    server = Postgres(found[-1].parent, folder)
    server.start()
    try:
        yield server
    finally:
        server.control('stop', '-m', 'immediate')


class Postgres:
    """A server in a folder, run by the account that PostgreSQL wants."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries = binaries
        self.data = folder / 'data'
        self.account = 'postgres' if os.geteuid() == 0 else None
        with socket.create_server(('127.0.0.1', 0)) as listening_:
            self.port = listening_.getsockname()[1]
        folder.mkdir()
        if self.account is not None:
            shutil.chown(folder, self.account)
        secret = folder / 'password'
        secret.write_text('secret')
        secret.chmod(0o644)
        self.run(
            'initdb', '-D', self.data, '-A', 'scram-sha-256', '-U', 'naics', f'--pwfile={secret}'
        )
        self.address = f'postgresql://naics:secret@127.0.0.1:{self.port}/postgres'

    def run(self, name: str, *arguments: object) -> None:
        command = [str(self.binaries / name), *map(str, arguments)]
        done = subprocess.run(
            command,
            user=self.account,
            cwd='/',
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def control(self, action: str, *arguments: str) -> None:
        self.run('pg_ctl', '-D', self.data, '-w', '-t', '120', action, *arguments)

    def start(self) -> None:
        options = f'-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='
        self.control('start', '-l', str(self.data / 'log'), '-o', options)


@pytest.fixture
def database() -> Iterator[Postgres]:
    # A folder that the account of PostgreSQL may enter, which those of pytest are not.
    with tempfile.TemporaryDirectory(prefix='naics-review-pg-') as name:
        Path(name).chmod(0o755)
        with postgres(Path(name) / 'server') as server:
            yield server


def test_postgres_is_restarted_with_two_programs_at_work(database):
    store = Store.open(database.address)
    make_batch(store, people=120, double=range(0, 120, 5))
    make_users(store, **dict.fromkeys(NAMES, 'reviewer'))
    with servers(database.address) as running:
        workers = at_work(running.port, 0.05)
        for how in ('immediate', 'fast', 'immediate'):
            wait_for_more(workers, 6)
            database.control('stop', '-m', how)
            time.sleep(0.3)
            database.start()
        wait_for_more(workers, 6)
        sent = stop(workers)
    check_nothing_lost(store, sent)
    store.close()


def test_postgres_gives_no_item_to_two(database):
    store = Store.open(database.address)
    numbers = make_batch(store, people=30, double=(3, 4))
    people = make_users(store, ann='reviewer', bob='reviewer', cy='reviewer')
    got: list[int] = []

    def work(user) -> None:
        seen: list[int] = []
        while True:
            taken = store.write(
                lambda connection: next_items(connection, 1, user, 2, CLAIM_S, list(seen))
            )
            if not taken:
                return
            seen.extend(taken)
            got.extend(taken)

    threads = [threading.Thread(target=work, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted([*numbers, numbers[3], numbers[4]])
    with store.reading() as connection:
        assert progress(connection, 1).open == 30
    store.close()


PRESS = """
const [key] = arguments;
document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
"""


@contextlib.contextmanager
def browsers(folder: Path) -> Iterator[list]:
    webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
    if CHROMIUM is None or CHROMEDRIVER is None:
        pytest.skip('there is no chromium with its chromedriver on this machine')
    drivers = []
    try:
        for name in NAMES:
            options = webdriver.ChromeOptions()
            options.binary_location = CHROMIUM
            flags = ('--headless', '--no-sandbox', '--disable-gpu', '--no-first-run')
            for flag in (*flags, f'--user-data-dir={folder / name}'):
                options.add_argument(flag)
            drivers.append(webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER)))
        yield drivers
    finally:
        for driver in drivers:
            driver.quit()


def test_the_service_is_killed_with_two_browsers_at_work(store, address, tmp_path):
    """Keys are pressed while the service is down too: the page keeps what is decided."""
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    make_batch(store, people=60 + 16 * KILLS)
    make_users(store, **dict.fromkeys(NAMES, 'reviewer'))
    rng = np.random.default_rng(1)
    with browsers(tmp_path) as drivers, servers(address) as running:

        def until(driver, script: str) -> None:
            WebDriverWait(driver, START_S, 0.1).until(
                lambda one: one.execute_script(f'return {script}')
            )

        for driver, name in zip(drivers, NAMES, strict=True):
            driver.get(f'http://127.0.0.1:{running.port}/')
            until(driver, "!document.getElementById('sign-in').hidden")
            driver.find_element('id', 'name').send_keys(name)
            driver.find_element('id', 'password').send_keys(PASSWORD, Keys.ENTER)
        for driver in drivers:
            until(driver, "!document.getElementById('work').hidden")
        for kill in range(KILLS):
            for driver in drivers:
                for _ in range(int(rng.integers(1, 4))):
                    driver.execute_script(PRESS, str(rng.integers(1, 4)))
            time.sleep(float(rng.random()) * 0.05)
            running.kill()
            for driver in drivers:
                driver.execute_script(PRESS, '1')
            running.start()
            if kill == KILLS // 2:
                # A page that is loaded again has its queue still.
                drivers[0].refresh()
            for driver in drivers:
                until(driver, "!document.getElementById('work').hidden")
        for driver in drivers:
            until(driver, "document.getElementById('saved').textContent === 'All saved'")
        ids = {
            name: driver.execute_script(
                'return JSON.parse(localStorage.getItem(arguments[0])).map((one) => one.id)',
                f'naics-review-history:{name}:q3',
            )
            for driver, name in zip(drivers, NAMES, strict=True)
        }
        failed = [
            driver.execute_script("return document.getElementById('failed').hidden")
            for driver in drivers
        ]
    assert failed == [True, True], 'a decision was refused'
    with store.reading() as connection:
        for name, own in ids.items():
            made = list(
                connection.execute(
                    select(decisions.c.item_id)
                    .join(users, users.c.id == decisions.c.user_id)
                    .where(users.c.name == name)
                ).scalars()
            )
            # The page remembers the last hundred.
            assert len(own) == min(len(made), 100)
            assert len(made) == len(set(made)), 'a decision is there twice'
            assert set(own) <= set(made), 'a decision is lost'
        both = set(ids['ann']) & set(ids['bob'])
        assert not both, 'two reviewers got one item'
    print(f'{KILLS} kills, {sum(map(len, ids.values()))} decisions')  # noqa: T201
