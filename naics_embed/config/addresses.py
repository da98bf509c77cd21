"""Hosts and origins as HTTP writes them, in one spelling so that they can be compared."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS = {'http': 80, 'https': 443}
NAME = re.compile('[a-z0-9_-]+(?:[.][a-z0-9_-]+)*')


class Authority(NamedTuple):
    """A host and a port, as in the header ``Host``.

    Attributes:
        host: in lower case; an address in its shortest form, without brackets.
        port: None where none is given.
    """

    host: str
    port: int | None


class Origin(NamedTuple):
    """Where a page comes from, as in the header ``Origin``; the port is always known."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f'[{self.host}]' if ':' in self.host else self.host
        port = '' if self.port == DEFAULT_PORTS[self.scheme] else f':{self.port}'
        return f'{self.scheme}://{host}{port}'


def parse_authority(text: str) -> Authority | None:
    """Return a host with or without a port; None for what is neither.

    Args:
        text: such as ``naics.example.org:8443``, ``10.0.0.5``, ``[::1]:8722`` or ``::1``.
    """
    if text.count(':') > 1 and not text.startswith('['):
        text = f'[{text}]'
    try:
        parts = urlsplit(f'//{text}')
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or '@' in text or parts.netloc != text:
        return None
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        host = host.removesuffix('.')
        if NAME.fullmatch(host) is None:
            return None
    return Authority(host, port)


def parse_origin(text: str) -> Origin | None:
    """Return an origin such as ``https://example.org``; None for anything else, ``null`` too."""
    scheme, separator, rest = text.partition('://')
    authority = parse_authority(rest)
    scheme = scheme.lower()
    if not separator or authority is None or scheme not in DEFAULT_PORTS:
        return None
    port = DEFAULT_PORTS[scheme] if authority.port is None else authority.port
    return Origin(scheme, authority.host, port)
