"""Checkpoints are written whole or not at all: full disks, two file systems, killed processes."""

import errno
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from naics_embed.errors import ArtifactError
from naics_embed.training import checkpoint_io
from naics_embed.training.checkpoint_io import (
    REQUIRED,
    AtomicCheckpointIO,
    UnreadableCheckpointError,
    copy_checkpoint,
    discard_unfinished,
    read_checkpoint,
)
from naics_embed.training.fit import train_text
from tests.disks import small_disk
from tests.training.test_fit import assert_same

ROOT = Path(__file__).resolve().parents[2]
SHARED_MEMORY = Path('/dev/shm')


class EndOfProcessError(Exception):
    """Stands for whatever ends a process in the middle of a training."""


@pytest.fixture
def train(make_inputs):
    """Train in a folder, and return the result and the numbers of the epochs that were trained."""

    def run(settings, folder, *, stop_after=None, **options):
        epochs = []

        def report(epoch, metrics):
            if epoch == stop_after:
                raise EndOfProcessError
            epochs.append(epoch)

        return train_text(make_inputs(), settings, folder, report=report, **options), epochs

    return run


@pytest.fixture
def settings(settings_with):
    return settings_with('training.epochs=3', 'training.patience=9')


@pytest.fixture(scope='module')
def whole(make_inputs, settings_with, tmp_path_factory):
    """What a training gives that nothing disturbed."""
    undisturbed = settings_with('training.epochs=3', 'training.patience=9')
    return train_text(make_inputs(), undisturbed, tmp_path_factory.mktemp('whole'))


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A file system of its own, of 32 MB; temporary files are on another one."""
    with small_disk(tmp_path / 'small', 32) as folder:
        yield folder


@pytest.fixture
def shared_memory() -> Iterator[Path]:
    """A folder on another file system than that of temporary files, which needs no privileges."""
    if not SHARED_MEMORY.is_dir() or on_same_disk(SHARED_MEMORY, Path(tempfile.gettempdir())):
        pytest.skip('/dev/shm is not a file system of its own here')
    folder = Path(tempfile.mkdtemp(dir=SHARED_MEMORY))
    yield folder
    shutil.rmtree(folder)


def on_same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """Leave ``free`` bytes on a disk."""
    filler = disk / 'filler'
    available = shutil.disk_usage(disk).free
    filler.write_bytes(bytes(available - free))
    assert shutil.disk_usage(disk).free <= free
    yield
    filler.unlink()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Have each write beyond ``size`` bytes of a file fail, as the operating system does it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ('part', 'second', 'failed'),
    [(0.0, 0.7, 'best-.*'), (0.5, 0.7, 'best-.*'), (0.0, 0.3, 'last'), (0.5, 0.3, 'last')],
)
def test_a_full_disk_leaves_the_earlier_checkpoints(
    train, settings, selection_is, tmp_path, disk, part, second, failed
):
    """There is space for nothing or half of a checkpoint, the best one or the last one."""
    assert not on_same_disk(disk, Path(tempfile.gettempdir()))
    metrics = [0.5, second, 0.6]
    selection_is([*metrics, *metrics[:2], second, *metrics[1:]])
    whole, _ = train(settings, tmp_path / 'whole')
    folder = disk / 'checkpoints'
    with pytest.raises(EndOfProcessError):
        train(settings, folder, stop_after=1)
    before = contents(folder)
    # Beside what the settings need, which are written first.
    free = len(before['settings.json']) + 2 * resource.getpagesize()
    size = len(before['last.ckpt'])
    assert free < size
    with (
        filled(disk, free + int(part * (size - free))),
        pytest.raises(
            ArtifactError, match=rf'{failed}\.ckpt could not be written: No space.*Free space'
        ),
    ):
        train(settings, folder)
    assert contents(folder) == before, 'no half of a file is left'
    trained, epochs = train(settings, folder)
    assert epochs == [1, 2]
    assert_same(trained, whole)


def test_a_write_that_fails_half_way_leaves_the_earlier_checkpoints(
    train, settings, whole, shared_memory
):
    with pytest.raises(EndOfProcessError):
        train(settings, shared_memory, stop_after=1)
    before = contents(shared_memory)
    size = (shared_memory / 'last.ckpt').stat().st_size
    with (
        largest_file(size // 2),
        pytest.raises(ArtifactError, match=r'\.ckpt could not be written: File too large'),
    ):
        train(settings, shared_memory)
    assert contents(shared_memory) == before
    trained, epochs = train(settings, shared_memory)
    assert epochs == [1, 2]
    assert_same(trained, whole)


def test_a_training_that_fails_twice_after_a_better_epoch_goes_on(
    train, settings_with, selection_is, monkeypatch, tmp_path
):
    """The last checkpoint names a best one whose place a better one has taken."""
    settings = settings_with('training.epochs=3', 'training.patience=9')
    selection_is([0.1, 0.2, 0.3, 0.1, 0.2, 0.2, 0.2, 0.3])
    whole, _ = train(settings, tmp_path / 'whole')
    folder = tmp_path / 'parts'
    real, writes = os.fsync, []

    def full_at_the_fourth(handle):
        writes.append(handle)
        if len(writes) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint_io.os, 'fsync', full_at_the_fourth)
        with pytest.raises(ArtifactError, match=r'last\.ckpt could not be written'):
            train(settings, folder)
    with pytest.raises(EndOfProcessError):
        train(settings, folder, stop_after=1)
    trained, epochs = train(settings, folder)
    assert epochs == [1, 2]
    assert_same(trained, whole)
    assert len(list(folder.glob('*.ckpt'))) == 2, 'each epoch has one file'


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from naics_embed.training.checkpoint_io import AtomicCheckpointIO
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
AtomicCheckpointIO().save_checkpoint({'weights': torch.ones(1000)}, sys.argv[1])
"""


def test_what_a_killed_process_left_is_removed(tmp_path):
    target = tmp_path / 'last.ckpt'
    target.write_bytes(b'earlier')
    killed = subprocess.run(
        [sys.executable, '-c', KILLED, str(target)],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert target.read_bytes() == b'earlier'
    best = 'best-epoch=03-selection=0.5000.ckpt'
    handle, _ = tempfile.mkstemp(prefix=f'.{best}.', suffix='.ckpt', dir=tmp_path)
    os.close(handle)
    for name in (best, '.last.ckpt.notes', '.mine.ckpt'):
        (tmp_path / name).touch()
    assert len(list(tmp_path.iterdir())) == 6
    discard_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        '.last.ckpt.notes',
        '.mine.ckpt',
        best,
        'last.ckpt',
    ]


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    """A small checkpoint with all of its parts."""
    path = tmp_path / 'some.ckpt'
    weights = {f'layer{number}': torch.randn(64) for number in range(4)}
    AtomicCheckpointIO().save_checkpoint(dict.fromkeys(REQUIRED, 0) | {'state_dict': weights}, path)
    return path


def test_what_is_written_is_read(checkpoint, tmp_path):
    copy_checkpoint(checkpoint, tmp_path / 'other' / 'copy.ckpt')
    for path in (checkpoint, tmp_path / 'other' / 'copy.ckpt'):
        assert set(read_checkpoint(path)) == REQUIRED
        assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(TypeError, match='storage options'):
        AtomicCheckpointIO().save_checkpoint({}, checkpoint, storage_options={})


def test_every_length_of_a_torn_file_is_found(checkpoint):
    content = checkpoint.read_bytes()
    for length in range(0, len(content), 61):
        checkpoint.write_bytes(content[:length])
        with pytest.raises(
            UnreadableCheckpointError, match=r'some\.ckpt is no checkpoint that can be read'
        ):
            read_checkpoint(checkpoint)


def test_altered_weights_are_found(checkpoint):
    """A power failure may leave zeros in a file of the right length, which torch reads."""
    content = bytearray(checkpoint.read_bytes())
    weights = read_checkpoint(checkpoint)['state_dict']['layer2']
    at = content.index(weights.numpy().tobytes())
    content[at : at + 16] = bytes(16)
    checkpoint.write_bytes(content)
    assert torch.load(io.BytesIO(content), weights_only=True), 'torch takes it'
    with pytest.raises(UnreadableCheckpointError, match=r'some\.ckpt.*another checksum'):
        read_checkpoint(checkpoint)


@pytest.mark.parametrize('missing', sorted(REQUIRED))
def test_a_checkpoint_without_a_part_is_found(checkpoint, missing):
    kept = read_checkpoint(checkpoint)
    del kept[missing]
    torch.save(kept, checkpoint)
    with pytest.raises(UnreadableCheckpointError, match=f'it lacks {missing}'):
        read_checkpoint(checkpoint)


def test_a_file_that_may_not_be_read_is_not_called_damaged(checkpoint, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # Root may read everything.
    monkeypatch.setattr(Path, 'read_bytes', refuse)
    with pytest.raises(ArtifactError, match='Permission denied; check its permissions') as raised:
        read_checkpoint(checkpoint)
    assert not isinstance(raised.value, UnreadableCheckpointError)
