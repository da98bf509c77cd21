"""What the options of the service cost, side by side, and how fast suggestions are.

    python -m benchmarks.operation --bundle BUNDLE [--before CHECKOUT] [--requests 300]

Starts one service with every option off, one with keys, a line a request, jobs and the candidate
itself in shadow mode, and one of another checkout (``--before``). A client sends the same request
to each in turn, so that what else the machine does falls on all of them alike. Suggestions are
timed in this process, at every letter of queries that are typed.
"""

import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import write_json
from naics_embed.bundle.storage import Bundle
from naics_embed.search.suggest import SuggestIndex
from naics_embed.service.key_file import SCOPES, create_key

COMMAND = 'from naics_embed.cli.main import main; main()'
ADDRESS = re.compile(r'listening on http://127\.0\.0\.1:(\d+)')
START_S = 600
ROOT = Path(__file__).resolve().parents[1]
TYPED = ('dog grooming', 'software developement', 'restarant', 'growing soybeans', 'roof instal')
TEXTS = ('we install roofs', 'dog grooming salon', 'custom software for banks', 'soybean farm')
PROBES = {'health': ('GET', '/healthz', None), 'code': ('POST', '/v1/code', TEXTS)}


class Running:
    """A service in a process of its own."""

    def __init__(self, checkout: Path, arguments: list[str], headers: dict[str, str]) -> None:
        environment = {**os.environ, 'PYTHONPATH': str(checkout)}
        self.headers = headers
        self.log = tempfile.NamedTemporaryFile('w+')  # noqa: SIM115  # closed by `stop`
        self.process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, 'serve', '--port', '0', *arguments],
            cwd=checkout,
            env=environment,
            # Not a pipe: nobody reads it while requests are timed.
            stderr=self.log,
        )
        port = self._port(checkout)
        self.connection = http.client.HTTPConnection('127.0.0.1', port, timeout=START_S)

    def _port(self, checkout: Path) -> int:
        end = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < end:
            lines = Path(self.log.name).read_text(encoding='utf-8')
            if 'ready:' in lines and (found := ADDRESS.search(lines)):
                return int(found.group(1))
            time.sleep(0.2)
        raise SystemExit(f'the service of {checkout} did not start')

    def seconds(self, method: str, path: str, body: str | None) -> float:
        """Return how long a request takes."""
        headers = self.headers | ({'Content-Type': 'application/json'} if body else {})
        start = time.perf_counter()
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        taken = time.perf_counter() - start
        if answer.status != 200:
            raise SystemExit(f'{path} got {answer.status}')
        return taken

    def stop(self) -> None:
        """End the process."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=START_S)
        self.log.close()


def compare(services: dict[str, Running], requests: int) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of each probe at each service, asked in turn."""
    result: dict[str, dict[str, float]] = {}
    for probe, (method, path, texts) in PROBES.items():
        times: dict[str, list[float]] = {name: [] for name in services}
        for number in range(requests):
            body = None
            if texts is not None:
                body = json.dumps({'texts': texts[number % len(texts)]})
            order = list(services.items())
            # Each is first as often as the others.
            shift = number % len(order)
            for name, service in [*order[shift:], *order[:shift]]:
                times[name].append(service.seconds(method, path, body))
        result[probe] = {
            name: 1000 * statistics.median(values[requests // 10 :])
            for name, values in times.items()
        }
    return result


def suggestions(bundle: Path) -> dict[str, float]:
    """Return how long suggestions take, and how long their index does."""
    start = time.perf_counter()
    index = SuggestIndex.of(Bundle.load(bundle, verify=False))
    built = time.perf_counter() - start
    times = []
    for query in TYPED * 5:
        for end in range(1, len(query) + 1):
            start = time.perf_counter()
            index.suggest(query[:end], 10)
            times.append(1000 * (time.perf_counter() - start))
    times.sort()
    return {
        'texts': len(index.entries),
        'built_s': built,
        'p50_ms': times[len(times) // 2],
        'p99_ms': times[int(len(times) * 0.99)],
        'max_ms': times[-1],
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--before', type=Path)
    parser.add_argument('--requests', type=int, default=300)
    parser.add_argument('--json', type=Path)
    given = parser.parse_args()
    bundle = given.bundle.resolve()
    found = {'suggestions': suggestions(bundle)}
    with tempfile.TemporaryDirectory(prefix='naics-embed-') as folder:
        keys = Path(folder) / 'keys.json'
        secret, _ = create_key(keys, 'benchmark', SCOPES)
        plain = ['--bundle', str(bundle)]
        every = [
            *plain,
            *('--keys', str(keys), '--jobs', f'{folder}/jobs', '--shadow', str(bundle)),
            *('service.logs.requests=true', 'service.logs.json=true'),
        ]
        services = {'off': Running(ROOT, plain, {})}
        if given.before is not None:
            services['before'] = Running(given.before.resolve(), plain, {})
        services['on'] = Running(ROOT, every, {'X-API-Key': secret})
        try:
            found |= compare(services, given.requests)
        finally:
            for service in services.values():
                service.stop()
    table = Table('probe', *services, title='median ms')
    for probe in PROBES:
        table.add_row(probe, *(f'{found[probe][name]:.3f}' for name in services))
    Console().print(table)
    Console().print(found['suggestions'])
    if given.json is not None:
        write_json(given.json, found)


if __name__ == '__main__':
    main()
