"""The record of a stage as another host wrote it: nothing of it is used before it is checked.

Its names and paths are joined into addresses of the remote cache and into paths of this host, so
that whoever writes a record could otherwise choose where this host writes.
"""

from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

MAX_RECORD_BYTES = 2**24
_MAX_OUTPUT_BYTES = 2**40
_MAX_PATH_BYTES = 1024
_MAX_NAME_BYTES = 255
_QUOTED = 80
_NAME = r'^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$'
_FORBIDDEN = frozenset('\\:') | {chr(code) for code in (*range(32), 127)}
"""Separators, drives and streams of Windows, and control characters."""


class DamagedCacheError(Exception):
    """What the remote cache has of a stage does not match its record, or the record is invalid."""


class _Output(BaseModel):
    model_config = ConfigDict(extra='forbid', strict=True)

    path: str
    sha256: Annotated[str, Field(pattern=r'^[0-9a-f]{64}$')]
    size: Annotated[int, Field(ge=0, le=_MAX_OUTPUT_BYTES)]


class _Record(BaseModel):
    """A `tasks.engine.record.Record`, its paths relative to the folder of the stage's outputs."""

    model_config = ConfigDict(extra='forbid', strict=True)

    stage: str
    key: str
    run_id: Annotated[str, Field(pattern=_NAME)]
    files: dict[str, _Output]
    metrics: dict[str, float]
    facts: dict[str, JsonValue]
    seconds: Annotated[float, Field(ge=0)]
    cached: bool


def parse_record(content: bytes, stage: str, key: str) -> dict[str, Any]:
    """Return the record that a remote cache has of a stage.

    Args:
        content: JSON as it lies in the remote cache, at most `MAX_RECORD_BYTES`.
        stage: the requested stage.
        key: the requested key.

    Raises:
        DamagedCacheError: it is no record, is that of another stage or key, or names a path that is
            not one below the outputs' folder.
    """
    try:
        record = _Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = '.'.join(str(part) for part in first['loc'])[:_QUOTED]
        raise DamagedCacheError(
            f'its record is damaged: {field}{field and ": "}{first["msg"][:200]}'
        ) from error
    if (record.stage, record.key) != (stage, key):
        raise DamagedCacheError(
            f'its record is that of {record.stage[:_QUOTED]!r} {record.key[:_QUOTED]!r}'
        )
    paths = sorted(relative_path(output.path).parts for output in record.files.values())
    for one, next_one in pairwise(paths):
        if next_one[: len(one)] == one:
            raise DamagedCacheError(
                f'its record has two outputs at {"/".join(next_one)[:_QUOTED]!r}'
            )
    return record.model_dump()


def relative_path(path: str) -> PurePosixPath:
    """Return a path that is certainly below the folder it will be joined to.

    Raises:
        DamagedCacheError: it is empty, absolute or too long, leads to a parent, or has a character
            that means something else on another system.
    """
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise _refused(path) from error
    names = path.split('/')
    if (
        size > _MAX_PATH_BYTES
        or not _FORBIDDEN.isdisjoint(path)
        or any(name in ('', '.', '..') for name in names)
        or any(len(name.encode()) > _MAX_NAME_BYTES for name in names)
        or any(name.endswith((' ', '.')) for name in names)
    ):
        raise _refused(path)
    return PurePosixPath(*names)


def _refused(path: str) -> DamagedCacheError:
    return DamagedCacheError(
        f'the path {path[:_QUOTED]!r} is not a plain one below its folder, so nothing is written'
    )
