"""Who may use the service by a key: scopes and rates."""

import hmac
import logging
import math
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import unquote

from starlette.types import Scope

from naics_embed.config.operation import KeysConfig
from naics_embed.errors import UserError
from naics_embed.service.access import MAP_PATH, METRICS_PATH, OPEN_PATHS
from naics_embed.service.key_file import ApiKey, hash_of, id_of, read_keys
from naics_embed.service.problems import ProblemError

log = logging.getLogger(__name__)

OPEN = OPEN_PATHS | {'/', '/table', '/openapi.json'}
"""What anybody may have: probes, pages and the schema. Codes and texts are not there."""
OPEN_BELOW = ('/static/', '/review/')
"""The review has a sign-in of its own."""
CODING = ('/v1/code', '/v1/search')
"""Paths that code texts; those that only read begin otherwise."""
SCOPE_OF = {'/v1/jobs': 'jobs', '/v1/admin': 'admin', METRICS_PATH: 'metrics'}
"""Beginning of a path → the scope that it needs."""
READING = ('GET', 'HEAD')
COOKIE = 'naics-embed-key'
"""A cookie that opens the map, and nothing else: a browser sends no header with a link."""
MINUTE = 60.0
NO_HASH = '0' * 64
CHALLENGE = {'WWW-Authenticate': 'Bearer realm="naics-embed"'}


class Gate:
    """The keys of a file, read again when it changes."""

    def __init__(self, config: KeysConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file.

        Args:
            config: where it is.
            clock: returns the time in seconds.

        Raises:
            UserError: it does not exist, or is damaged.
        """
        self.path = Path(str(config.file)).expanduser()
        self.reread_s = config.reread_s
        self.clock = clock
        self._stamp = self._stamp_now()
        self._keys = read_keys(self.path)
        self._looked = clock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def check(self, scope: Scope) -> None:
        """Raise ProblemError for a request without a key that allows it.

        The id of the key is put into the state of the request, as ``key``.

        Raises:
            ProblemError: 401 without a good key, 403 without the scope, 429 above the rate.
        """
        path = scope['path'].removeprefix(scope.get('root_path', ''))
        if path in OPEN or path.startswith(OPEN_BELOW) or scope['method'] == 'OPTIONS':
            return
        key = self._key(scope, path)
        needed = scope_of(path, scope['method'])
        if needed not in key.scopes:
            raise ProblemError(
                403,
                f'the key {key.id} is for {", ".join(key.scopes)}, and this needs {needed}',
                reason='scope',
            )
        self._count(key)
        scope['state']['key'] = key.id

    def _key(self, scope: Scope, path: str) -> ApiKey:
        given = _given(scope, cookie=path == MAP_PATH)
        if given is None:
            raise ProblemError(
                401,
                'the service needs a key: send Authorization: Bearer KEY, or X-API-Key: KEY',
                headers=CHALLENGE,
                reason='key',
            )
        number = id_of(given)
        key = None if number is None else self._known().get(number)
        # As much work for an unknown key as for a known one.
        same = hmac.compare_digest(hash_of(given), NO_HASH if key is None else key.sha256)
        if key is None or not same or not key.usable():
            raise ProblemError(
                401, 'the key is unknown, revoked or expired', headers=CHALLENGE, reason='key'
            )
        return key

    def _known(self) -> dict[str, ApiKey]:
        now = self.clock()
        if now - self._looked >= self.reread_s:
            self._looked = now
            stamp = self._stamp_now()
            if stamp != self._stamp:
                try:
                    self._keys = read_keys(self.path)
                except UserError as error:
                    # Nobody gets in by a damaged file.
                    self._keys = {}
                    log.error('no key is good any more: %s', error)
                self._stamp = stamp
        return self._keys

    def _count(self, key: ApiKey) -> None:
        """Take a token from the bucket of a key. It holds a minute's, and fills evenly."""
        if key.per_minute is None:
            return
        now = self.clock()
        most = max(key.per_minute, 1.0)
        tokens, last = self._buckets.get(key.id, (most, now))
        tokens = min(most, tokens + (now - last) * key.per_minute / MINUTE)
        if tokens < 1:
            self._buckets[key.id] = (tokens, now)
            wait = math.ceil((1 - tokens) * MINUTE / key.per_minute)
            raise ProblemError(
                429,
                f'the key {key.id} may send {key.per_minute:g} requests a minute; wait {wait} s',
                headers={'Retry-After': str(wait)},
                reason='rate',
            )
        self._buckets[key.id] = (tokens - 1, now)

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def scope_of(path: str, method: str) -> str:
    """Return the scope that a request needs."""
    for begin, scope in SCOPE_OF.items():
        if path == begin or path.startswith(f'{begin}/'):
            return scope
    return 'read' if method in READING and path not in CODING else 'code'


def _given(scope: Scope, *, cookie: bool) -> str | None:
    headers = dict(scope['headers'])
    if b'x-api-key' in headers:
        return headers[b'x-api-key'].decode('latin-1').strip()
    kind, _, value = headers.get(b'authorization', b'').decode('latin-1').partition(' ')
    if kind.lower() == 'bearer' and value.strip():
        return value.strip()
    return _cookie(headers.get(b'cookie', b'').decode('latin-1')) if cookie else None


def _cookie(header: str) -> str | None:
    try:
        given = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return None if given is None else unquote(given.value).strip() or None
