"""The checkout that this package lies in, where it does."""

from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def checkout() -> Path | None:
    """Return the checkout that this package lies in, or None for an installed wheel."""
    return PACKAGE_PARENT if (PACKAGE_PARENT / 'flows' / 'pipeline.py').is_file() else None


def configs_folder() -> Path:
    """Return the folder ``configs`` of the checkout; it is missing for an installed wheel."""
    return PACKAGE_PARENT / 'configs'
