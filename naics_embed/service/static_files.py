"""Files that the pages ask for."""

from pathlib import Path

from fastapi.staticfiles import StaticFiles


def static_files(folder: Path) -> StaticFiles:
    """Return the app of the files in a folder and of the scripts that all pages share."""
    return StaticFiles(directory=folder, packages=[('naics_embed', 'static')])
