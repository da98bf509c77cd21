"""Fetching of one workbook over HTTP into a local cache."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from naics_embed.artifacts import atomic_file, checksum, read_json, write_json
from naics_embed.census.archive import DamagedWorkbookError, check_workbook
from naics_embed.census.files import Workbook
from naics_embed.errors import ArtifactError, SourceError

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Called with file name, bytes so far, and bytes in all where the server says so."""

_RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_NOT_MODIFIED = 304
_OK = 200


@dataclass(frozen=True)
class HttpSettings:
    """How workbooks are fetched.

    Attributes:
        connect_timeout_s: seconds to wait for a connection.
        read_timeout_s: seconds to wait for the next bytes.
        deadline_s: seconds for one workbook in all, retries included.
        retries: attempts after the first one.
        backoff_s: first delay between attempts; it doubles, with jitter.
        backoff_max_s: longest delay, also for a Retry-After header.
        max_bytes: largest accepted file.
        max_unpacked_bytes: largest accepted sum of its unpacked parts.
        user_agent: how the client introduces itself.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    deadline_s: float = 180.0
    retries: int = 4
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    max_bytes: int = 32 * 2**20
    max_unpacked_bytes: int = 512 * 2**20
    user_agent: str = 'naics-embed'


@dataclass(frozen=True)
class Downloaded:
    """A workbook in the cache.

    Attributes:
        path: where it lies.
        sha256: checksum of its bytes.
        status: ``fetched`` now, ``not modified`` since an earlier fetch, or ``cached`` where the
            server could not be asked.
        known: whether the checksum is the one on record.
    """

    path: Path
    sha256: str
    status: Literal['fetched', 'not modified', 'cached']
    known: bool


@dataclass(frozen=True)
class _Held:
    """A valid file in the cache, and the validators under which the server knows it."""

    sha256: str
    validators: dict[str, str]


class _TransientError(Exception):
    """An attempt failed in a way that another attempt may mend."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def download(
    workbook: Workbook,
    cache_dir: Path,
    *,
    settings: HttpSettings,
    progress: Progress | None = None,
    base_url: str | None = None,
) -> Downloaded:
    """Bring a workbook into ``cache_dir``, under its official name.

    The server is asked conditionally (ETag, Last-Modified) where the cache holds an intact copy.
    Connection errors, timeouts, truncated answers, 408, 429 and 5xx are tried again. Where all
    fails and the cache holds a copy, that copy is used with a warning.

    Args:
        workbook: which one.
        cache_dir: directory of the cache; made where it does not exist.
        settings: timeouts, retries and limits.
        progress: called as bytes arrive.
        base_url: folder of a mirror; None for the official address.

    Returns:
        Where the file lies, its checksum, and how it came there.

    Raises:
        SourceError: it could not be fetched, is too large or is no workbook, and no copy is held.
    """
    url = workbook.url if base_url is None else _mirrored(workbook, base_url)
    path = cache_dir / workbook.file_name
    held = held_copy(path, url, settings)
    try:
        downloaded = _fetch(workbook, url, path, held, settings, progress)
    except SourceError as error:
        if held is None:
            raise
        log.warning('%s; using the copy in the cache, %s', error, path)
        downloaded = Downloaded(path, held.sha256, 'cached', held.sha256 == workbook.sha256)
    if not downloaded.known:
        log.warning('%s', unknown_checksum(workbook, path, downloaded.sha256))
    return downloaded


def held_copy(path: Path, url: str, settings: HttpSettings) -> _Held | None:
    """Return what is known of an intact cached copy, or None where there is none."""
    if not path.is_file():
        return None
    try:
        check_workbook(path, max_unpacked_bytes=settings.max_unpacked_bytes)
    except SourceError as error:
        log.warning('%s; the copy in the cache is ignored', error)
        return None
    sha256 = checksum(path)[0]
    try:
        record: dict[str, Any] = read_json(_sidecar(path))
    except ArtifactError:
        return _Held(sha256, {})
    # Validators speak of the bytes that the server sent, so an altered copy must not use them.
    if record.get('sha256') != sha256 or record.get('url') != url:
        return _Held(sha256, {})
    headers = {'If-None-Match': record.get('etag'), 'If-Modified-Since': record.get('modified')}
    return _Held(sha256, {name: value for name, value in headers.items() if value})


def unknown_checksum(workbook: Workbook, path: Path, sha256: str) -> str:
    """Say that a file is not byte for byte the one on record; its structure decides its use."""
    return (
        f'{path} has sha256 {sha256}, not the known {workbook.sha256}: the Census Bureau may have '
        'replaced it, or it was saved again; it is used if its structure is right'
    )


def _fetch(
    workbook: Workbook,
    url: str,
    path: Path,
    held: _Held | None,
    settings: HttpSettings,
    progress: Progress | None,
) -> Downloaded:
    import httpx

    deadline = time.monotonic() + settings.deadline_s
    attempt = 0
    with httpx.Client(follow_redirects=True) as client:
        while True:
            attempt += 1
            try:
                return _attempt(client, workbook, url, path, held, settings, progress, deadline)
            except _TransientError as error:
                wait = _delay(attempt, error.retry_after_s, settings)
                late = time.monotonic() + wait >= deadline
                if attempt > settings.retries or late:
                    bound = f'within {settings.deadline_s:g} s' if late else 'and no more are made'
                    raise SourceError(
                        f'{workbook.file_name} could not be fetched from {url}: {error} '
                        f'(attempts: {attempt}, {bound}); check the network, or download it '
                        'by hand and name its directory with data.folder'
                    ) from error
                log.info('%s: %s; attempt %d follows in %.1f s', url, error, attempt + 1, wait)
                time.sleep(wait)


def _attempt(
    client: 'httpx.Client',
    workbook: Workbook,
    url: str,
    path: Path,
    held: _Held | None,
    settings: HttpSettings,
    progress: Progress | None,
    deadline: float,
) -> Downloaded:
    import httpx

    remaining = max(deadline - time.monotonic(), 0.001)
    timeout = httpx.Timeout(
        min(settings.read_timeout_s, remaining),
        connect=min(settings.connect_timeout_s, remaining),
    )
    headers = {
        'User-Agent': settings.user_agent,
        'Accept-Encoding': 'identity',
        **(held.validators if held else {}),
    }
    try:
        with client.stream('GET', url, headers=headers, timeout=timeout) as response:
            if response.status_code == _NOT_MODIFIED and held and held.validators:
                return Downloaded(path, held.sha256, 'not modified', held.sha256 == workbook.sha256)
            _check_status(response, workbook, url, settings)
            with atomic_file(path) as temporary:
                _receive(response, temporary, workbook, settings, progress, deadline)
                _check_content(temporary, workbook, url, settings)
                sha256 = checksum(temporary)[0]
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise SourceError(f'{url} cannot be fetched: {error}') from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        reason = str(error) or 'no answer in time'
        raise _TransientError(f'{type(error).__name__}: {reason}') from error
    record = {
        'url': url,
        'etag': response.headers.get('ETag'),
        'modified': response.headers.get('Last-Modified'),
        'sha256': sha256,
    }
    write_json(_sidecar(path), record)
    return Downloaded(path, sha256, 'fetched', sha256 == workbook.sha256)


def _check_status(
    response: 'httpx.Response', workbook: Workbook, url: str, settings: HttpSettings
) -> None:
    status = response.status_code
    answer = f'the server answered {status} {response.reason_phrase}'
    if status in _RETRIED_STATUS:
        raise _TransientError(answer, _retry_after_s(response.headers.get('Retry-After')))
    if status != _OK:
        raise SourceError(f'{workbook.file_name} could not be fetched from {url}: {answer}')
    announced = _announced_bytes(response)
    if announced is not None and announced > settings.max_bytes:
        raise _too_large(workbook, url, settings)


def _receive(
    response: 'httpx.Response',
    target: Path,
    workbook: Workbook,
    settings: HttpSettings,
    progress: Progress | None,
    deadline: float,
) -> None:
    announced = _announced_bytes(response)
    received = 0
    with target.open('wb') as stream:
        for chunk in response.iter_bytes():
            received += len(chunk)
            if received > settings.max_bytes:
                raise _too_large(workbook, str(response.url), settings)
            if time.monotonic() > deadline:
                raise _TransientError(f'only {received:,} bytes came before the deadline')
            stream.write(chunk)
            if progress is not None:
                progress(workbook.file_name, received, announced)
    if announced is not None and response.num_bytes_downloaded != announced:
        raise _TransientError(
            f'truncated: {response.num_bytes_downloaded:,} of {announced:,} announced bytes came'
        )


def _check_content(path: Path, workbook: Workbook, url: str, settings: HttpSettings) -> None:
    try:
        check_workbook(path, max_unpacked_bytes=settings.max_unpacked_bytes, name='what came')
    except DamagedWorkbookError as error:
        raise _TransientError(str(error)) from error
    except SourceError as error:
        raise SourceError(f'{workbook.file_name} from {url} is refused: {error}') from error


def _delay(attempt: int, retry_after_s: float | None, settings: HttpSettings) -> float:
    if retry_after_s is not None:
        return min(retry_after_s, settings.backoff_max_s)
    longest = min(settings.backoff_s * 2 ** (attempt - 1), settings.backoff_max_s)
    # Half of the delay is random, so that many clients do not come back together.
    return longest * random.uniform(0.5, 1.0)


def _retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given as a number or as an HTTP date."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _announced_bytes(response: 'httpx.Response') -> int | None:
    length = response.headers.get('Content-Length', '')
    return int(length) if length.isascii() and length.isdigit() else None


def _too_large(workbook: Workbook, url: str, settings: HttpSettings) -> SourceError:
    return SourceError(
        f'{workbook.file_name} from {url} is larger than the limit of {settings.max_bytes:,} bytes '
        '(data.http.max_bytes); it is refused'
    )


def _mirrored(workbook: Workbook, base_url: str) -> str:
    return f'{base_url.rstrip("/")}/{quote(workbook.file_name)}'


def _sidecar(path: Path) -> Path:
    return path.with_name(f'{path.name}.json')
