"""Where a derived bundle is kept."""

import re
from collections.abc import Sequence
from pathlib import Path

from naics_embed.artifacts import MANIFEST, checksum
from naics_embed.census.normalise import content_id
from naics_embed.learning.sources import LabelSource

FOLDER = 'learned'
_UNSAFE = re.compile(r'[^A-Za-z0-9._-]+')


def place_of(root: Path, bundle: Path, add: Sequence[LabelSource], remove: Sequence[str]) -> Path:
    """Return the directory of a derived bundle under an artifact root.

    It is named after the sources, and after the content of all that the bundle is made of, so that
    the same texts lead to the same directory.

    Args:
        root: the artifact root.
        bundle: directory of the bundle to start from.
        add: what is learned.
        remove: what is taken out.
    """
    parts = [checksum(bundle / MANIFEST)[0], *sorted(remove)]
    for source in add:
        parts += [source.name, str(source.private), *source.labelled.stated]
        parts += source.labelled.texts
    names = '-'.join(source.name for source in add) or 'without-' + '-'.join(remove)
    return root / FOLDER / f'{_UNSAFE.sub("_", names)[:60]}-{content_id(*parts)}' / 'bundle'
