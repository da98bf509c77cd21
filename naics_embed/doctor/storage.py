"""The artifact root: permissions, free space, caches, leftovers, the bundle in use."""

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
from naics_embed.home import REMEDY, home_folder

LOCKS = '.locks'
RUN_NEEDS = 2 * 2**30
"""Bytes that a first run on the workbooks writes, with a margin (1.3 GiB were measured)."""


def existing(path: Path) -> Path:
    """Return the path, or the nearest directory above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def check_home() -> Finding:
    """Check whether the user has a home directory, which Prefect and others keep settings in."""
    subject = 'home'
    home = home_folder()
    if home is None:
        return warn(
            subject,
            'none: HOME is not set, and this user has no entry in /etc/passwd; run, data and the '
            'other commands of the pipeline need one',
            REMEDY,
        )
    return ok(subject, str(home))


def check_root(root: Path) -> Finding:
    """Check whether the artifact root can be written, and by whom."""
    subject = 'artifact root'
    folder = existing(root)
    if not folder.is_dir():
        return fail(subject, f'{folder} is a file', 'name a folder in NAICS_EMBED_HOME')
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return fail(
            subject,
            f'{folder} cannot be written: {error.strerror}',
            f'make it writable (chown or chmod u+rwx {folder}), or set NAICS_EMBED_HOME',
        )
    if folder == root.absolute() and folder.stat().st_mode & stat.S_IWOTH:
        return warn(
            subject,
            f'{root} can be written by everybody; records there decide what is loaded',
            f'chmod o-w {root}',
        )
    return ok(subject, f'{root} can be written' if folder == root.absolute() else f'{root} is new')


def check_disk(root: Path, free: int | None = None) -> Finding:
    """Compare the free space on the disk of the artifact root with what a run writes."""
    folder = existing(root)
    free = shutil.disk_usage(folder).free if free is None else free
    detail = f'{size_text(free)} free at {folder}'
    if free < RUN_NEEDS:
        return fail(
            'disk',
            f'{detail}; a first run writes up to {size_text(RUN_NEEDS)}',
            'free some space, or set NAICS_EMBED_HOME to a folder on another disk',
        )
    return ok('disk', detail)


def check_sizes(folders: dict[str, Path]) -> list[Finding]:
    """Measure folders; those that do not exist are empty."""
    return [
        ok(f'size of {name}', f'{size_text(folder_size(folder))} in {folder}')
        for name, folder in folders.items()
    ]


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except FileNotFoundError:
                # A running stage has moved it.
                continue
    return total


def check_locks(root: Path) -> Finding:
    """List the locks that are held; a lock of a dead process is free, although its file remains."""
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
    """Look for partial outputs of killed stages; while locks are held they may be in use."""
    left = sorted(
        path
        for stage in root.glob('[!.]*')
        if stage.is_dir()
        for path in stage.glob('.*.*')
        if path.is_dir()
    )
    if not left:
        return ok('leftovers', 'no partial output')
    size = sum(folder_size(path) for path in left)
    names = ' '.join(str(path) for path in left[:3])
    return warn(
        'leftovers',
        f'{len(left)} partial outputs, {size_text(size)}: a stage was killed, or is running',
        f'nothing reads them; if no run is in progress: rm -r {names}',
    )


def check_bundle(root: Path) -> Finding:
    """Load the bundle in use and compare every checksum."""
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
