"""The checkpoint that a training resumes from, and the handling of those that cannot be read."""

import logging
import os
import re
from pathlib import Path
from typing import Any

from naics_embed.errors import ArtifactError
from naics_embed.training.checkpoint_io import (
    UnreadableCheckpointError,
    copy_checkpoint,
    discard_unfinished,
    read_checkpoint,
)
from naics_embed.training.checkpoints import best_file, best_name
from naics_embed.training.resume import (
    LAST_CHECKPOINT,
    RESUME_AUTO,
    RESUME_LAST,
    RESUME_NEVER,
    check_resume,
)

log = logging.getLogger(__name__)

UNREADABLE = 'unreadable'
"""Ending of a checkpoint that was set aside because it cannot be read."""
WITHOUT_BEST = 'without-best'
"""Ending of a last checkpoint that was set aside because its best one cannot be read."""
BEST = 'best-*.ckpt'


def checkpoint_to_resume(folder: Path, resume: str) -> Path | None:
    """Return the checkpoint that training goes on from; None where it begins.

    With ``auto``, that is ``last.ckpt``, or where there is none that can be used the newest best
    one. A checkpoint that cannot be read gets another name, and is reported. Any other
    checkpoint is used, or refused with an error. Files that killed processes left are removed.

    Args:
        folder: the folder of the training.
        resume: ``auto``, ``last`` or ``never``, or the path of a checkpoint.

    Raises:
        ArtifactError: the requested checkpoint does not exist, or it or its best checkpoint cannot
            be read.
    """
    check_resume(resume)
    if _first_process():
        discard_unfinished(folder)
    if resume == RESUME_NEVER:
        return None
    last = folder / LAST_CHECKPOINT
    if resume == RESUME_LAST and not last.is_file():
        raise ArtifactError(
            f'there is no checkpoint {last} to resume from; train without --resume, or name an '
            'existing file'
        )
    if resume == RESUME_AUTO:
        path = _newest_usable(folder)
    else:
        path = last if resume == RESUME_LAST else Path(resume)
        _check_usable(path, folder)
    if path is not None:
        log.info('resuming from %s', path)
    return path


def has_checkpoints(folder: Path) -> bool:
    """Whether a training has begun in a folder; checkpoints that were set aside count."""
    return any(not path.name.startswith('.') for path in folder.glob('*.ckpt*'))


def _check_usable(path: Path, folder: Path) -> None:
    """Raise ArtifactError where a checkpoint, or the best one that it names, cannot be read."""
    remedy = (
        f'name another checkpoint, or train with --resume {RESUME_AUTO}, which sets aside what '
        f'cannot be read in {folder} and goes on from what can, or with --resume {RESUME_NEVER}'
    )
    try:
        name = best_name(read_checkpoint(path))
    except UnreadableCheckpointError as error:
        raise ArtifactError(f'{error}; {remedy}') from error
    best = None if name is None else best_file(name, path, folder)
    if best is None:
        return
    try:
        read_checkpoint(best)
    except UnreadableCheckpointError as error:
        raise ArtifactError(f'{path} needs its best checkpoint: {error}; {remedy}') from error


def _newest_usable(folder: Path) -> Path | None:
    last = folder / LAST_CHECKPOINT
    best = sorted(folder.glob(BEST), key=lambda path: (_written(path), path.name), reverse=True)
    begun = has_checkpoints(folder)
    for path in (last, *best):
        try:
            if not _usable(path, read_checkpoint(path)):
                continue
        except FileNotFoundError:
            # There is none, or the first process has set it aside.
            continue
        except UnreadableCheckpointError as error:
            _set_aside(path, UNREADABLE, str(error))
            continue
        if path != last:
            log.warning('there is no %s to use: training goes on from %s', last, path)
        return path
    if begun:
        log.warning('no checkpoint in %s can be used: training begins anew', folder)
    return None


def _usable(path: Path, kept: dict[str, Any]) -> bool:
    """Whether training can go on from a checkpoint that can be read: its best one must be, too.

    Where it is of the same epoch as its best one, that is written again from it.
    """
    name = best_name(kept)
    best = path if name is None else path.with_name(name)
    if best == path:
        return True
    try:
        read_checkpoint(best)
    except FileNotFoundError:
        if not best.with_name(f'{name}.{UNREADABLE}').exists():
            return True  # `BestCheckpoint` decides about one that is gone.
        reason = f'{best} was set aside'
    except UnreadableCheckpointError as error:
        reason = str(error)
    else:
        return True
    of_best = re.search(r'epoch=(\d+)', best.name)
    if of_best is None or int(of_best[1]) != int(kept['epoch']):
        # Before the best one, so that a process that is killed in between does not leave a last
        # checkpoint whose best one is gone.
        _set_aside(path, WITHOUT_BEST, f'{path} cannot be used without its best one: {reason}')
        return False
    _set_aside(best, UNREADABLE, reason)
    if _first_process():
        copy_checkpoint(path, best)
        log.warning('%s is of the same epoch: %s is written again from it', path, best.name)
    return True


def _set_aside(path: Path, ending: str, reason: str) -> None:
    """Rename a file so that no training reads it, and log that."""
    if not _first_process() or not path.exists():
        return
    aside = path.with_name(f'{path.name}.{ending}')
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f'{path.name}.{ending}-{number}')
    path.rename(aside)
    log.warning('%s; it is kept as %s, which can be deleted', reason, aside)


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        # The first process has set it aside.
        return 0


def _first_process() -> bool:
    """Whether this process changes files: the others choose the same without that.

    They do not communicate yet, so the choice of each must not depend on how far the first one
    is.
    """
    return int(os.environ.get('RANK', '0')) == 0
