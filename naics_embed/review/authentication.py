"""Who sends a request: a session, a token, or a proxy that has signed the user in."""

import hmac
from dataclasses import dataclass

from fastapi import Request

from naics_embed.config.review import ReviewConfig
from naics_embed.review.attempts import Attempts
from naics_embed.review.store import Store
from naics_embed.review.users import (
    User,
    begin_session,
    csrf_key,
    csrf_token,
    find_user,
    is_password,
    make_csrf_key,
    password_hash,
    user_of_session,
    user_of_token,
)
from naics_embed.service.problems import ProblemError

COOKIE = 'naics_review'
CSRF_HEADER = 'X-CSRF-Token'
BEARER = 'bearer '
SESSION, TOKEN, PROXY = 'session', 'token', 'proxy'
SAFE = frozenset({'GET', 'HEAD', 'OPTIONS'})


@dataclass(frozen=True)
class Visitor:
    """A user, and how the user was recognised.

    Attributes:
        user: the user.
        by: ``session``, ``token`` or ``proxy``.
        csrf: what requests that change something must send back; None with a token.
    """

    user: User
    by: str
    csrf: str | None


class Gate:
    """Lets users in. Safe to share between threads."""

    def __init__(self, store: Store, config: ReviewConfig) -> None:
        """Read the key of the store."""
        self.store = store
        self.config = config
        self.attempts = Attempts(config.sign_in_attempts, config.sign_in_window_s)
        found = store.read(csrf_key)
        self.key = found if found is not None else store.write(make_csrf_key)

    def visitor(self, request: Request) -> Visitor:
        """Return who sends a request.

        Raises:
            ProblemError: 401 for nobody, 403 where the CSRF token is missing or wrong.
        """
        visitor = self._recognised(request)
        if visitor is None:
            raise ProblemError(401, 'sign in first')
        if request.method not in SAFE and visitor.csrf is not None:
            given = request.headers.get(CSRF_HEADER, '')
            if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
                raise ProblemError(
                    403, f'the header {CSRF_HEADER} is missing or out of date; load the page again'
                )
        return visitor

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Return the secret of a new session.

        Raises:
            ProblemError: 401 for a wrong name or password, 429 after too many of them.
        """
        keys = (f'user:{name}', f'address:{address}')
        wait = self.attempts.wait_s(*keys)
        if wait > 0:
            raise ProblemError(
                429,
                f'too many wrong passwords; try again in {wait:.0f} s',
                headers={'Retry-After': f'{int(wait) + 1}'},
            )
        user, hashed = self.store.read(lambda connection: password_hash(connection, name))
        if not is_password(hashed, password) or user is None:
            self.attempts.wrong(*keys)
            raise ProblemError(401, 'name or password is wrong')
        self.attempts.right(*keys)
        found = user
        seconds = self.config.session_s
        return self.store.write(lambda connection: begin_session(connection, found, seconds))

    def _recognised(self, request: Request) -> Visitor | None:
        bearer = request.headers.get('Authorization', '')
        if bearer.lower().startswith(BEARER):
            token = bearer[len(BEARER) :].strip()
            user = self.store.read(lambda connection: user_of_token(connection, token))
            return None if user is None else Visitor(user, TOKEN, None)
        name = self._named_by_proxy(request)
        if name is not None:
            user = self.store.read(lambda connection: find_user(connection, name))
            if user is None or not user.active:
                raise ProblemError(
                    403, f'{name!r} is no user of the review; an administrator can add one'
                )
            return Visitor(user, PROXY, csrf_token(self.key, ('proxy', name)))
        secret = request.cookies.get(COOKIE)
        if not secret:
            return None
        user = self.store.read(lambda connection: user_of_session(connection, secret))
        if user is None:
            return None
        return Visitor(user, SESSION, csrf_token(self.key, ('session', secret)))

    def _named_by_proxy(self, request: Request) -> str | None:
        """Return the user whom a proxy names that may do so."""
        header = self.config.trusted_header
        if header is None or request.client is None:
            return None
        if request.client.host not in self.config.trusted_proxies:
            return None
        return request.headers.get(header) or None
