"""The artifact root: permissions, room, caches, what killed runs left, the bundle in use."""

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

from naics_embed.bundle.promotion import promoted_bundle, promotion_record
from naics_embed.bundle.storage import Bundle
from naics_embed.doctor.finding import Finding, fail, ok, size_text, warn
from naics_embed.errors import ArtifactError

LOCKS = '.locks'
RUN_NEEDS = 2 * 2**30
"""Bytes that a first run on the workbooks writes, with room to spare (1.3 GiB were measured)."""


def existing(path: Path) -> Path:
    """Return the path, or the nearest directory above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def check_root(root: Path) -> Finding:
    """Look whether the artifact root can be written, and by whom."""
    subject = 'artifact root'
    place = existing(root)
    if not place.is_dir():
        return fail(subject, f'{place} is a file', 'name a folder in NAICS_EMBED_HOME')
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return fail(
            subject,
            f'{place} cannot be written: {error.strerror}',
            f'give yourself the right (chown or chmod u+rwx {place}), or set NAICS_EMBED_HOME',
        )
    if place == root.absolute() and place.stat().st_mode & stat.S_IWOTH:
        return warn(
            subject,
            f'{root} can be written by everybody; records there decide what is loaded',
            f'chmod o-w {root}',
        )
    return ok(subject, f'{root} can be written' if place == root.absolute() else f'{root} is new')


def check_disk(root: Path, free: int | None = None) -> Finding:
    """Compare the room on the disk of the artifact root with what a run writes."""
    place = existing(root)
    room = shutil.disk_usage(place).free if free is None else free
    found = f'{size_text(room)} free at {place}'
    if room < RUN_NEEDS:
        return fail(
            'disk',
            f'{found}; a first run writes up to {size_text(RUN_NEEDS)}',
            'make room, or set NAICS_EMBED_HOME to a folder on another disk',
        )
    return ok('disk', found)


def check_sizes(folders: dict[str, Path]) -> list[Finding]:
    """Measure folders; those that do not exist are empty."""
    return [
        ok(f'size of {name}', f'{size_text(folder_size(folder))} in {folder}')
        for name, folder in folders.items()
    ]


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except FileNotFoundError:
                # A running stage has moved it.
                continue
    return total


def check_locks(root: Path) -> Finding:
    """Look which locks are held; a lock of a dead process is free, whatever file it left."""
    files = sorted((root / LOCKS).glob('*.lock'))
    held = [file for file in files if _held(file)]
    if held:
        return warn(
            'locks',
            f'{len(held)} of {len(files)} are held: a run is computing in {root}',
            f'wait for it; fuser -v {held[0]} names the process',
        )
    return ok('locks', f'none of {len(files)} is held')


def _held(file: Path) -> bool:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def check_leftovers(root: Path) -> Finding:
    """Look for half-written outputs of killed stages; while locks are held they may be in use."""
    left = sorted(
        place
        for stage in root.glob('[!.]*')
        if stage.is_dir()
        for place in stage.glob('.*.*')
        if place.is_dir()
    )
    if not left:
        return ok('leftovers', 'no half-written output')
    size = sum(folder_size(place) for place in left)
    names = ' '.join(str(place) for place in left[:3])
    return warn(
        'leftovers',
        f'{len(left)} half-written outputs, {size_text(size)}: a stage was killed, or is running',
        f'nothing reads them; if no run is going on: rm -r {names}',
    )


def check_bundle(root: Path) -> Finding:
    """Load the bundle in use, every checksum compared."""
    subject = 'promoted bundle'
    try:
        if promotion_record(root) is None:
            return warn(
                subject,
                f'none in {root}: search, code and the other reading commands need one',
                'make run, or name a bundle with --bundle, or set NAICS_EMBED_HOME',
            )
        bundle = Bundle.load(promoted_bundle(root))
    except ArtifactError as error:
        return fail(subject, str(error), 'naics-embed promote --rollback, or make run')
    return ok(subject, f'{bundle.path}: {bundle.manifest["codes"]:,} codes, intact')
