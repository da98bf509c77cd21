"""Passwords that the platform makes for itself, and the file that a terminal reads them from."""

import os
import secrets
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

AUTH_FILE = 'prefect-auth'
ENV_FILE = 'env'
USER = 'naics'
ASKED = 'PREFECT_SERVER_API_AUTH_STRING'
"""What Prefect's server asks for; clients give the same in `GIVEN`."""
GIVEN = 'PREFECT_API_AUTH_STRING'
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def auth_string(folder: Path) -> str:
    """Return ``user:password`` of Prefect's API: the environment's, else one kept in ``folder``."""
    return os.environ.get(ASKED) or kept_secret(
        folder / AUTH_FILE, lambda: f'{USER}:{secrets.token_urlsafe(24)}'
    )


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in a file that only its owner reads, made when first needed."""
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding='utf-8').strip()


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, at no moment readable to others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}')
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, 'w', encoding='utf-8') as stream:
        stream.write(content)
    temporary.replace(path)


def write_exports(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file that ``source`` reads: an export of each variable."""
    lines = [f'export {name}={shlex.quote(value)}\n' for name, value in variables.items()]
    write_private(path, ''.join(lines))
