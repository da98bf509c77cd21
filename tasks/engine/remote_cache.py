"""Outputs of stages in storage that several hosts share: a bucket, or another fsspec system.

Under the address, ``<stage>/<key>.json`` is the record of a stage and ``<stage>/<key>/<run>/`` has
its files, where the run is the MLflow run that computed them. The record is written last and names
checksums; everything fetched is checked against them, so that a partial upload is never used.

Checksums guard against accidents. Whoever may write to the remote cache is trusted with what stages
compute: they can replace outputs together with the record. They are not trusted with this host:
nothing is written outside of the stage's folder, nothing is read from the remote cache beyond the
recorded sizes, and no output is ever unpickled (docs/platform.md).
"""

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from naics_embed.artifacts import Artifact, atomic_directory
from naics_embed.errors import ConfigError
from tasks.engine.remote_record import (
    MAX_RECORD_BYTES,
    DamagedCacheError,
    parse_record,
    relative_path,
)
from tasks.engine.storage_block import file_system

log = logging.getLogger('naics_embed.pipeline')

_CHUNK = 2**20
_MAX_ENTRIES = 100_000
"""Of one output: empty files are within any size."""


@dataclass(frozen=True)
class RemoteCache:
    """A folder of an fsspec file system.

    Attributes:
        files: the file system.
        folder: the folder in it.
    """

    files: AbstractFileSystem
    folder: str

    @classmethod
    def at(cls, url: str) -> 'RemoteCache':
        """Open an address such as ``s3://bucket/folder``; credentials come from the environment.

        ``remote-file-system/NAME`` is a storage block of Prefect's server, which has the address
        and the settings.

        Raises:
            ConfigError: there is no such kind of storage, its package is not installed, or the
                server has no such block.
        """
        try:
            files, folder = url_to_fs(url) if '://' in url else file_system(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f'platform.remote_cache={url}: {error}') from error
        return cls(files, folder.rstrip('/'))

    def has(self, stage: str, key: str) -> bool:
        """Whether the remote cache has a record; its files are checked when they are fetched."""
        try:
            return self._record(stage, key) is not None
        except DamagedCacheError as error:
            self._warn(stage, key, error)
            return False

    def fetch(self, stage: str, key: str, target: Path) -> dict[str, Any] | None:
        """Copy a stage's outputs to the directory ``target``, once they are all as recorded.

        Returns:
            Its record with paths under ``target``, or None where the remote cache has none or its
            files are not as recorded; ``target`` is then as it was, and a warning has the reason.
        """
        try:
            record = self._record(stage, key)
            if record is None:
                return None
            self._fetch_outputs(record, target)
        except DamagedCacheError as error:
            self._warn(stage, key, error)
            return None
        log.info('%s: fetched from the remote cache', stage)
        files = {
            name: {**entry, 'path': str(target.resolve() / entry['path'])}
            for name, entry in record['files'].items()
        }
        return {**record, 'files': files}

    def publish(self, record: dict[str, Any], target: Path) -> None:
        """Copy a stage's outputs from the directory ``target``; the record comes last."""
        stage, key = record['stage'], record['key']
        files = {}
        for name, entry in record['files'].items():
            path = Path(entry['path']).relative_to(target.resolve()).as_posix()
            self._put(Path(entry['path']), f'{self._outputs(stage, key, record["run_id"])}/{path}')
            files[name] = {**entry, 'path': path}
        content = json.dumps({**record, 'files': files, 'cached': False}, sort_keys=True)
        self.files.pipe_file(self._record_path(stage, key), content.encode())

    def _record_path(self, stage: str, key: str) -> str:
        return f'{self.folder}/{stage}/{key}.json'

    def _outputs(self, stage: str, key: str, run_id: str) -> str:
        return f'{self.folder}/{stage}/{key}/{run_id}'

    def _warn(self, stage: str, key: str, error: DamagedCacheError) -> None:
        log.warning('%s %s: the remote cache is not used: %s; computing again', stage, key, error)

    def _record(self, stage: str, key: str) -> dict[str, Any] | None:
        # Another host writes it: a listing of a moment ago may be out of date.
        self.files.invalidate_cache()
        path = self._record_path(stage, key)
        try:
            content = b''.join(self._stream(self.files.info(path), MAX_RECORD_BYTES))
        except FileNotFoundError:
            return None
        return parse_record(content, stage, key)

    def _fetch_outputs(self, record: dict[str, Any], target: Path) -> None:
        remote = self._outputs(record['stage'], record['key'], record['run_id'])
        total = sum(entry['size'] for entry in record['files'].values())
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if total > free:
            raise DamagedCacheError(
                f'its outputs have {total:,} bytes, and the disk of {target.parent} has '
                f'{free:,} left'
            )
        with atomic_directory(target) as out:
            for name, entry in record['files'].items():
                where = out / entry['path']
                try:
                    self._get(f'{remote}/{entry["path"]}', where, entry['size'])
                except FileNotFoundError as error:
                    raise DamagedCacheError(f'its output {name} is not there') from error
                except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                    raise DamagedCacheError(f'its output {name} has two files of a name') from error
                if not Artifact(str(where), entry['sha256'], entry['size']).intact():
                    raise DamagedCacheError(f'its output {name} is not as recorded')

    def _get(self, remote: str, local: Path, size: int) -> None:
        """Copy a file or directory of at most ``size`` bytes to a path that does not exist."""
        info = self.files.info(remote)
        if info['type'] != 'directory':
            self._write(info, local, size)
            return
        for entry in self._below(info):
            where = local / relative_path(_inner(entry, info['name']))
            size -= self._write(entry, where, size)

    def _below(self, info: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what lies in a directory, at any depth; links are not followed."""
        waiting = [info['name']]
        number = 0
        while waiting:
            folder = waiting.pop()
            for entry in self.files.ls(folder, detail=True):
                # Some stores list a folder in itself.
                if entry['name'].rstrip('/') == folder.rstrip('/'):
                    continue
                number += 1
                if number > _MAX_ENTRIES:
                    raise DamagedCacheError(f'{info["name"]} has more than {_MAX_ENTRIES:,} files')
                relative_path(_inner(entry, folder))
                if entry['type'] == 'directory' and not entry.get('islink'):
                    waiting.append(entry['name'])
                else:
                    yield entry

    def _write(self, info: dict[str, Any], local: Path, size: int) -> int:
        written = 0
        local.parent.mkdir(parents=True, exist_ok=True)
        with local.open('xb') as out:
            for chunk in self._stream(info, size):
                written += out.write(chunk)
        return written

    def _stream(self, info: dict[str, Any], size: int) -> Iterator[bytes]:
        """Yield the content of a file that has at most ``size`` bytes."""
        if info['type'] != 'file' or info.get('islink') or not self._holds(info['name']):
            raise DamagedCacheError(f'{info["name"]} is not a plain file of the remote cache')
        limit = size
        if (info.get('size') or 0) > limit:
            raise _larger(info, limit)
        with self.files.open(info['name'], 'rb') as stream:
            while chunk := stream.read(min(_CHUNK, size + 1)):
                size -= len(chunk)
                if size < 0:
                    raise _larger(info, limit)
                yield chunk

    def _holds(self, name: str) -> bool:
        """Whether a file lies in the remote cache itself and not where a link of a folder leads."""
        if not isinstance(self.files, LocalFileSystem):
            return True
        return Path(name).resolve().is_relative_to(Path(self.folder).resolve())

    def _put(self, local: Path, remote: str) -> None:
        for path in sorted(local.rglob('*')) if local.is_dir() else [local]:
            if path.is_file():
                target = f'{remote}/{path.relative_to(local).as_posix()}'.removesuffix('/.')
                self.files.makedirs(target.rpartition('/')[0], exist_ok=True)
                self.files.put_file(str(path), target)


def _inner(entry: dict[str, Any], folder: str) -> str:
    """Return the name of a listed entry relative to the folder; it must be below it."""
    start = f'{folder.rstrip("/")}/'
    name = entry['name']
    if not name.startswith(start):
        raise DamagedCacheError(f'{folder} lists {name[:80]!r}, which is not in it')
    return name.removeprefix(start).removesuffix('/')


def _larger(info: dict[str, Any], limit: int) -> DamagedCacheError:
    return DamagedCacheError(f'{info["name"]} has more than the {limit:,} bytes it may have')
