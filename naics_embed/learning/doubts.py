"""The sheet of labels that look wrong."""

import csv
from collections.abc import Sequence
from pathlib import Path

from naics_embed.artifacts import atomic_file
from naics_embed.learning.outcome import Doubt

HEADER = ('source', 'row', 'text', 'code', 'probability', 'found', 'confidence', 'weight')


def write_doubts(path: Path, doubts: Sequence[Doubt]) -> None:
    """Write labels that look wrong as a csv file; ``row`` counts from 1 after the header."""
    with atomic_file(path) as partial, partial.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for doubt in doubts:
            writer.writerow(
                [
                    doubt.source,
                    '' if doubt.row is None else doubt.row,
                    doubt.text,
                    doubt.stated,
                    f'{doubt.probability:.6f}',
                    doubt.found,
                    f'{doubt.confidence:.4f}',
                    f'{doubt.weight:.3f}',
                ]
            )
