"""The starter in use, which is built where it is missing."""

from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from naics_embed.config.starter import StarterConfig
from naics_embed.optional import need_torch
from naics_embed.starter.location import is_built, starter_path

if TYPE_CHECKING:
    from naics_embed.starter.build import Progress


def starter_bundle(progress: 'Progress | None' = None, config: StarterConfig | None = None) -> Path:
    """Return the directory of the starter, which is built where it is missing.

    Args:
        progress: called with a sentence as each step of building begins.
        config: how it is built.

    Raises:
        MissingPackageError: it is missing, and torch is not installed.
        SourceError: the frozen encoder is not on this machine.
    """
    config = config or StarterConfig()
    path = starter_path(config)
    if is_built(path):
        return path
    need_torch('no bundle is given or promoted, and a starter, which is built in its place,')
    from naics_embed.starter.build import build_starter

    path.parent.mkdir(parents=True, exist_ok=True)
    # Two first commands at the same time build one.
    with FileLock(path.with_suffix('.lock')):
        if not is_built(path):
            build_starter(path, config, progress)
    return path
