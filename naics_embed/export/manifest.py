"""What every export says about itself."""

from pathlib import Path
from typing import Any

from naics_embed.artifacts import MANIFEST, write_json
from naics_embed.bundle.storage import Bundle

KEPT = ('space', 'distance', 'codes', 'library_version', 'source')


def write_manifest(bundle: Bundle, out: Path, **facts: Any) -> Path:
    """Write the manifest of an export: inside a folder, beside a file.

    Args:
        bundle: what was exported.
        out: the export.
        facts: what this format has to add.

    Returns:
        where the manifest lies.
    """
    path = out / MANIFEST if out.is_dir() else out.with_name(f'{out.name}.{MANIFEST}')
    manifest = {key: bundle.manifest[key] for key in KEPT if key in bundle.manifest}
    write_json(path, {**manifest, 'coordinates': 'log map at the origin', **facts})
    return path
