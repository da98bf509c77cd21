"""Disks of a few megabytes that a test fills or makes read-only; they need the right to mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK = 4096


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk on a folder; the test is skipped where that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m', 'tmpfs', str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f'a disk cannot be mounted here: {mounted.stderr.strip()}')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', str(folder)], check=True)


def fill(disk: Path, leave: int = 0) -> None:
    """Write until there is no room, then give ``leave`` bytes back."""
    ballast = disk / 'ballast'
    with ballast.open('wb', buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(BLOCK))
        except OSError:
            pass
        stream.truncate(max(0, stream.tell() - leave))


def make_read_only(disk: Path) -> None:
    """Mount the disk anew, for reading only."""
    subprocess.run(['mount', '-o', 'remount,ro', str(disk)], check=True)
