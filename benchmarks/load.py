"""The service under load: requests a second, latencies and errors over a minute.

    python -m benchmarks.load [--bundle BUNDLE] [--seconds 60] [--connections 4] [--json FILE]

Starts ``naics-embed serve`` on a free port of the loopback address and drives ``POST /v1/code``
with wrk, or with threads of this process where wrk is not installed. The texts are rows of the
plain-language corpus, one or a batch a request; client and server share the machine.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import write_json
from naics_embed.data.plain_language import read_corpus

COMMAND = 'from naics_embed.cli.main import main; main()'
START_S = 300
QUERIES = 500
WRK = """
local bodies = {{}}
for line in io.lines('{bodies}') do bodies[#bodies + 1] = line end
wrk.method = 'POST'
wrk.headers['Content-Type'] = 'application/json'
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format(nil, '/v1/code', nil, bodies[i])
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, ' ..
    '"bad_status": %d, "socket_errors": %d, "timeouts": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, e.status,
    e.connect + e.read + e.write, e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What came back.

    Attributes:
        client: wrk or python.
        connections: requests under way at a time.
        batch: texts a request.
        requests: requests answered.
        seconds: time in all.
        p50_ms: median latency.
        p99_ms: 99 % of latencies are below.
        max_ms: the longest.
        bad_status: answers other than 2xx.
        socket_errors: connections that failed.
        timeouts: requests that the client gave up.
    """

    client: str
    connections: int
    batch: int
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    bad_status: int
    socket_errors: int
    timeouts: int


class Server:
    """A service in a process of its own."""

    def __init__(self, bundle: Path | None, settings: list[str]) -> None:
        """Start it, and return when it is ready."""
        arguments = ['serve', '--port', '0', *settings]
        if bundle is not None:
            arguments += ['--bundle', str(bundle)]
        self.process = subprocess.Popen(
            [sys.executable, '-c', COMMAND, *arguments], stderr=subprocess.PIPE, text=True
        )
        self.port = 0
        start = time.monotonic()
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if found := re.search(r'listening on http://127\.0\.0\.1:(\d+)', line):
                self.port = int(found.group(1))
            if 'ready:' in line:
                break
        else:
            raise SystemExit(f'the server did not start: status {self.process.wait()}')
        self.ready_s = time.monotonic() - start
        # An unread pipe would fill up and stop the server.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def memory_mb(self) -> float:
        """Return the resident memory of the process."""
        status = Path(f'/proc/{self.process.pid}/status').read_text(encoding='utf-8')
        return int(re.search(r'VmRSS:\s+(\d+)', status).group(1)) / 1024

    def metrics(self) -> dict[str, float]:
        """Return how many answers had which status, by the server's own count."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        connection.request('GET', '/metrics')
        text = connection.getresponse().read().decode()
        pattern = r'naics_embed_requests_total\{.*route="/v1/code",status="(\d+)"\} (\S+)'
        return {status: float(count) for status, count in re.findall(pattern, text)}

    def stop(self) -> None:
        """End it as a service manager does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


def bodies(batch: int) -> list[bytes]:
    """Return requests, each with so many texts of the corpus."""
    texts = read_corpus()['text'].to_list()[: QUERIES * batch]
    return [
        json.dumps({'texts': texts[i : i + batch]}).encode() for i in range(0, len(texts), batch)
    ]


def drive_with_wrk(port: int, connections: int, batch: int, seconds: int) -> Load:
    """Let wrk send requests."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / 'bodies'
        lines.write_bytes(b'\n'.join(bodies(batch)) + b'\n')
        script = Path(folder) / 'load.lua'
        script.write_text(WRK.format(bodies=lines), encoding='utf-8')
        done = subprocess.run(
            [
                *('wrk', '--threads', '1', '--connections', str(connections)),
                *('--duration', f'{seconds}s', '--timeout', '30s', '--latency'),
                *('--script', str(script), f'http://127.0.0.1:{port}'),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r'^RESULT (.*)$', done.stdout, re.MULTILINE)
    if found is None:
        raise SystemExit(f'wrk gave no result:\n{done.stdout}{done.stderr}')
    return Load('wrk', connections, batch, **json.loads(found.group(1)))


def drive_with_threads(port: int, connections: int, batch: int, seconds: int) -> Load:
    """Send requests from threads of this process."""
    requests = bodies(batch)
    latencies: list[float] = []
    faults: Counter[str] = Counter()
    start = time.perf_counter()

    def send(offset: int) -> None:
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
        number = offset
        while time.perf_counter() - start < seconds:
            begun = time.perf_counter()
            try:
                headers = {'Content-Type': 'application/json'}
                connection.request('POST', '/v1/code', requests[number % len(requests)], headers)
                answer = connection.getresponse()
                answer.read()
            except TimeoutError:
                faults['timeouts'] += 1
                connection.close()
            except OSError:
                faults['socket_errors'] += 1
                connection.close()
            else:
                latencies.append(time.perf_counter() - begun)
                faults['bad_status'] += answer.status != 200
            number += connections

    threads = [threading.Thread(target=send, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99, most = (1000 * np.quantile(latencies, (0.5, 0.99, 1.0))).tolist()
    wall = time.perf_counter() - start
    counts = {name: faults[name] for name in ('bad_status', 'socket_errors', 'timeouts')}
    return Load('python', connections, batch, len(latencies), wall, p50, p99, most, **counts)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--seconds', type=int, default=60)
    parser.add_argument('--connections', type=int, default=4)
    parser.add_argument('--batch', type=int, default=1, help='texts a request')
    parser.add_argument('--json', type=Path)
    parser.add_argument('settings', nargs='*', help='service.key=value')
    options = parser.parse_args()
    drive = drive_with_wrk if shutil.which('wrk') else drive_with_threads
    server = Server(options.bundle, options.settings)
    try:
        before = server.memory_mb()
        load = drive(server.port, options.connections, options.batch, options.seconds)
        after, counted = server.memory_mb(), server.metrics()
    finally:
        server.stop()
    shown = Table(show_header=False, box=None)
    facts = {
        **asdict(load),
        'requests_per_s': load.requests / load.seconds,
        'texts_per_s': load.requests * load.batch / load.seconds,
        'ready_s': server.ready_s,
        'memory_before_mb': before,
        'memory_after_mb': after,
        'cores': os.cpu_count(),
        'machine_load': os.getloadavg()[0],
        'answers_by_status': counted,
    }
    for name, value in facts.items():
        shown.add_row(name, f'{value:,.2f}' if isinstance(value, float) else str(value))
    Console().print(shown)
    if options.json:
        write_json(options.json, facts)


if __name__ == '__main__':
    main()
