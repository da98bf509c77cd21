"""Bundles that differ from another one, without computing anything."""

import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from naics_embed.artifacts import MANIFEST, checksum, read_json, write_json
from naics_embed.bundle.storage import ENCODER, HEAD, METRICS


def another(bundle: Path, out: Path) -> Path:
    """Copy a bundle; its id is another one, its answers are the same."""
    shutil.copytree(bundle, out)
    metrics = read_json(out / METRICS)
    write_json(out / METRICS, {**metrics, 'test/copies': {**metrics['health/nan'], 'value': 1.0}})
    return _signed(out)


def broken(bundle: Path, out: Path) -> Path:
    """Copy a bundle; it loads, and its encoder is of no use."""
    shutil.copytree(bundle, out)
    head = load_file(out / ENCODER / HEAD)
    save_file({name: value * float('nan') for name, value in head.items()}, out / ENCODER / HEAD)
    return _signed(out)


def _signed(out: Path) -> Path:
    manifest = read_json(out / MANIFEST)
    files = {name: checksum(out / name)[0] for name in manifest['files']}
    write_json(out / MANIFEST, {**manifest, 'files': files})
    return out
