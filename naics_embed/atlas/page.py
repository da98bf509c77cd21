"""The interactive map as one HTML file that uses no network."""

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from naics_embed.artifacts import atomic_file
from naics_embed.atlas.palette import OTHER, SECTOR_COLOURS
from naics_embed.atlas.words import NO_WORDS, KnownWords, known_words
from naics_embed.bundle.storage import Bundle
from naics_embed.errors import ArtifactError
from naics_embed.geometry.arrays import exp0, pairwise_distance
from naics_embed.taxonomy import Taxonomy, official_code

STATIC = Path(str(files('naics_embed.atlas') / 'static'))
SCRIPTS = ('hyperbolic.js', 'find.js', 'atlas.js', 'draw.js', 'view.js', 'pointer.js', 'map.js')
NEAR = 5
"""Nearest codes of the same level that the card of a code lists."""
DIGITS = 7
"""Decimals of radii and angles in the page; a pixel is about 1e-3."""


def map_page(
    taxonomy: Taxonomy,
    titles: Sequence[str],
    tangents: np.ndarray,
    disk: np.ndarray,
    *,
    curvature: float,
    vintage: int,
    words: KnownWords = NO_WORDS,
    search_page: str = '',
) -> str:
    """Return the page.

    Args:
        taxonomy: the tree of n codes.
        titles: their titles, in its order.
        tangents: float ``(n, dim)``, the table at the origin.
        disk: float ``(n, 2)``, its layout in the Poincaré disk.
        curvature: c > 0 of the table's space.
        vintage: year of the codes.
        words: of known texts, which the page finds codes by, beside their titles.
        search_page: address of a search page that takes ``?code=``, to which cards lead; none
            where empty.

    Raises:
        ArtifactError: a point lies outside the disk, or the shapes do not fit.
    """
    size = len(taxonomy)
    if not (len(titles) == len(tangents) == len(disk) == size and disk.shape == (size, 2)):
        raise ArtifactError(
            f'{len(titles)} titles, tangents {tangents.shape} and points {disk.shape} do not fit '
            f'{size} codes; export the table again'
        )
    norm = np.linalg.norm(disk, axis=1)
    if not (norm < 1).all():
        lost = int(np.flatnonzero(~(norm < 1))[0])
        raise ArtifactError(f'code {taxonomy.codes[lost]} lies outside the disk; draw it again')
    radius = 2 * np.arctanh(norm)
    stretch = _stretch(radius, math.sqrt(curvature) * np.linalg.norm(tangents, axis=1))
    sectors = [taxonomy.codes[i] for i in np.flatnonzero(taxonomy.parent < 0)]
    data = {
        'codes': taxonomy.codes,
        'official': [official_code(code) for code in taxonomy.codes],
        'titles': list(titles),
        'parent': taxonomy.parent.tolist(),
        'radius': radius.round(DIGITS).tolist(),
        'angle': np.arctan2(disk[:, 1], disk[:, 0]).round(DIGITS).tolist(),
        'near': _nearest(taxonomy, tangents, curvature),
        'stretch': stretch,
        'vocabulary': list(words.vocabulary),
        'words': [list(of_code) for of_code in words.of_codes],
        'search': search_page,
        'colours': [SECTOR_COLOURS.get(code, OTHER) for code in sectors],
    }
    heading = f'{size:,} industry codes in the Poincaré disk'
    return Template(_static('map.html')).substitute(
        title=html.escape(f'NAICS {vintage}: {heading}'),
        heading=html.escape(heading),
        summary=html.escape(
            f'NAICS {vintage}. A table of {tangents.shape[1]} dimensions drawn in two: how far a '
            'code is from the centre is the table’s, its direction follows the taxonomy.'
        ),
        back=f'<a class="back" href="{html.escape(search_page)}">‹ Search</a>'
        if search_page
        else '',
        stretch=f'{stretch:.2f}',
        style=_static('map.css'),
        # The end of the element must not occur in it.
        data=json.dumps(data, ensure_ascii=False, separators=(',', ':')).replace('<', '\\u003c'),
        script='\n'.join(_static(name) for name in SCRIPTS),
    )


def bundle_page(bundle: Bundle) -> str:
    """Return the page of a bundle. Raises ArtifactError where it was exported without a disk."""
    disk = bundle.disk()
    if disk is None:
        raise ArtifactError(
            f'{bundle.path} was exported before tables were drawn; export it again '
            '(`naics-embed bundle`)'
        )
    codes = bundle.codes()
    taxonomy = Taxonomy(codes['code'].to_list())
    return map_page(
        taxonomy,
        codes['title'].to_list(),
        bundle.tangents(),
        disk,
        curvature=bundle.space.curvature,
        vintage=int(codes['vintage'][0]),
        words=known_words(bundle, taxonomy),
    )


def page_policy(page: str) -> str:
    """Return the content security policy that lets a page run its own style and scripts only."""
    hashes = {
        name: ' '.join(
            f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
            for part in re.findall(rf'<{name}>(.*?)</{name}>', page, re.DOTALL)
        )
        for name in ('style', 'script')
    }
    return (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def write_map(path: Path, page: str) -> None:
    """Write the page, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(page, encoding='utf-8')


def _stretch(drawn: np.ndarray, table: np.ndarray) -> float:
    """Return the factor between radii of the disk and of the table."""
    square = float(table @ table)
    return round(float(drawn @ table) / square, 4) if square > 0 else 1.0


def _nearest(taxonomy: Taxonomy, tangents: np.ndarray, curvature: float) -> list[list[int]]:
    """Return for each code the nearest others of its level, by the table's own distances."""
    points = exp0(tangents.astype(np.float64), curvature)
    nearest: list[list[int]] = [[] for _ in taxonomy.codes]
    for level in np.unique(taxonomy.level):
        nodes = taxonomy.at_level(int(level))
        among = points[nodes]
        far = pairwise_distance(among, among, curvature)
        np.fill_diagonal(far, np.inf)
        order = far.argsort(axis=1, kind='stable')[:, : min(NEAR, len(nodes) - 1)]
        for node, others in zip(nodes, nodes[order], strict=True):
            nearest[int(node)] = others.tolist()
    return nearest


def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding='utf-8')
