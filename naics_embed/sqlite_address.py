"""Addresses of SQLite files, as SQLAlchemy and MLflow read them."""

import re
from pathlib import Path
from urllib.parse import quote, unquote

SQLITE = 'sqlite:///'
_READ_OTHERWISE = re.compile(r'\?|%(?=[0-9A-Fa-f]{2})')
"""A question mark begins the query of an address, a percent sign with two digits an escape."""


def sqlite_address(file: Path) -> str:
    """Return the address of a file, of which every character stays part of its name.

    Example:
        >>> sqlite_address(Path('/runs/100 %/why?/mlflow.db'))
        'sqlite:////runs/100 %/why%3F/mlflow.db'
    """
    return SQLITE + _READ_OTHERWISE.sub(lambda found: quote(found[0]), str(file))


def sqlite_file(address: str) -> Path | None:
    """Return the file that an address names; None for other databases and servers."""
    if not address.startswith(SQLITE):
        return None
    file = address.removeprefix(SQLITE).partition('?')[0]
    return Path(unquote(file)) if file else None
