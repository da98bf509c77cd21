"""Errors as problem details (RFC 9457): what is wrong, where, and never a traceback."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

MEDIA_TYPE = 'application/problem+json'
SHOWN = 20
"""Faults listed in one answer."""


class ProblemError(Exception):
    """A request that gets an error for an answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        faults: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        """Describe the error.

        Args:
            status: HTTP status.
            detail: what is wrong and what to do.
            faults: fields of the request and what is wrong with each.
            headers: more headers.
            reason: what it is counted as, where its status does not say.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.faults = faults
        self.headers = headers
        self.reason = reason

    def response(self) -> Response:
        """Return the HTTP answer."""
        content: dict[str, Any] = {
            'type': 'about:blank',
            'title': HTTPStatus(self.status).phrase,
            'status': self.status,
            'detail': self.detail,
        }
        if self.faults:
            content['errors'] = [
                {'where': where, 'reason': reason} for where, reason in self.faults[:SHOWN]
            ]
            content['error_count'] = len(self.faults)
        # Plain ASCII: a lone surrogate of the request may be quoted here.
        body = json.dumps(content, ensure_ascii=True).encode()
        return Response(body, self.status, dict(self.headers or {}), MEDIA_TYPE)
