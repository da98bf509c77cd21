"""The bundle that commands read: the promoted one, else a starter."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

from naics_embed.bundle.promotion import artifact_root, promoted_bundle, promotion_record

STARTER_VARIABLE = 'NAICS_EMBED_STARTER'
OFF = ('off', '0', 'false', 'no')


def builds_starters() -> bool:
    """Whether a starter is in use: nothing was promoted, and starters are not off."""
    off = os.environ.get(STARTER_VARIABLE, '').lower() in OFF
    return not off and promotion_record(artifact_root()) is None


def bundle_in_use(progress: Callable[[str], None] | None = None) -> Path:
    """Return the directory of the promoted bundle; where there is none, of a starter.

    A starter is built in about a minute, once, without training; it never replaces a promoted
    bundle. With ``NAICS_EMBED_STARTER=off`` there is an error instead, as a server wants it.

    Args:
        progress: called with a sentence as each step of building a starter begins.

    Raises:
        ArtifactError: nothing was promoted, and starters are off.
        SourceError: a starter is to be built, and the frozen encoder is not on this machine.
    """
    if not builds_starters():
        return promoted_bundle(artifact_root())
    # Starters are built by what reads bundles, so the builder is looked up when it is needed.
    built: Path = importlib.import_module('naics_embed.starter.cache').starter_bundle(progress)
    return built
