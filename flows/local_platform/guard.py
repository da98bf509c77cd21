"""Which requests Prefect's server takes: those to its own address, from its own pages.

Prefect checks no ``Host``, and it runs what any web page posts: CORS only keeps that page from
reading the answer. Both are checked here, before the application sees a request.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ('127.0.0.1', 'localhost')
FORBIDDEN = 403


class OwnOriginMiddleware:
    """Refuse HTTP requests and WebSockets of pages of another origin.

    Browsers name the page's origin in ``Origin``; other clients send none and are let through.

    Attributes:
        app: the application.
        origins: what is let through, such as ``http://127.0.0.1:4200``.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self.app = app
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with status 403."""
        if scope['type'] in {'http', 'websocket'}:
            origin = Headers(scope=scope).get('origin')
            if origin is not None and origin not in self.origins:
                refusal = PlainTextResponse('Foreign origin\n', status_code=FORBIDDEN)
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


def guarded(app: ASGIApp, hosts: Iterable[str], origins: Iterable[str]) -> ASGIApp:
    """Return an application that takes requests to these hosts, from pages of these origins.

    Args:
        app: the application.
        hosts: names in ``Host``, without ports; ``*`` for any.
        origins: origins of pages, with their ports.
    """
    same_origin = OwnOriginMiddleware(app, origins)
    return TrustedHostMiddleware(same_origin, allowed_hosts=list(hosts), www_redirect=False)


def own_origins(port: int) -> list[str]:
    """Return the origins under which the pages of a server on loopback are opened."""
    return [f'http://{host}:{port}' for host in LOOPBACK]
