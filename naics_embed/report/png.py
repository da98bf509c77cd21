"""Pictures of matrices: PNG (ISO/IEC 15948) with a palette, as addresses that hold the data."""

import base64
import struct
import zlib

import numpy as np

SIGNATURE = b'\x89PNG\r\n\x1a\n'
EIGHT_BITS, INDEXED = 8, 3
SHADES = 64
"""Few enough that the picture stays small, many enough that no step is seen."""

SEQUENTIAL = (
    '#3b0f70',
    '#51127c',
    '#8c2981',
    '#b73779',
    '#de4968',
    '#fb8761',
    '#fec488',
    '#fcfdbf',
)
"""From near to far: magma of matplotlib (CC0), without its black."""
DIVERGING = ('#2166ac', '#67a9cf', '#d1e5f0', '#f7f7f7', '#fddbc7', '#ef8a62', '#b2182b')
"""RdBu of ColorBrewer, from nearer to farther than expected."""


def palette(anchors: tuple[str, ...]) -> np.ndarray:
    """Return uint8 ``(SHADES, 3)``, linear between colours ``#rrggbb``."""
    colours = np.array([[int(a[i : i + 2], 16) for i in (1, 3, 5)] for a in anchors], dtype=float)
    positions = np.linspace(0, len(anchors) - 1, SHADES)
    columns = [np.interp(positions, np.arange(len(anchors)), colours[:, c]) for c in range(3)]
    return np.stack(columns, axis=1).round().astype(np.uint8)


def heatmap(values: np.ndarray, low: float, high: float, anchors: tuple[str, ...]) -> str:
    """Return a matrix as a ``data:`` address of a PNG, one pixel a value.

    Args:
        values: float ``(rows, columns)``.
        low: value of the first colour; smaller ones get it too.
        high: value of the last colour; greater ones get it too.
        anchors: colours ``#rrggbb``.
    """
    fraction = (values - low) / (high - low if high > low else 1.0)
    shades = (np.nan_to_num(fraction).clip(0, 1) * (SHADES - 1)).round().astype(np.uint8)
    return 'data:image/png;base64,' + base64.b64encode(png(shades, palette(anchors))).decode()


def png(indices: np.ndarray, colours: np.ndarray) -> bytes:
    """Return the PNG of uint8 ``(rows, columns)`` indices into uint8 ``(k, 3)`` colours."""
    rows, columns = indices.shape
    lines = b''.join(b'\0' + row.tobytes() for row in np.ascontiguousarray(indices))
    head = struct.pack('>IIBBBBB', columns, rows, EIGHT_BITS, INDEXED, 0, 0, 0)
    return (
        SIGNATURE
        + _chunk(b'IHDR', head)
        + _chunk(b'PLTE', colours.tobytes())
        + _chunk(b'IDAT', zlib.compress(lines, 9))
        + _chunk(b'IEND', b'')
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack('>I', len(content)) + checked + struct.pack('>I', zlib.crc32(checked))
