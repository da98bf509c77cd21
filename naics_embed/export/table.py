"""The table of codes: parquet, csv, npz, safetensors, and files of the TensorBoard projector."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from naics_embed.artifacts import atomic_directory, atomic_file
from naics_embed.bundle.storage import Bundle
from naics_embed.export.manifest import write_manifest

PROJECTOR_CONFIG = """embeddings {
  tensor_name: "naics"
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
}
"""


def export_parquet(bundle: Bundle, out: Path) -> None:
    """Write the table as parquet, as it is in the bundle."""
    with atomic_file(out) as temporary:
        bundle.codes().write_parquet(temporary)
    write_manifest(bundle, out)


def export_csv(bundle: Bundle, out: Path) -> None:
    """Write the table as csv."""
    with atomic_file(out) as temporary:
        bundle.codes().write_csv(temporary)
    write_manifest(bundle, out)


def export_npz(bundle: Bundle, out: Path) -> None:
    """Write ``code``, ``level`` and ``coordinates`` float64 ``(n, dim)`` as npz, without pickle."""
    frame = bundle.codes()
    with atomic_file(out) as temporary, temporary.open('wb') as stream:
        np.savez_compressed(
            stream,
            code=frame['code'].to_numpy().astype('U6'),
            level=frame['level'].to_numpy(),
            coordinates=bundle.tangents(),
        )
    write_manifest(bundle, out)


def export_safetensors(bundle: Bundle, out: Path) -> None:
    """Write ``coordinates`` float32 ``(n, dim)``, ``level``, and the codes as metadata."""
    frame = bundle.codes()
    with atomic_file(out) as temporary:
        save_file(
            {
                # The file takes memory as it lies: a transposed array would be stored wrongly.
                'coordinates': np.ascontiguousarray(bundle.tangents(), dtype=np.float32),
                'level': frame['level'].to_numpy().astype(np.int64),
            },
            temporary,
            {'codes': ' '.join(frame['code'].to_list()), 'distance': 'Lorentz geodesic'},
        )
    write_manifest(bundle, out)


def export_projector(bundle: Bundle, out: Path) -> None:
    """Write the folder that TensorBoard's embedding projector loads.

    ``tensors.tsv`` holds points of the Poincaré ball, since the projector draws Euclidean
    coordinates: there the ball shows the tree.
    """
    # Tables need no torch, and torch takes a second to load.
    import torch

    from naics_embed.geometry.lorentz import exp0
    from naics_embed.geometry.models import to_poincare

    frame = bundle.codes()
    c = bundle.space.curvature
    ball = to_poincare(exp0(torch.from_numpy(bundle.tangents()), c=c), c=c).numpy()
    with atomic_directory(out) as folder:
        np.savetxt(folder / 'tensors.tsv', ball, delimiter='\t', fmt='%.7g')
        rows = ['code\ttitle\tlevel\tsector']
        for code, official, title, level in frame.select(
            'code', 'official', 'title', 'level'
        ).iter_rows():
            clean = ' '.join(title.split())
            rows.append(f'{official}\t{clean}\t{level}\t{code[:2]}')
        (folder / 'metadata.tsv').write_text('\n'.join(rows) + '\n', encoding='utf-8')
        (folder / 'projector_config.pbtxt').write_text(PROJECTOR_CONFIG, encoding='utf-8')
        write_manifest(bundle, folder, coordinates='Poincaré ball')


TABLE_FORMATS: dict[str, Callable[[Bundle, Path], None]] = {
    'parquet': export_parquet,
    'csv': export_csv,
    'npz': export_npz,
    'safetensors': export_safetensors,
    'projector': export_projector,
}
