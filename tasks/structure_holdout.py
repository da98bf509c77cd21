"""Stage: leaf chains whose supervision is hidden from every loss."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.supervision.structure_holdout import structure_holdout as draw
from tasks.engine.stage import Result, StageContext
from tasks.frames import taxonomy_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    fraction: float,
    seed: int,
) -> Result:
    """Write ``structure_holdout.parquet``."""
    frame = draw(taxonomy_of(codebook), fraction=fraction, seed=seed)
    frame.write_parquet(out / 'structure_holdout.parquet')
    counts = {f'codes_{split}': n for split, n in frame['split'].value_counts().iter_rows()}
    return Result({'structure_holdout': 'structure_holdout.parquet'}, counts)
