"""A server under load, while bundles are promoted and refused: no request fails."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter

import pytest

from naics_embed.bundle.promotion import promote
from tests.service.bundles import another, broken
from tests.service.service_help import ADDRESS, COMMAND, ROOT, START_S, WAIT_S, wait_until

CLIENTS = 16
BODY = json.dumps({'texts': ['soybean farming', 'dog grooming']})


class Client(threading.Thread):
    """Sends one request after the other, on a connection that it keeps."""

    def __init__(self, port: int, stop: threading.Event) -> None:
        super().__init__()
        self.port, self.stop = port, stop
        self.bundles: Counter[str] = Counter()
        self.faults: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=START_S)
        while not self.stop.is_set():
            try:
                connection.request('POST', '/v1/code', BODY, {'Content-Type': 'application/json'})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
                return
            if answer.status != 200:
                self.faults.append(f'{answer.status} {content[:200]!r}')
                return
            self.bundles[json.loads(content)['provenance']['bundle']] += 1


def model(port: int) -> dict:
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=START_S)
    connection.request('GET', '/v1/model')
    return json.loads(connection.getresponse().read())


@pytest.mark.slow
def test_no_request_fails_while_bundles_come_and_go(bundle_path, tmp_path):
    shutil.copytree(bundle_path, tmp_path / 'first')
    another(bundle_path, tmp_path / 'second')
    broken(bundle_path, tmp_path / 'broken')
    promote(tmp_path, tmp_path / 'first', {})
    log = tmp_path / 'log'
    settings = ('service.reload.watch_s=0.2', 'service.timeout_s=120', 'service.queue=64')
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, 'serve', '--port', '0', *settings],
            stderr=stream,
            cwd=ROOT,
            env=os.environ | {'NAICS_EMBED_HOME': str(tmp_path)},
        )
    stop = threading.Event()
    clients: list[Client] = []
    try:
        wait_until(lambda: 'ready' in log.read_text() or process.poll() is not None, START_S)
        port = int(ADDRESS.search(log.read_text()).group(1).rpartition(':')[2])
        first = model(port)['provenance']['bundle']
        clients = [Client(port, stop) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        promote(tmp_path, tmp_path / 'second', {})
        wait_until(lambda: model(port)['provenance']['bundle'] != first, START_S)
        second = model(port)['provenance']['bundle']
        promote(tmp_path, tmp_path / 'broken', {})
        wait_until(lambda: model(port)['reload']['result'] == 'refused', START_S)
        assert model(port)['provenance']['bundle'] == second
        # The pointer goes back; a signal is as good as the watch.
        promote(tmp_path, tmp_path / 'first', {})
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: model(port)['provenance']['bundle'] == first, START_S)
        before = sum(sum(client.bundles.values()) for client in clients)
        wait_until(
            lambda: sum(sum(client.bundles.values()) for client in clients) > before + CLIENTS,
            WAIT_S,
        )
        # Of three bundles that were loaded, one is left in memory.
        wait_until(lambda: log.read_text().count('the bundle before is free') == 2, START_S)
    finally:
        stop.set()
        for client in clients:
            client.join()
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)
    assert [client.faults for client in clients if client.faults] == []
    used = sum((client.bundles for client in clients), Counter())
    assert set(used) == {first, second}
    assert min(used.values()) >= 1
    assert 'Traceback' not in log.read_text()
