"""The part of the schema that the review reads."""

import ipaddress
from dataclasses import dataclass, fields

from naics_embed.value_checks import require

ORDERS = ('uncertainty', 'exposure', 'disagreement', 'random', 'diverse')
"""Orders in which items come to people."""
MOST_SUGGESTIONS = 9
"""One for each digit key."""


@dataclass(frozen=True)
class ReviewConfig:
    """The review. The defaults are those of ``configs/base.yaml``, which a wheel lacks.

    Attributes:
        store: address of the database; null for ``review.db`` in the artifact root.
        host: address that ``review serve`` listens on.
        port: its port.
        under_serve: whether ``serve`` has the review too, under ``/review/``.
        suggestions: codes suggested for a text, at most nine.
        evidence: training texts and matching terms kept for each of them.
        threshold: least probability of a row that is accepted without people.
        audit_fraction: part of the accepted rows that people check, drawn at random.
        double_fraction: part of the rows for people that two decide, blind to each other.
        order: in which items come, one of `ORDERS`.
        claim_s: seconds that an item is kept for the reviewer who has it on the page.
        prefetch: items that the page asks for at a time.
        session_s: seconds after which a browser has to sign in again.
        secure_cookies: whether browsers send the cookie over TLS only; for a proxy with TLS.
        sign_in_attempts: wrong passwords for a name or from an address in ``sign_in_window_s``;
            then sign-in is refused until the window is over.
        sign_in_window_s: seconds.
        trusted_header: header in which a proxy names the user it has signed in; null for none.
        trusted_proxies: addresses from which that header is believed.
        webhook_tries: how often a webhook is tried.
        webhook_timeout_s: seconds for each try.
        webhook_wait_s: seconds before the second try; each further wait is twice as long.
        max_comment: longest comment or reason, in characters.
    """

    store: str | None = None
    host: str = '127.0.0.1'
    port: int = 8723
    under_serve: bool = False
    suggestions: int = 5
    evidence: int = 2
    threshold: float = 0.9
    audit_fraction: float = 0.05
    double_fraction: float = 0.1
    order: str = 'uncertainty'
    claim_s: float = 600.0
    prefetch: int = 3
    session_s: float = 43200.0
    secure_cookies: bool = False
    sign_in_attempts: int = 5
    sign_in_window_s: float = 60.0
    trusted_header: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    webhook_tries: int = 5
    webhook_timeout_s: float = 10.0
    webhook_wait_s: float = 1.0
    max_comment: int = 2000

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, 'port', self.port, 'from 0 to 65535')
        fits = 1 <= self.suggestions <= MOST_SUGGESTIONS
        _require(fits, 'suggestions', self.suggestions, f'from 1 to {MOST_SUGGESTIONS}')
        for name in ('audit_fraction', 'double_fraction'):
            value = getattr(self, name)
            _require(0 <= value <= 1, name, value, 'from 0 to 1')
        _require(0 < self.threshold <= 1, 'threshold', self.threshold, 'in (0, 1]')
        _require(self.order in ORDERS, 'order', self.order, f'one of {", ".join(ORDERS)}')
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith('_s'):
                _require(0 < value < float('inf'), field.name, value, 'positive')
        for name in ('prefetch', 'sign_in_attempts', 'webhook_tries', 'max_comment'):
            _require(getattr(self, name) >= 1, name, getattr(self, name), 'at least 1')
        _require(self.evidence >= 0, 'evidence', self.evidence, 'at least 0')
        addresses = all(_is_address(one) for one in self.trusted_proxies)
        _require(addresses, 'trusted_proxies', self.trusted_proxies, 'a list of IP addresses')
        _require(
            self.trusted_header is None or bool(self.trusted_proxies),
            'trusted_proxies',
            self.trusted_proxies,
            'the addresses of the proxies that set review.trusted_header',
        )


def _is_address(value: object) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def _require(kept: bool, name: str, value: object, expected: str) -> None:
    require(kept, f'review.{name}', value, expected)
