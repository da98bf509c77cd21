"""The file of API keys: random keys, of which only hashes are kept.

A key has 256 random bits, so a plain SHA-256 of it cannot be searched for, unlike that of a
password.
"""

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock

from naics_embed.artifacts import read_json, write_json
from naics_embed.errors import UserError

PREFIX = 'nek'
ID_BYTES = 6
SECRET_BYTES = 32
SCOPES = ('code', 'read', 'jobs', 'metrics', 'admin')
"""What a key may be for: coding of texts; codes, map, suggestions and the model; files; metrics;
another bundle."""
DEFAULT_SCOPES = ('code', 'read')
LOCK_S = 10.0
LONGEST_NAME = 100


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key.

    Attributes:
        id: its public part.
        name: what it is for, to people.
        sha256: of the whole key.
        scopes: some of `SCOPES`.
        per_minute: requests a minute; None for no limit.
        created: when it was made, UTC.
        expires: when it ends; None for never.
        revoked: when it was revoked; None while it is good.

    Example:
        >>> ApiKey('ab', 'claims', '', ('code',), None, '2026-01-01T00:00:00+00:00').usable()
        True
    """

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    per_minute: float | None
    created: str
    expires: str | None = None
    revoked: str | None = None

    def usable(self, now: datetime | None = None) -> bool:
        """Whether it is neither revoked nor expired."""
        if self.revoked is not None:
            return False
        return self.expires is None or datetime.fromisoformat(self.expires) > (
            now or datetime.now(UTC)
        )


def read_keys(path: Path) -> dict[str, ApiKey]:
    """Return the keys of a file by their ids.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    if not path.is_file():
        raise UserError(f'{path} does not exist; make a key with naics-embed keys create')
    content = read_json(path)
    try:
        keys = [ApiKey(**{**each, 'scopes': tuple(each['scopes'])}) for each in content['keys']]
    except (KeyError, TypeError) as error:
        raise UserError(f'{path} is no file of keys ({error}); move it away') from error
    return {key.id: key for key in keys}


def create_key(
    path: Path,
    name: str,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    per_minute: float | None = None,
    days: float | None = None,
) -> tuple[str, ApiKey]:
    """Make a key and add its hash to a file, which is made where there is none.

    Args:
        path: the file; only its owner may read it.
        name: what the key is for.
        scopes: some of `SCOPES`.
        per_minute: requests a minute; None for no limit.
        days: after which it ends; None for never.

    Returns:
        the key, which is nowhere else, and what the file says of it.

    Raises:
        UserError: a scope is unknown, or a number is out of range.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        named = unknown[0] if unknown else 'none'
        raise UserError(f'a key needs scopes out of {", ".join(SCOPES)}, not {named}')
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise UserError(f'the name of a key must have 1 to {LONGEST_NAME} printable characters')
    if per_minute is not None and per_minute <= 0:
        raise UserError(f'--per-minute must be above 0, not {per_minute}')
    if days is not None and days <= 0:
        raise UserError(f'--days must be above 0, not {days}')
    now = datetime.now(UTC)
    number = secrets.token_hex(ID_BYTES)
    secret = f'{PREFIX}_{number}_{secrets.token_urlsafe(SECRET_BYTES)}'
    key = ApiKey(
        number,
        name,
        hash_of(secret),
        tuple(scopes),
        per_minute,
        now.isoformat(timespec='seconds'),
        None if days is None else (now + timedelta(days=days)).isoformat(timespec='seconds'),
    )
    with _locked(path):
        keys = read_keys(path) if path.is_file() else {}
        _write(path, {**keys, key.id: key})
    return secret, key


def revoke_key(path: Path, number: str) -> ApiKey:
    """Revoke a key; it stays in the file as revoked.

    Raises:
        UserError: there is no key of that id.
    """
    with _locked(path):
        keys = read_keys(path)
        if number not in keys:
            raise UserError(f'{path} has no key {number!r}; see naics-embed keys list')
        key = keys[number]
        if key.revoked is None:
            key = replace(key, revoked=datetime.now(UTC).isoformat(timespec='seconds'))
            _write(path, {**keys, number: key})
    return key


def hash_of(key: str) -> str:
    """Return the SHA-256 of a key."""
    return hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()


def id_of(key: str) -> str | None:
    """Return the id in a key; None where it is no key."""
    prefix, _, rest = key.partition('_')
    number, separator, secret = rest.partition('_')
    return number if prefix == PREFIX and separator and secret else None


def _locked(path: Path) -> FileLock:
    if not path.parent.is_dir():
        raise UserError(f'{path.parent} does not exist; name a folder that does')
    return FileLock(path.with_name(f'.{path.name}.lock'), timeout=LOCK_S, mode=0o600)


def _write(path: Path, keys: dict[str, ApiKey]) -> None:
    if not path.exists():
        # Made with these permissions, which `write_json` keeps: it never was readable to others.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    content: dict[str, Any] = {'keys': [asdict(key) for key in keys.values()]}
    write_json(path, content)
