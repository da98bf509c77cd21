"""Where starters are kept: one for each version of the library and its settings."""

import os
from dataclasses import asdict
from pathlib import Path

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


def starter_path(config: StarterConfig | None = None) -> Path:
    """Return where the starter of some settings lies, or would lie."""
    texts = [
        checksum(data_file(name))[0]
        for name in (CORPUS_FILE, PANEL_FILE, BUSINESS_FILE, GROUP_FILE)
    ]
    settings = asdict(config or StarterConfig())
    return starter_folder() / content_key({'version': __version__, 'texts': texts, **settings})


def is_built(path: Path) -> bool:
    """Whether there is a whole starter."""
    return (path / MANIFEST).is_file()
