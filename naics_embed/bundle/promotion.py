"""Which bundle is in use: a pointer file under the artifact root.

``promoted.json`` names the bundle, facts about it, and under ``previous`` the one before.
"""

import os
from pathlib import Path
from typing import Any

from naics_embed.artifacts import MANIFEST, read_json, write_json
from naics_embed.errors import ArtifactError

POINTER = 'promoted.json'
PREVIOUS = 'previous'
ROOT_VARIABLE = 'NAICS_EMBED_HOME'
DEFAULT_ROOT = 'artifacts'


def artifact_root() -> Path:
    """Return the artifact root: ``$NAICS_EMBED_HOME``, else ``artifacts`` in this directory."""
    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).expanduser()


def under_home(root: str) -> str:
    """Return where an artifact root of a configuration file lies, given the environment.

    ``$NAICS_EMBED_HOME`` takes the place of ``artifacts``: with it, ``artifacts`` is that folder,
    ``artifacts/smoke`` is ``smoke`` in it, and so is any other relative path. Without it, and for
    an absolute path, the root is the one that is named.
    """
    home, named = os.environ.get(ROOT_VARIABLE), Path(root).expanduser()
    if not home or named.is_absolute():
        return root
    if named.parts[:1] == (DEFAULT_ROOT,):
        named = named.relative_to(DEFAULT_ROOT)
    return str(Path(home) / named)


def promote(root: Path, bundle: Path, facts: dict[str, Any]) -> None:
    """Make a bundle the one in use, and record the earlier one as its previous.

    Raises:
        ArtifactError: there is no bundle, or the pointer is damaged.
    """
    if not (bundle / MANIFEST).is_file():
        raise ArtifactError(f'{bundle} is no bundle, so it cannot be promoted')
    inside = bundle.resolve().is_relative_to(root.resolve())
    path = bundle.resolve().relative_to(root.resolve()) if inside else bundle.resolve()
    record = {**facts, 'bundle': path.as_posix()}
    before = promotion_record(root)
    if before is not None:
        kept = before if before['bundle'] != record['bundle'] else before.get(PREVIOUS)
        if kept is not None:
            record[PREVIOUS] = {name: value for name, value in kept.items() if name != PREVIOUS}
    write_json(root / POINTER, record)


def rollback(root: Path) -> dict[str, Any]:
    """Put the previous bundle back in use, and return its record; doing it twice undoes it.

    Raises:
        ArtifactError: nothing was promoted before, or that bundle is gone.
    """
    now = promotion_record(root)
    before = None if now is None else now.get(PREVIOUS)
    if now is None or before is None:
        raise ArtifactError(f'{root} has no earlier bundle to go back to; promote one by its path')
    if not (root / before['bundle'] / MANIFEST).is_file():
        raise ArtifactError(
            f'the earlier bundle {root / before["bundle"]} is gone; promote another by its path'
        )
    current = {name: value for name, value in now.items() if name != PREVIOUS}
    write_json(root / POINTER, {**before, PREVIOUS: current})
    return before


def promotion_record(root: Path) -> dict[str, Any] | None:
    """Return what ``promoted.json`` says, None where nothing was promoted.

    Raises:
        ArtifactError: the file is damaged.
    """
    if not (root / POINTER).is_file():
        return None
    record = read_json(root / POINTER)
    if not isinstance(record, dict) or not isinstance(record.get('bundle'), str):
        raise ArtifactError(
            f'{root / POINTER} names no bundle; delete it and run `make run`, or name a bundle '
            'with --bundle'
        )
    return record


def promoted_bundle(root: Path | None = None) -> Path:
    """Return the directory of the bundle in use. Raises ArtifactError where there is none."""
    root = root or artifact_root()
    record = promotion_record(root)
    if record is None:
        raise ArtifactError(
            f'no table has been promoted in {root}: run `make run` first, name a bundle with '
            f'--bundle, or set {ROOT_VARIABLE} to the artifact root'
        )
    return root / record['bundle']
