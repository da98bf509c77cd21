"""What a training does about the checkpoints that there are."""

import logging
from pathlib import Path

from naics_embed.errors import ArtifactError

log = logging.getLogger(__name__)

RESUME_AUTO = 'auto'
RESUME_LAST = 'last'
RESUME_NEVER = 'never'
LAST_CHECKPOINT = 'last.ckpt'


def check_resume(resume: str) -> None:
    """Raise ArtifactError for the path of a checkpoint that is not there."""
    if resume not in (RESUME_AUTO, RESUME_LAST, RESUME_NEVER) and not Path(resume).is_file():
        raise ArtifactError(
            f'there is no checkpoint {resume} to resume from; name an existing file, or one of '
            f'{RESUME_AUTO}, {RESUME_LAST}, {RESUME_NEVER}'
        )


def checkpoint_to_resume(folder: Path, resume: str) -> Path | None:
    """Return the checkpoint that training goes on from; None where it begins.

    Args:
        folder: the training's own.
        resume: ``auto``, ``last`` or ``never``, or the path of a checkpoint.

    Raises:
        ArtifactError: there is none where one is wanted.
    """
    check_resume(resume)
    last = folder / LAST_CHECKPOINT
    if resume == RESUME_NEVER or (resume == RESUME_AUTO and not last.is_file()):
        return None
    if resume == RESUME_LAST and not last.is_file():
        raise ArtifactError(
            f'there is no checkpoint {last} to resume from; train without --resume, or name an '
            'existing file'
        )
    path = last if resume in (RESUME_AUTO, RESUME_LAST) else Path(resume)
    log.info('resuming from %s', path)
    return path
