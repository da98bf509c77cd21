"""One request for a workbook, within limits of size and of time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from naics_embed.census.files import Workbook
from naics_embed.errors import SourceError
from naics_embed.time_limit import TimeBudget

if TYPE_CHECKING:
    import httpx

Progress = Callable[[str, int, int | None], None]
"""Called with file name, bytes so far, and bytes in all where the server announces them."""

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
        user_agent: the header ``User-Agent``.
        auto_deadline_s: seconds for all workbooks together where the packaged titles can replace
            them (``data.source=auto``); bytes that arrive add to them.
        auto_least_rate: bytes a second below which a download is too slow then: each second's
            worth of bytes adds a second.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    deadline_s: float = 180.0
    retries: int = 4
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    max_bytes: int = 32 * 2**20
    user_agent: str = 'naics-embed'
    auto_deadline_s: float = 15.0
    auto_least_rate: float = 16384.0


@dataclass(frozen=True)
class Answer:
    """The content that a server sent, and its validators."""

    content: bytes
    etag: str | None
    modified: str | None


@dataclass
class Clock:
    """The time of one workbook: its own budget, and the one that it shares with others."""

    shared: TimeBudget
    own: TimeBudget
    came: int = 0
    """Bytes of the current attempt."""

    def shortest(self) -> TimeBudget:
        return min(self.shared, self.own, key=TimeBudget.left)

    def left(self) -> float:
        return self.shortest().left()

    def received(self, count: int) -> None:
        self.came += count
        self.shared.received(count)

    def late(self) -> 'TransientError':
        came = f'only {self.came:,} bytes came before the deadline' if self.came else 'no answer'
        return TransientError(came)


class TransientError(Exception):
    """An attempt failed in a way that another attempt may fix."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def ask(
    sign_in: 'httpx.Auth | None',
    workbook: Workbook,
    url: str,
    validators: Mapping[str, str],
    settings: HttpSettings,
    progress: Progress | None,
    clock: Clock,
) -> Answer | None:
    """Return the answer of the server, or None where the held copy is still right.

    Nothing is written: the caller may have given up waiting.
    """
    import httpx

    remaining = max(clock.left(), 0.001)
    timeout = httpx.Timeout(
        min(settings.read_timeout_s, remaining),
        connect=min(settings.connect_timeout_s, remaining),
    )
    headers = {
        'User-Agent': settings.user_agent,
        'Accept-Encoding': 'identity',
        **validators,
    }
    try:
        with (
            httpx.Client(follow_redirects=True, auth=sign_in, timeout=timeout) as client,
            client.stream('GET', url, headers=headers) as response,
        ):
            if response.status_code == _NOT_MODIFIED and validators:
                return None
            _check_status(response, workbook, url, settings)
            content = _receive(response, workbook, settings, progress, clock)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise SourceError(f'{url} cannot be fetched: {error}') from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        reason = str(error) or 'no answer in time'
        raise TransientError(f'{type(error).__name__}: {reason}') from error
    return Answer(content, response.headers.get('ETag'), response.headers.get('Last-Modified'))


def _check_status(
    response: 'httpx.Response', workbook: Workbook, url: str, settings: HttpSettings
) -> None:
    status = response.status_code
    answer = f'the server answered {status} {response.reason_phrase}'
    if status in _RETRIED_STATUS:
        raise TransientError(answer, _retry_after_s(response.headers.get('Retry-After')))
    if status != _OK:
        raise SourceError(f'{workbook.file_name} could not be fetched from {url}: {answer}')
    announced = _announced_bytes(response)
    if announced is not None and announced > settings.max_bytes:
        raise _too_large(workbook, url, settings)


def _receive(
    response: 'httpx.Response',
    workbook: Workbook,
    settings: HttpSettings,
    progress: Progress | None,
    clock: Clock,
) -> bytes:
    announced = _announced_bytes(response)
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > settings.max_bytes:
            raise _too_large(workbook, str(response.url), settings)
        clock.received(len(chunk))
        if clock.left() <= 0:
            raise clock.late()
        if progress is not None:
            progress(workbook.file_name, len(content), announced)
    if announced is not None and response.num_bytes_downloaded != announced:
        raise TransientError(
            f'truncated: {response.num_bytes_downloaded:,} of {announced:,} announced bytes came'
        )
    return bytes(content)


def _retry_after_s(header: str | None) -> float | None:
    """Seconds of a Retry-After header, given as a number or as an HTTP date."""
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
