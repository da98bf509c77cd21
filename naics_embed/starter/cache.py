"""Where starters are kept: one for each version of the library and its settings."""

import os
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from naics_embed import __version__
from naics_embed.artifacts import MANIFEST, checksum, content_key
from naics_embed.bundle.promotion import ROOT_VARIABLE
from naics_embed.config.starter import StarterConfig
from naics_embed.data.plain_language import (
    BUSINESS_FILE,
    CORPUS_FILE,
    GROUP_FILE,
    PANEL_FILE,
    data_file,
)
from naics_embed.home import home_folder
from naics_embed.starter.build import Progress, build_starter

CACHE_VARIABLE = 'XDG_CACHE_HOME'
FOLDER = 'starter'


def starter_folder() -> Path:
    """Return where starters lie: under the artifact root that is set, else the user's cache."""
    if os.environ.get(ROOT_VARIABLE):
        return Path(os.environ[ROOT_VARIABLE]).expanduser() / FOLDER
    cache = os.environ.get(CACHE_VARIABLE)
    home = home_folder()
    base = Path(cache) if cache else (home / '.cache' if home else Path('.cache'))
    return base / 'naics-embed' / FOLDER


def starter_bundle(progress: Progress | None = None, config: StarterConfig | None = None) -> Path:
    """Return the directory of the starter, which is built where it is missing.

    Args:
        progress: called with a sentence as each step of building begins.
        config: how it is built.

    Raises:
        SourceError: the frozen encoder is not on this machine.
    """
    config = config or StarterConfig()
    texts = [
        checksum(data_file(name))[0]
        for name in (CORPUS_FILE, PANEL_FILE, BUSINESS_FILE, GROUP_FILE)
    ]
    key = content_key({'version': __version__, 'texts': texts, **asdict(config)})
    path = starter_folder() / key
    if (path / MANIFEST).is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two first commands at the same time build one.
    with FileLock(path.with_suffix('.lock')):
        if not (path / MANIFEST).is_file():
            build_starter(path, config, progress)
    return path
