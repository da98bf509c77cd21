"""Fetching of one workbook over HTTP into a local cache."""

import logging
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from naics_embed.artifacts import atomic_file, checksum, read_json, write_json
from naics_embed.census.files import Workbook
from naics_embed.census.request import (
    Answer,
    Clock,
    HttpSettings,
    Progress,
    TransientError,
    ask,
)
from naics_embed.errors import ArtifactError, SourceError
from naics_embed.home import in_home
from naics_embed.time_limit import TimeBudget, TimeLimitError, call_within
from naics_embed.workbooks.check import check_workbook
from naics_embed.workbooks.limits import DEFAULT_LIMITS, WorkbookLimits
from naics_embed.workbooks.package import DamagedWorkbookError

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

SHOWN = 12
"""Digits of a checksum that a message has; those of the files used are in the run's records."""


@dataclass(frozen=True)
class Downloaded:
    """A workbook in the cache.

    Attributes:
        path: where it lies.
        sha256: checksum of its bytes.
        status: ``fetched`` now, ``not modified`` since an earlier fetch, or ``cached`` where the
            server could not be reached.
        known: whether the checksum is the one on record.
    """

    path: Path
    sha256: str
    status: Literal['fetched', 'not modified', 'cached']
    known: bool


@dataclass(frozen=True)
class _Held:
    """A valid file in the cache, and the validators that the server gave for it."""

    sha256: str
    validators: dict[str, str]


def download(
    workbook: Workbook,
    cache_dir: Path,
    *,
    settings: HttpSettings,
    limits: WorkbookLimits = DEFAULT_LIMITS,
    progress: Progress | None = None,
    base_url: str | None = None,
    budget: TimeBudget | None = None,
) -> Downloaded:
    """Bring a workbook into ``cache_dir``, under its official name.

    The request is conditional (ETag, Last-Modified) where the cache holds an intact copy.
    Connection errors, timeouts, truncated answers, 408, 429 and 5xx are tried again. Where all
    fails and the cache holds a copy, that copy is used with a warning.

    Args:
        workbook: which one.
        cache_dir: directory of the cache; created where it does not exist.
        settings: timeouts, retries and the largest download.
        limits: how large the workbook may be once it is unpacked and read.
        progress: called as bytes arrive.
        base_url: folder of a mirror; None for the official address.
        budget: time that this workbook shares with others, beside ``settings.deadline_s``.

    Returns:
        The path of the file, its checksum, and whether it was fetched.

    Raises:
        SourceError: it could not be fetched, is too large or is no workbook, and no copy is held.
    """
    url = workbook.url if base_url is None else _mirrored(workbook, base_url)
    path = cache_dir / workbook.file_name
    held = held_copy(path, url, limits)
    try:
        downloaded = _fetch(workbook, url, path, held, settings, limits, progress, budget)
    except SourceError as error:
        if held is None:
            raise
        log.warning('%s; using the copy in the cache, %s', error, path)
        downloaded = Downloaded(path, held.sha256, 'cached', _is_known(workbook, held.sha256))
    if not downloaded.known:
        log.warning('%s', unknown_checksum(workbook, path, downloaded.sha256))
    return downloaded


def held_copy(path: Path, url: str, limits: WorkbookLimits) -> _Held | None:
    """Return checksum and validators of an intact cached copy, or None where there is none."""
    if not path.is_file():
        return None
    try:
        check_workbook(path, limits)
    except SourceError as error:
        log.warning('%s; the copy in the cache is ignored', error)
        return None
    sha256 = checksum(path)[0]
    try:
        record: dict[str, Any] = read_json(_sidecar(path))
    except ArtifactError:
        return _Held(sha256, {})
    # Validators refer to the bytes that the server sent, so an altered copy must not use them.
    if record.get('sha256') != sha256 or record.get('url') != url:
        return _Held(sha256, {})
    headers = {'If-None-Match': record.get('etag'), 'If-Modified-Since': record.get('modified')}
    return _Held(sha256, {name: value for name, value in headers.items() if value})


def unknown_checksum(workbook: Workbook, path: Path, sha256: str) -> str:
    """Return the warning that a file is not byte for byte the one on record."""
    return (
        f'{path} is not the known file (sha256 {sha256[:SHOWN]}, not {workbook.sha256[:SHOWN]}): '
        'the Census Bureau may have replaced it, or it was saved again; it is used if its '
        'structure is right'
    )


def _is_known(workbook: Workbook, sha256: str) -> bool:
    return workbook.sha256 in ('', sha256)


def _fetch(
    workbook: Workbook,
    url: str,
    path: Path,
    held: _Held | None,
    settings: HttpSettings,
    limits: WorkbookLimits,
    progress: Progress | None,
    shared: TimeBudget | None,
) -> Downloaded:
    budget = TimeBudget(settings.deadline_s, 'data.http.deadline_s')
    clock = Clock(budget if shared is None else shared, budget)
    sign_in = _sign_in()
    validators = held.validators if held else {}
    attempt = 0
    while True:
        attempt += 1
        request = partial(ask, sign_in, workbook, url, validators, settings, progress, clock)
        try:
            answer = _in_time(request, clock)
            if answer is not None:
                return _keep(answer, workbook, url, path, limits)
            assert held is not None, 'only a copy that is held can be unchanged'
            return Downloaded(path, held.sha256, 'not modified', _is_known(workbook, held.sha256))
        except TransientError as error:
            wait = _delay(attempt, error.retry_after_s, settings)
            late = wait >= clock.left()
            if attempt > settings.retries or late:
                bound = str(clock.shortest()) if late else 'and no more are made'
                raise SourceError(
                    f'{workbook.file_name} could not be fetched from {url}: {error} '
                    f'(attempts: {attempt}, {bound}); check the network, or download it '
                    'by hand and name its directory with data.folder'
                ) from error
            log.info('%s: %s; attempt %d follows in %.1f s', url, error, attempt + 1, wait)
            time.sleep(wait)


def _in_time(request: Callable[[], Answer | None], clock: Clock) -> Answer | None:
    clock.came = 0
    try:
        return call_within(request, clock.left)
    except TimeLimitError as error:
        raise clock.late() from error


def _sign_in() -> 'httpx.Auth | None':
    """Return users and passwords of mirrors by host, from ``$NETRC`` or ``~/.netrc``, if any."""
    import netrc

    import httpx

    file = in_home(os.environ.get('NETRC') or '~/.netrc')
    if file is None or not file.is_file():
        return None
    try:
        return httpx.NetRCAuth(str(file))
    except (OSError, netrc.NetrcParseError) as error:
        where = f', line {error.lineno}' if isinstance(error, netrc.NetrcParseError) else ''
    # Neither reason nor cause: they may repeat a password.
    raise SourceError(
        f'{file}{where} cannot be read; it holds passwords of servers, as `man netrc` describes'
    )


def _keep(
    answer: Answer, workbook: Workbook, url: str, path: Path, limits: WorkbookLimits
) -> Downloaded:
    """Write an answer to the cache, if it is a workbook."""
    with atomic_file(path) as temporary:
        temporary.write_bytes(answer.content)
        _check_content(temporary, workbook, url, limits)
        sha256 = checksum(temporary)[0]
    record = {'url': url, 'etag': answer.etag, 'modified': answer.modified, 'sha256': sha256}
    write_json(_sidecar(path), record)
    return Downloaded(path, sha256, 'fetched', _is_known(workbook, sha256))


def _check_content(path: Path, workbook: Workbook, url: str, limits: WorkbookLimits) -> None:
    try:
        check_workbook(path, limits, name='what came')
    except DamagedWorkbookError as error:
        raise TransientError(str(error)) from error
    except SourceError as error:
        raise SourceError(f'{workbook.file_name} from {url} is refused: {error}') from error


def _delay(attempt: int, retry_after_s: float | None, settings: HttpSettings) -> float:
    if retry_after_s is not None:
        return min(retry_after_s, settings.backoff_max_s)
    longest = min(settings.backoff_s * 2 ** (attempt - 1), settings.backoff_max_s)
    # Half of the delay is random, so that many clients do not come back together.
    return longest * random.uniform(0.5, 1.0)


def _mirrored(workbook: Workbook, base_url: str) -> str:
    return f'{base_url.rstrip("/")}/{quote(workbook.file_name)}'


def _sidecar(path: Path) -> Path:
    return path.with_name(f'{path.name}.json')
