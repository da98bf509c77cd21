"""The manifest of an export."""

from pathlib import Path
from typing import Any

from naics_embed.artifacts import MANIFEST, write_json
from naics_embed.bundle.storage import Bundle

KEPT = ('space', 'distance', 'codes', 'library_version', 'source')


def write_manifest(bundle: Bundle, out: Path, **facts: Any) -> Path:
    """Write the manifest of an export: inside a folder, or next to a file.

    Args:
        bundle: what was exported.
        out: the export.
        facts: what this format has to add.

    Returns:
        its path.
    """
    path = out / MANIFEST if out.is_dir() else out.with_name(f'{out.name}.{MANIFEST}')
    manifest = {key: bundle.manifest[key] for key in KEPT if key in bundle.manifest}
    write_json(path, {**manifest, 'coordinates': 'log map at the origin', **facts})
    return path
