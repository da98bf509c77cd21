"""Artifacts: files with a checksum, written whole or not at all, and keys of content."""

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from naics_embed.errors import ArtifactError

MANIFEST = 'manifest.json'
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
"""Errors of a move to a path where something exists already."""
STALE_S = 7 * 24 * 3600.0
"""Longer than any stage runs without writing."""


def _umask() -> int:
    """Return the umask; it can be read only by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# Read when the module is loaded: later, threads may be making files.
_UMASK = _umask()


@dataclass(frozen=True)
class Artifact:
    """A file or directory that a stage wrote, identified by its content.

    Attributes:
        path: where it lies.
        sha256: checksum of the file, or of a directory's names and checksums.
        size: bytes in all.
    """

    path: str
    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> 'Artifact':
        """Describe what lies at ``path``. Raises ArtifactError where nothing does."""
        digest, size = checksum(path)
        return cls(str(path.resolve()), digest, size)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> 'Artifact':
        """Rebuild the record from `to_dict`."""
        return cls(str(values['path']), str(values['sha256']), int(values['size']))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)

    def intact(self) -> bool:
        """Whether the file is there with the content that was recorded."""
        path = Path(self.path)
        return path.exists() and checksum(path) == (self.sha256, self.size)


def checksum(path: Path) -> tuple[str, int]:
    """Return sha256 and bytes of a file, or of a directory's sorted names and file checksums.

    Raises:
        ArtifactError: nothing lies at ``path``.
    """
    if path.is_file():
        with path.open('rb') as stream:
            return hashlib.file_digest(stream, 'sha256').hexdigest(), path.stat().st_size
    if path.is_dir():
        total = 0
        digest = hashlib.sha256()
        for file in sorted(p for p in path.rglob('*') if p.is_file()):
            inner, size = checksum(file)
            digest.update(f'{file.relative_to(path).as_posix()}\0{inner}\n'.encode())
            total += size
        return digest.hexdigest(), total
    raise ArtifactError(f'{path} does not exist; run the stage that writes it')


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; move it into place when the block succeeds.

    A file that is there keeps its permissions, a new one gets those of the umask. Where ``path`` is
    a link, the file that it leads to is replaced, and the link stays.
    """
    target = path.resolve() if path.is_symlink() else path
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(target.stat().st_mode) if target.is_file() else 0o666 & ~_UMASK
    handle, name = tempfile.mkstemp(
        prefix=f'.{target.name}.', suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside ``path``; it replaces ``path`` when the block succeeds.

    Several processes may do so at once: each moves a whole directory, and the last one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f'.{path.name}.{_host()}.', dir=path.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        _replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_directory(temporary: Path, path: Path) -> None:
    """Move a directory to ``path``; move away what is there, as often as that is needed."""
    retired: list[Path] = []
    try:
        while True:
            try:
                temporary.replace(path)
            except OSError as error:
                if error.errno not in TAKEN:
                    raise
            else:
                return
            prefix = f'.{path.name}.{_host()}.'
            retired.append(Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent)))
            # Where there is nothing to move any more, another process was faster.
            with suppress(FileNotFoundError):
                path.replace(retired[-1] / path.name)
    finally:
        for left in retired:
            shutil.rmtree(left, ignore_errors=True)


def discard_leftovers(path: Path) -> None:
    """Remove what killed processes left of `atomic_directory`; nobody here may be writing it.

    What another host began stays until nothing of it has changed for `STALE_S`: the lock that is
    held here may not reach that host.
    """
    start = f'.{path.name}.'
    if not path.parent.is_dir():
        return
    for left in list(path.parent.iterdir()):
        host, dot, _ = left.name.removeprefix(start).rpartition('.')
        # Names of older versions have no host.
        of_this_host = not dot or host in ('old', _host())
        if left.name.startswith(start) and (of_this_host or _unchanged_s(left) > STALE_S):
            shutil.rmtree(left, ignore_errors=not of_this_host)


def _host() -> str:
    return re.sub(r'[^A-Za-z0-9-]', '-', socket.gethostname())


def _unchanged_s(folder: Path) -> float:
    """Return for how many seconds nothing has been written to a directory that others may move."""
    latest = 0.0
    for one in (folder, *folder.rglob('*')):
        with suppress(FileNotFoundError):
            latest = max(latest, one.stat().st_mtime)
    return time.time() - latest


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + '\n', encoding='utf-8')


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises ArtifactError where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise ArtifactError(f'{path} does not exist; run the stage that writes it') from error
    except json.JSONDecodeError as error:
        raise ArtifactError(f'{path} is damaged ({error}); delete it and run again') from error


def content_key(parts: Any) -> str:
    """Return a short hash of JSON-like content; equal content gives equal keys."""
    canonical = json.dumps(parts, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(canonical.encode()).hexdigest()[:20]
