"""The message that tells another system that a batch is closed."""

import hashlib
import hmac
import json
import logging
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from naics_embed import __version__
from naics_embed.config.review import ReviewConfig
from naics_embed.errors import UserError
from naics_embed.redaction import redacted

log = logging.getLogger(__name__)

SECRET_VARIABLE = 'NAICS_EMBED_WEBHOOK_SECRET'
SIGNATURE, DELIVERY, TIME = 'X-Naics-Signature', 'X-Naics-Delivery', 'X-Naics-Timestamp'
FINAL = frozenset({400, 401, 403, 404, 405, 410, 413, 422})
"""Answers that trying again does not change."""


@dataclass(frozen=True)
class Delivery:
    """What became of a message.

    Attributes:
        delivered: whether it was answered by a status of 2xx.
        tries: how many.
        reason: of the last failure; None where there is none.
    """

    delivered: bool
    tries: int
    reason: str | None = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirection could lead to a place that nobody has named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""


def check_webhook(address: str) -> None:
    """Raise UserError for what is no address of a webhook, or needs a secret that is not set."""
    parts = urlsplit(address)
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise UserError(f'--webhook {address!r} must be an address http://… or https://…')
    if parts.username is not None or parts.password is not None:
        raise UserError('--webhook must not contain a password; messages are signed instead')
    if not os.environ.get(SECRET_VARIABLE):
        raise UserError(
            f'a webhook needs the secret that its messages are signed with: export '
            f'{SECRET_VARIABLE}=SECRET, and give the receiver the same'
        )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 of the timestamp, a dot, and the body.

    Example:
        >>> signature('key', '0', b'{}')[:15]
        'sha256=7314351d'
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + b'.' + body, hashlib.sha256)
    return f'sha256={digest.hexdigest()}'


def deliver(
    address: str,
    content: dict[str, Any],
    config: ReviewConfig,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Send a message until it is taken, with waits that double.

    All tries have one number in `DELIVERY`, by which the receiver finds what it has already.

    Args:
        address: where to.
        content: what is sent, as JSON.
        config: tries, timeout and first wait.
        sleep: waits some seconds.

    Raises:
        UserError: the address is none, or the secret is not set.
    """
    check_webhook(address)
    body = json.dumps(content, sort_keys=True).encode()
    number = uuid.uuid4().hex
    opener = urllib.request.build_opener(_NoRedirect)
    reason = None
    for attempt in range(1, config.webhook_tries + 1):
        if attempt > 1:
            sleep(config.webhook_wait_s * 2 ** (attempt - 2))
        timestamp = str(int(time.time()))
        request = urllib.request.Request(address, body, method='POST')
        for name, value in (
            ('Content-Type', 'application/json'),
            ('User-Agent', f'naics-embed/{__version__}'),
            (DELIVERY, number),
            (TIME, timestamp),
            (SIGNATURE, signature(os.environ[SECRET_VARIABLE], timestamp, body)),
        ):
            request.add_header(name, value)
        try:
            with opener.open(request, timeout=config.webhook_timeout_s):
                return Delivery(True, attempt)
        except urllib.error.HTTPError as error:
            reason = f'{error.code} {HTTPStatus(error.code).phrase}'
            error.close()
            if error.code in FINAL:
                return Delivery(False, attempt, reason)
        except (OSError, ValueError) as error:
            reason = str(getattr(error, 'reason', None) or error)
        log.warning('webhook %s, try %d: %s', redacted(address), attempt, reason)
    return Delivery(False, config.webhook_tries, reason)
