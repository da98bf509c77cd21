"""Files of checkpoints: written whole or not at all, and checked in full when they are read."""

import io
import os
import pickle
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from naics_embed.artifacts import atomic_file
from naics_embed.errors import ArtifactError

REQUIRED = frozenset(
    {
        'callbacks',
        'epoch',
        'global_step',
        'loops',
        'lr_schedulers',
        'optimizer_states',
        'state_dict',
    }
)
"""Keys of a checkpoint; a file that lacks one is not a checkpoint of a training."""

_UNFINISHED = re.compile(r'\.(last|best-.+)\.ckpt\.[a-z0-9_]{8}\.ckpt')
"""Temporary names that `atomic_file` gives to checkpoints."""

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    pickle.UnpicklingError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
)
"""What zipfile and torch raise for a damaged file, by experiment."""


class UnreadableCheckpointError(ArtifactError):
    """A checkpoint is damaged, or the file is something else."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its target and moves it there when it is on the disk as a whole.

    Lightning's own writes to the temporary directory and moves from there, which is a plain copy
    where that is another file system: a full disk or a killed process leaves a part of the file
    instead of the checkpoint before.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: the state that Lightning collects.
            path: its file, replaced when the new one is complete.
            storage_options: not supported, as in the class above.

        Raises:
            ArtifactError: it cannot be written, as on a full disk; ``path`` is as it was.
            TypeError: there are storage options.
        """
        if storage_options is not None:
            raise TypeError(f'{type(self).__name__} has no storage options')
        # Into memory first: torch hides the error of a full disk behind one of its own.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with _written_whole(Path(path)) as stream:
            stream.write(content.getbuffer())


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copy a checkpoint; where it cannot be written, raise ArtifactError and leave the target."""
    with source.open('rb') as content, _written_whole(target) as stream:
        shutil.copyfileobj(content, stream)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint on the CPU, with all its checksums.

    Raises:
        UnreadableCheckpointError: it is damaged or is not a checkpoint of a text training.
        ArtifactError: the operating system does not let it be read.
        FileNotFoundError: it is not there.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArtifactError(
            f'{path} cannot be read: {error.strerror or error}; check its permissions and its disk'
        ) from error
    damaged = f'{path} is no checkpoint that can be read ({len(content)} bytes)'
    try:
        # torch does not look at the checksums, and so takes zeroed or altered weights.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            part = archive.testzip()
        if part is not None:
            raise UnreadableCheckpointError(f'{damaged}: {part} in it has another checksum')
        kept = torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    except _DAMAGE as error:
        raise UnreadableCheckpointError(f'{damaged}: {error}') from error
    missing = sorted(REQUIRED - set(kept)) if isinstance(kept, dict) else sorted(REQUIRED)
    if missing:
        raise UnreadableCheckpointError(
            f'{path} is not a checkpoint of a text training: it lacks {", ".join(missing)}'
        )
    return kept


def discard_unfinished(folder: Path) -> None:
    """Remove what killed processes left of checkpoints; nobody else may be writing them."""
    for path in folder.glob('.*.ckpt'):
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)


@contextmanager
def _written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream whose content replaces ``path`` once it is on the disk."""
    try:
        with atomic_file(path) as temporary, temporary.open('wb') as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise ArtifactError(
            f'the checkpoint {path} could not be written: {error.strerror or error}; earlier ones '
            'are unchanged. Free space on its disk, or make its folder writable, and run the same '
            'command again: training goes on from the last checkpoint'
        ) from error
