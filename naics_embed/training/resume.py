"""Ways to deal with the checkpoints that a training finds."""

from pathlib import Path

from naics_embed.errors import ArtifactError

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
