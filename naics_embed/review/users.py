"""Users of the review: names, roles, passwords, tokens and sessions."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from naics_embed.errors import UserError
from naics_embed.review.clock import after, now
from naics_embed.review.resolution import ADMINISTRATOR, ARBITER, ROLES
from naics_embed.review.tables import sessions, settings, tokens, users

NAME = re.compile(r'[\w][\w.@+-]{0,63}')
SHORTEST_PASSWORD = 10
SECRET_BYTES = 32
PASSWORD_BYTES = 15
CSRF_KEY = 'csrf_key'


@dataclass(frozen=True)
class User:
    """A user.

    Attributes:
        id: number in the store.
        name: by which the user signs in.
        role: ``reviewer``, ``arbiter`` or ``administrator``; each may do what those before may.
        active: whether the user may sign in.
    """

    id: int
    name: str
    role: str
    active: bool = True

    @property
    def arbitrates(self) -> bool:
        """Whether the user may settle conflicts and see what others decided."""
        return self.role in (ARBITER, ADMINISTRATOR)

    @property
    def administers(self) -> bool:
        """Whether the user may close batches."""
        return self.role == ADMINISTRATOR


def add_user(connection: Connection, name: str, role: str, password: str | None = None) -> str:
    """Add a user.

    Args:
        connection: in a transaction that writes.
        name: letters, digits and ``. _ - @ +``.
        role: one of `ROLES`.
        password: at least ten characters; None for one that is made.

    Returns:
        the password; it is kept as a hash only.

    Raises:
        UserError: the name is taken or no name, the role is unknown, or the password too short.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f'{name!r} is no name of a user; use at most 64 letters, digits and . _ - @'
        )
    if role not in ROLES:
        raise UserError(f'--role must be one of {", ".join(ROLES)}, not {role!r}')
    if find_user(connection, name) is not None:
        raise UserError(f'there is a user {name} already; choose another name')
    secret = _checked(password)
    row = {'name': name, 'role': role, 'active': True, 'created_at': now()}
    connection.execute(insert(users).values(**row, password=_hasher().hash(secret)))
    return secret


def set_password(connection: Connection, name: str, password: str | None = None) -> str:
    """Give a user another password, end the user's sessions, and return it as `add_user`."""
    user = known_user(connection, name)
    secret = _checked(password)
    hashed = _hasher().hash(secret)
    connection.execute(update(users).where(users.c.id == user.id).values(password=hashed))
    connection.execute(delete(sessions).where(sessions.c.user_id == user.id))
    return secret


def change_user(
    connection: Connection, name: str, *, role: str | None = None, active: bool | None = None
) -> User:
    """Change role or state of a user; one that may not sign in loses sessions and tokens.

    Raises:
        UserError: there is no such user or role, or no administrator would be left.
    """
    user = known_user(connection, name)
    if role is not None and role not in ROLES:
        raise UserError(f'--role must be one of {", ".join(ROLES)}, not {role!r}')
    changed = User(user.id, name, role or user.role, user.active if active is None else active)
    others = [one for one in all_users(connection) if one.id != user.id]
    if (
        user.administers
        and not (changed.administers and changed.active)
        and not any(one.administers and one.active for one in others)
    ):
        raise UserError(f'{name} is the last administrator; make another one first')
    values = {'role': changed.role, 'active': changed.active}
    connection.execute(update(users).where(users.c.id == user.id).values(**values))
    if not changed.active:
        for table in (sessions, tokens):
            connection.execute(delete(table).where(table.c.user_id == user.id))
    return changed


def add_token(connection: Connection, name: str) -> str:
    """Return a new token of a user, for programs; it is kept as a hash only."""
    user = known_user(connection, name)
    token = secrets.token_urlsafe(SECRET_BYTES)
    row = {'digest': _digest(token), 'user_id': user.id, 'created_at': now()}
    connection.execute(insert(tokens).values(**row))
    return token


def remove_tokens(connection: Connection, name: str) -> int:
    """Make all tokens of a user void; return how many there were."""
    user = known_user(connection, name)
    return connection.execute(delete(tokens).where(tokens.c.user_id == user.id)).rowcount


def all_users(connection: Connection) -> list[User]:
    """Return all users, by name."""
    rows = connection.execute(select(users).order_by(users.c.name))
    return [User(row.id, row.name, row.role, row.active) for row in rows]


def find_user(connection: Connection, name: str) -> User | None:
    """Return the user of a name; None where there is none."""
    row = connection.execute(select(users).where(users.c.name == name)).first()
    return None if row is None else User(row.id, row.name, row.role, row.active)


def known_user(connection: Connection, name: str) -> User:
    """Return the user of a name. Raises UserError where there is none."""
    user = find_user(connection, name)
    if user is None:
        names = ', '.join(one.name for one in all_users(connection)) or 'none'
        raise UserError(f'there is no user {name}; there are: {names}')
    return user


def password_hash(connection: Connection, name: str) -> tuple[User | None, str]:
    """Return a user and the hash of the password; for an unknown name, a hash that none has."""
    row = connection.execute(select(users).where(users.c.name == name, users.c.active)).first()
    if row is None or row.password is None:
        return None, _no_password()
    return User(row.id, row.name, row.role), str(row.password)


def is_password(hashed: str, password: str) -> bool:
    """Whether a password has a hash; it takes as long for a name that does not exist."""
    try:
        return _hasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def begin_session(connection: Connection, user: User, seconds: float) -> str:
    """Return the secret of a new session; sessions that are over are taken out."""
    connection.execute(delete(sessions).where(sessions.c.expires_at < now()))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = {'digest': _digest(secret), 'user_id': user.id, 'expires_at': after(seconds)}
    connection.execute(insert(sessions).values(**row))
    return secret


def end_session(connection: Connection, secret: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.digest == _digest(secret)))


def user_of_session(connection: Connection, secret: str) -> User | None:
    """Return the user of a session that is not over."""
    found = select(users).join(sessions, sessions.c.user_id == users.c.id)
    row = connection.execute(
        found.where(
            sessions.c.digest == _digest(secret), sessions.c.expires_at > now(), users.c.active
        )
    ).first()
    return None if row is None else User(row.id, row.name, row.role)


def user_of_token(connection: Connection, token: str) -> User | None:
    """Return the user of a token."""
    found = select(users).join(tokens, tokens.c.user_id == users.c.id)
    row = connection.execute(found.where(tokens.c.digest == _digest(token), users.c.active)).first()
    return None if row is None else User(row.id, row.name, row.role)


def csrf_key(connection: Connection) -> str | None:
    """Return the key of the store with which CSRF tokens are made; None where it has none yet."""
    row = connection.execute(select(settings.c.value).where(settings.c.name == CSRF_KEY)).first()
    return None if row is None else str(row.value)


def make_csrf_key(connection: Connection) -> str:
    """Return the key with which CSRF tokens are made; make it where there is none."""
    found = csrf_key(connection)
    if found is None:
        found = secrets.token_hex(SECRET_BYTES)
        connection.execute(insert(settings).values(name=CSRF_KEY, value=found))
    return found


def csrf_token(key: str, parts: Sequence[str]) -> str:
    """Return the CSRF token of a session, or of a user whom a proxy has signed in."""
    return hmac.new(key.encode(), '\0'.join(parts).encode(), hashlib.sha256).hexdigest()


def _digest(secret: str) -> str:
    # A secret of 32 random bytes needs no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked(password: str | None) -> str:
    if password is None:
        return secrets.token_urlsafe(PASSWORD_BYTES)
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(f'a password must have at least {SHORTEST_PASSWORD} characters')
    return password


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _no_password() -> str:
    return _hasher().hash(secrets.token_hex(SECRET_BYTES))
