"""The checkout that this package lies in, where it does."""

from pathlib import Path
from typing import TypeVar

Settings = TypeVar('Settings')

PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def checkout() -> Path | None:
    """Return the checkout that this package lies in, or None for an installed wheel."""
    return PACKAGE_PARENT if (PACKAGE_PARENT / 'flows' / 'pipeline.py').is_file() else None


def configs_folder() -> Path:
    """Return the folder ``configs`` of the checkout; it is missing for an installed wheel."""
    return PACKAGE_PARENT / 'configs'


def section(name: str, settings: type[Settings], folder: Path | None = None) -> Settings:
    """Return a section of the configuration, or its defaults where there are no files.

    Args:
        name: of the section.
        settings: its class.
        folder: with ``base.yaml``; ``configs`` of the checkout where None.
    """
    folder = folder or (configs_folder() if configs_folder().is_dir() else None)
    if folder is None:
        return settings()
    from naics_embed.config.load import load_config

    found = getattr(load_config(folder).config, name)
    assert isinstance(found, settings)
    return found
