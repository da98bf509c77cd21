"""An MLflow database in an artifact root that was moved: its addresses are corrected.

MLflow stores where the files of runs and models lie as absolute addresses and has no call to change
them. It would keep writing to the old folder, make it again, or fail where it may not.
"""

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from naics_embed.bundle import promotion
from naics_embed.sqlite_address import sqlite_address
from tasks.engine.tracking_errors import database_file

log = logging.getLogger(__name__)

ADDRESSES = (
    ('experiments', 'artifact_location'),
    ('runs', 'artifact_uri'),
    ('logged_models', 'artifact_location'),
    ('model_versions', 'source'),
    ('model_versions', 'storage_location'),
)
WAIT_S = 60.0


def follow_root(database: Path, stored: str, artifacts: Path) -> None:
    """Correct the addresses in a database that has been moved or copied together with its files.

    Nothing is changed where the database lies elsewhere than the folder of the files: then somebody
    chose that folder.

    Args:
        database: the SQLite file.
        stored: address of the files in it.
        artifacts: folder of the files beside it.
    """
    current = artifacts.resolve().as_uri()
    beside = database.resolve().parent == artifacts.resolve().parent
    if stored == current or not beside or stored.rpartition('/')[2] != current.rpartition('/')[2]:
        return
    with closing(sqlite3.connect(database, timeout=WAIT_S)) as connection, connection:
        known = {name for (name,) in connection.execute('SELECT name FROM sqlite_master')}
        for table, column in ADDRESSES:
            if table in known:
                connection.execute(
                    f'UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) '
                    f'WHERE {column} = :old '
                    f"OR substr({column}, 1, length(:old) + 1) = :old || '/'",
                    {'old': stored, 'new': current},
                )
    log.warning('%s lay beside %s before; its runs are found at %s now', database, stored, current)


def stored_registry(registry: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the address of a registry for the pointer to the bundle in use.

    A database in the artifact root is named relative to it.
    """
    file = database_file(registry['uri'])
    if file is None or not file.resolve().is_relative_to(root.resolve()):
        return dict(registry)
    inner = file.resolve().relative_to(root.resolve())
    return {**registry, 'uri': sqlite_address(inner)}


def promotion_record(root: Path) -> dict[str, Any] | None:
    """Return the pointer to the bundle in use, with registries where they are now.

    Older pointers have absolute addresses; a database that is gone from there is looked for in the
    root.
    """
    record = promotion.promotion_record(root)
    return None if record is None else _with_registry(record, root)


def _with_registry(record: dict[str, Any], root: Path) -> dict[str, Any]:
    result = dict(record)
    if record.get(promotion.PREVIOUS):
        result[promotion.PREVIOUS] = _with_registry(record[promotion.PREVIOUS], root)
    registry = record.get('registry')
    if not registry:
        return result
    file = database_file(registry['uri'])
    if file is not None and not (file.is_absolute() and file.exists()):
        here = root.resolve() / (file.name if file.is_absolute() else file)
        if here.exists():
            result['registry'] = {**registry, 'uri': sqlite_address(here)}
    return result
