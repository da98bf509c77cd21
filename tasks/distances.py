"""Stage: the tree distance of every pair of codes."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.supervision.distances import write_distances
from tasks.frames import taxonomy_of
from tasks.stage import Result, Stage, StageContext


def write(out: Path, inputs: dict[str, Artifact], context: StageContext) -> Result:
    """Write ``distances.parquet``."""
    pairs = write_distances(taxonomy_of(inputs['codebook']), out / 'distances.parquet')
    return Result({'distances': 'distances.parquet'}, {'pairs': pairs})


distances = Stage('distances', write, ('naics_embed.supervision.distances',))
