"""Where Prefect keeps the records of stages: in two folders of the artifact root.

Prefect's own storage of local files has to be registered on its server together with its absolute
path, overwrites files, and lets a stored file name the serializer that reads it: whoever can write
such a file then chooses between JSON and pickle. Its storage of remote files reads an unreachable
bucket as an empty one, so that everything is computed again in silence. Records of several hosts
therefore go through `tasks.engine.remote_cache`.
"""

import json
from pathlib import Path
from typing import Any, ClassVar

from prefect.filesystems import WritableFileSystem
from prefect.serializers import JSONSerializer

from naics_embed.artifacts import atomic_file

KEYS = '.keys'
RESULTS = '.results'
PLAIN_JSON = JSONSerializer(object_decoder=None)
"""Prefect's decoder would import the classes that a file names."""


class RecordFolder(WritableFileSystem):
    """Files of one folder, written whole.

    Attributes:
        folder: where they lie; it takes no part in the names under which Prefect knows them.
    """

    _block_type_name: ClassVar[str] = 'Records of naics-embed'

    folder: Path

    def _resolve_path(self, path: str) -> None:
        """Tell Prefect to keep names as they are: with a path it would store absolute ones."""

    def read_path(self, path: str, **_options: Any) -> bytes:  # type: ignore[override]  # may be sync
        """Return the content of a file. Raises OSError where there is none."""
        return self._file(path).read_bytes()

    def write_path(  # type: ignore[override]  # may be sync
        self, path: str, content: bytes, **_options: Any
    ) -> None:
        """Write a file, or leave the old one as it is."""
        with atomic_file(self._file(path)) as temporary:
            temporary.write_bytes(content)

    def _file(self, name: str) -> Path:
        if name in ('', '.', '..') or '/' in name:
            raise ValueError(f'{name!r} is no name of a record')
        return self.folder / name


class KeyFolder(RecordFolder):
    """Files that name the result of a key; one counts only if its result can be read.

    Attributes:
        results: where results lie.
    """

    _block_type_name: ClassVar[str] = 'Keys of naics-embed'

    results: RecordFolder

    def read_path(self, path: str, **_options: Any) -> bytes:  # type: ignore[override]  # may be sync
        """Return what Prefect needs to read a result, always as plain JSON.

        Raises:
            OSError: the key, or its result, is not there; Prefect computes it.
            ValueError: one of them is damaged; Prefect computes it again.
        """
        stored = json.loads(super().read_path(path))
        if not isinstance(json.loads(self.results.read_path(stored['storage_key'])), dict):
            raise ValueError(f'{path} is no record')
        return json.dumps({**stored, 'serializer': PLAIN_JSON.model_dump()}).encode()


def record_storage(root: Path) -> tuple[KeyFolder, RecordFolder]:
    """Return the storage of keys and that of results under an artifact root."""
    results = RecordFolder(folder=root / RESULTS)
    return KeyFolder(folder=root / KEYS, results=results), results
