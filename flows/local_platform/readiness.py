"""Waiting for Prefect's server, for a pool and for a worker of it."""

import os
import time
from collections.abc import Callable
from typing import Any

import httpx

from flows.local_platform.credentials import GIVEN
from naics_embed.errors import UserError

WAIT_S = 300.0
ANSWER_S = 30.0
POLL_S = 0.5
ONLINE = 'ONLINE'


def wait_for_server() -> None:
    """Wait until Prefect's server answers. Raises UserError where it never does."""
    _wait('gives no answer', lambda: _answer('GET', '/health').status_code == httpx.codes.OK)


def wait_for_pool(name: str) -> None:
    """Wait until there is a work pool. Raises UserError where there never is one."""
    _wait(
        f'has no work pool {name!r}; python -m flows.local_platform setup makes the pools',
        lambda: _allowed(_answer('GET', f'/work_pools/{name}')).status_code == httpx.codes.OK,
    )


def wait_for_worker(pool: str) -> None:
    """Wait until a worker of a pool is online. Raises UserError where none ever is."""

    def online() -> bool:
        answer = _allowed(_answer('POST', f'/work_pools/{pool}/workers/filter', json={}))
        return answer.status_code == httpx.codes.OK and any(
            worker['status'] == ONLINE for worker in answer.json()
        )

    _wait(f'knows no worker of the pool {pool!r} that is online', online)


def _answer(method: str, path: str, **content: Any) -> httpx.Response:
    """Ask the API; proxies of the environment are for other addresses."""
    given = os.environ.get(GIVEN)
    user, _, password = (given or '').partition(':')
    return httpx.request(
        method,
        f'{os.environ["PREFECT_API_URL"]}{path}',
        auth=(user, password) if given else None,
        timeout=ANSWER_S,
        trust_env=False,
        **content,
    )


def _allowed(answer: httpx.Response) -> httpx.Response:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise UserError(
            f'the Prefect server {os.environ["PREFECT_API_URL"]} refuses the password: set '
            f'{GIVEN} to the user:password that it was started with'
        )
    return answer


def _wait(trouble: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while True:
        try:
            if ready():
                return
            reason = ''
        except httpx.HTTPError as error:
            reason = f' ({error!r})'
        if time.monotonic() > end:
            raise UserError(f'the Prefect server {os.environ["PREFECT_API_URL"]} {trouble}{reason}')
        time.sleep(POLL_S)
