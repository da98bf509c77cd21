"""An MLflow database in an artifact root that lies elsewhere now: it follows the root.

MLflow stores where the files of runs and models lie as absolute addresses and has no call to change
them. It would go on writing to the old place, make it anew, or fail where it may not.
"""

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from naics_embed.bundle import promotion
from tasks.engine.tracking_errors import SQLITE, database_file

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
    wanted = artifacts.resolve().as_uri()
    beside = database.resolve().parent == artifacts.resolve().parent
    if stored == wanted or not beside or stored.rpartition('/')[2] != wanted.rpartition('/')[2]:
        return
    with closing(sqlite3.connect(database, timeout=WAIT_S)) as connection, connection:
        known = {name for (name,) in connection.execute('SELECT name FROM sqlite_master')}
        for table, column in ADDRESSES:
            if table in known:
                connection.execute(
                    f'UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) '
                    f'WHERE {column} = :old '
                    f"OR substr({column}, 1, length(:old) + 1) = :old || '/'",
                    {'old': stored, 'new': wanted},
                )
    log.warning('%s lay beside %s before; its runs are found at %s now', database, stored, wanted)


def stored_registry(registry: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the address of a registry for the pointer to the bundle in use.

    A database in the artifact root is named relative to it.
    """
    file = database_file(registry['uri'])
    if file is None or not file.resolve().is_relative_to(root.resolve()):
        return dict(registry)
    inner = file.resolve().relative_to(root.resolve())
    return {**registry, 'uri': f'{SQLITE}{inner.as_posix()}'}


def promotion_record(root: Path) -> dict[str, Any] | None:
    """Return the pointer to the bundle in use, with registries where they are now.

    Older pointers have absolute addresses; a database that is gone from there is looked for in the
    root.
    """
    record = promotion.promotion_record(root)
    return None if record is None else _with_registry(record, root)


def _with_registry(record: dict[str, Any], root: Path) -> dict[str, Any]:
    found = dict(record)
    if record.get(promotion.PREVIOUS):
        found[promotion.PREVIOUS] = _with_registry(record[promotion.PREVIOUS], root)
    registry = record.get('registry')
    file = database_file(registry['uri']) if registry else None
    if file is not None and not (file.is_absolute() and file.exists()):
        here = root.resolve() / (file.name if file.is_absolute() else file)
        if here.exists():
            found['registry'] = {**registry, 'uri': f'{SQLITE}{here}'}
    return found
