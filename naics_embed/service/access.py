"""Who may use the service by a browser: the headers ``Host`` and ``Origin``.

A page of another site can send requests to an address that only its visitor's machine reaches. It
either names that address, and then the browser adds ``Origin`` or ``Sec-Fetch-Site``; or it lets a
name of its own resolve to that address (DNS rebinding), and then ``Host`` has that name.
"""

import ipaddress

from starlette.types import Scope

from naics_embed.config.addresses import DEFAULT_PORTS, Authority, parse_authority, parse_origin
from naics_embed.config.service import ANY, ServiceConfig
from naics_embed.service.problems import ProblemError

OPEN_PATHS = frozenset({'/healthz', '/readyz'})
"""Probes name whatever address they reached; nothing is to be had there."""
METRICS_PATH = '/metrics'
MAP_PATH = '/atlas'
FOREIGN_SITES = frozenset({b'cross-site', b'same-site'})
SHOWN = 100
"""Characters of a header that an answer repeats."""
CLOSE = {'Connection': 'close'}


class Access:
    """What a configuration allows."""

    def __init__(self, config: ServiceConfig) -> None:
        """Read the lists of the configuration."""
        self.any_host = ANY in config.allowed_hosts
        self.any_origin = ANY in config.allowed_origins
        named = [name for name in config.allowed_hosts if name != ANY]
        self.hosts = {parse_authority(name) for name in (config.host, *named)}
        self.origins = {parse_origin(name) for name in config.allowed_origins if name != ANY}

    def check(self, scope: Scope) -> None:
        """Raise ProblemError for a request that the service must not answer.

        Raises:
            ProblemError: 421 for a foreign host, 403 for a foreign origin.
        """
        path = scope['path'].removeprefix(scope.get('root_path', ''))
        if path in OPEN_PATHS:
            return
        headers = dict(scope['headers'])
        named = headers.get(b'host', b'').decode('latin-1')
        host = parse_authority(named)
        if not self.any_host and not self._allows(host, path, scope):
            raise ProblemError(
                421,
                f'the service does not answer under the host {named[:SHOWN]!r}; if it should, add '
                'that to service.allowed_hosts',
                headers=CLOSE,
            )
        if not self.any_origin:
            self._check_origin(headers, host)

    def cors_origins(self) -> list[str]:
        """Return the origins that get CORS headers, as browsers spell them."""
        return [ANY] if self.any_origin else sorted(map(str, self.origins))

    def _allows(self, host: Authority | None, path: str, scope: Scope) -> bool:
        if host is None:
            return False
        if host in self.hosts or (host.host, None) in self.hosts or host.host == 'localhost':
            return True
        server = scope.get('server')
        if server is not None and host.host == server[0]:
            # The address that the connection came to, also where all addresses are listened on.
            return True
        try:
            address = ipaddress.ip_address(host.host)
        except ValueError:
            return False
        # Prometheus names the address of its target, which may be that of a host in between. A page
        # cannot come from a bare address that is not its own, so nothing is lost.
        return address.is_loopback or path == METRICS_PATH

    def _check_origin(self, headers: dict[bytes, bytes], host: Authority | None) -> None:
        header = headers.get(b'origin')
        if header is None:
            # Images, scripts and the like: a browser sends no origin with these. A link to the page
            # is no harm.
            foreign = headers.get(b'sec-fetch-site') in FOREIGN_SITES
            if foreign and headers.get(b'sec-fetch-mode') != b'navigate':
                raise _foreign('another site')
            return
        origin = parse_origin(header.decode('latin-1'))
        if origin in self.origins and origin is not None:
            return
        if origin is None or host is None or origin.host != host.host:
            raise _foreign(repr(header.decode('latin-1')[:SHOWN]))
        # The scheme of the request is not known here: a proxy may have ended TLS.
        if origin.port != (host.port or DEFAULT_PORTS[origin.scheme]):
            raise _foreign(repr(str(origin)[:SHOWN]))


def _foreign(origin: str) -> ProblemError:
    return ProblemError(
        403,
        f'pages of {origin} may not use the service; if they should, add their origin to '
        'service.allowed_origins. Behind a proxy, let it pass on the header Host',
        headers=CLOSE,
    )
