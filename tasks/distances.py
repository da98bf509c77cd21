"""Stage: the tree distance of every pair of codes."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.supervision.distances import write_distances
from tasks.engine.stage import Result, StageContext
from tasks.frames import taxonomy_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
) -> Result:
    """Write ``distances.parquet``."""
    pairs = write_distances(taxonomy_of(codebook), out / 'distances.parquet')
    return Result({'distances': 'distances.parquet'}, {'pairs': pairs})
