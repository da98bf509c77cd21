"""Which bundle is in use: a pointer file under the artifact root."""

import os
from pathlib import Path
from typing import Any

from naics_embed.artifacts import MANIFEST, read_json, write_json
from naics_embed.errors import ArtifactError

POINTER = 'promoted.json'
ROOT_VARIABLE = 'NAICS_EMBED_HOME'
DEFAULT_ROOT = 'artifacts'


def artifact_root() -> Path:
    """Return the artifact root: ``$NAICS_EMBED_HOME``, else ``artifacts`` in this directory."""
    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).expanduser()


def promote(root: Path, bundle: Path, facts: dict[str, Any]) -> None:
    """Make a bundle the one in use. Raises ArtifactError where there is no bundle."""
    if not (bundle / MANIFEST).is_file():
        raise ArtifactError(f'{bundle} is no bundle, so it cannot be promoted')
    inside = bundle.resolve().is_relative_to(root.resolve())
    path = bundle.resolve().relative_to(root.resolve()) if inside else bundle.resolve()
    write_json(root / POINTER, {**facts, 'bundle': path.as_posix()})


def promoted_bundle(root: Path | None = None) -> Path:
    """Return the directory of the bundle in use. Raises ArtifactError where there is none."""
    root = root or artifact_root()
    if not (root / POINTER).is_file():
        raise ArtifactError(
            f'no table has been promoted in {root}: run `make run` first, name a bundle with '
            f'--table, or set {ROOT_VARIABLE} to the artifact root'
        )
    facts = read_json(root / POINTER)
    if not isinstance(facts, dict) or not isinstance(facts.get('bundle'), str):
        raise ArtifactError(
            f'{root / POINTER} names no bundle; delete it and run `make run`, or name a bundle '
            'with --table'
        )
    return root / facts['bundle']
