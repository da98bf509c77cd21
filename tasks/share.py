"""Outputs of stages in a place that several hosts reach: a bucket, or whatever fsspec knows.

Under the address, ``<stage>/<key>.json`` is the record of a stage and ``<stage>/<key>/<run>/`` has
its files, where the run is the MLflow run that computed them. The record is written last and names
checksums; everything fetched is checked against them, so that half an upload is never believed.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from naics_embed.artifacts import Artifact, atomic_directory
from naics_embed.errors import ConfigError

log = logging.getLogger('naics_embed.pipeline')


@dataclass(frozen=True)
class Share:
    """A folder of an fsspec file system.

    Attributes:
        files: the file system.
        folder: the folder in it.
    """

    files: AbstractFileSystem
    folder: str

    @classmethod
    def at(cls, url: str) -> 'Share':
        """Open an address such as ``s3://bucket/folder``; credentials come from the environment.

        Raises:
            ConfigError: there is no such kind of storage, or its package is not installed.
        """
        try:
            files, folder = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f'platform.share={url}: {error}') from error
        return cls(files, folder.rstrip('/'))

    def has(self, stage: str, key: str) -> bool:
        """Whether the share has a record; its files are checked when they are fetched."""
        return self._record(stage, key) is not None

    def fetch(self, stage: str, key: str, target: Path) -> dict[str, Any] | None:
        """Copy a stage's outputs to the directory ``target``.

        Returns:
            Its record with paths under ``target``, or None where the share has none or its files
            are not as recorded.
        """
        record = self._record(stage, key)
        if record is None:
            return None
        files = {
            name: {**entry, 'path': str(target.resolve() / entry['path'])}
            for name, entry in record['files'].items()
        }
        with atomic_directory(target) as out:
            for entry in record['files'].values():
                where = out / entry['path']
                where.parent.mkdir(parents=True, exist_ok=True)
                self._get(f'{self._outputs(stage, key, record["run_id"])}/{entry["path"]}', where)
        if not all(Artifact.from_dict(entry).intact() for entry in files.values()):
            log.warning('%s: its files in the share are not as recorded; computing again', stage)
            return None
        log.info('%s: fetched from the share', stage)
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
        self.files.pipe_file(self._place(stage, key), content.encode())

    def _place(self, stage: str, key: str) -> str:
        return f'{self.folder}/{stage}/{key}.json'

    def _outputs(self, stage: str, key: str, run_id: str) -> str:
        return f'{self.folder}/{stage}/{key}/{run_id}'

    def _record(self, stage: str, key: str) -> dict[str, Any] | None:
        # Another host writes it: a listing of a moment ago may be out of date.
        self.files.invalidate_cache()
        try:
            content = self.files.cat_file(self._place(stage, key))
        except FileNotFoundError:
            return None
        try:
            return json.loads(content)
        except json.JSONDecodeError:
            log.warning('%s: its record in the share is damaged; computing again', stage)
            return None

    def _get(self, remote: str, local: Path) -> None:
        if self.files.isdir(remote):
            for name in self.files.find(remote):
                own = local / PurePosixPath(name).relative_to(remote)
                own.parent.mkdir(parents=True, exist_ok=True)
                self.files.get_file(name, str(own))
        elif self.files.exists(remote):
            self.files.get_file(remote, str(local))

    def _put(self, local: Path, remote: str) -> None:
        for path in sorted(local.rglob('*')) if local.is_dir() else [local]:
            if path.is_file():
                place = f'{remote}/{path.relative_to(local).as_posix()}'.removesuffix('/.')
                self.files.makedirs(place.rpartition('/')[0], exist_ok=True)
                self.files.put_file(str(path), place)
