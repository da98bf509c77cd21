"""Stage: the promoted table in the Poincaré disk."""

from pathlib import Path

from safetensors.torch import load_file

from naics_embed.artifacts import Artifact
from naics_embed.atlas.layout import disk_layout, write_disk
from naics_embed.config.atlas import AtlasConfig
from tasks.frames import taxonomy_of
from tasks.stage import Result, Stage, StageContext


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    atlas: AtlasConfig,
    curvature: float,
) -> Result:
    """Write ``disk.parquet``: ``code``, ``x``, ``y`` in the unit disk."""
    taxonomy = taxonomy_of(inputs['codebook'])
    tangents = load_file(inputs['table'].path)['tangents'].numpy()
    points = disk_layout(taxonomy, tangents, curvature=curvature, stretch=atlas.stretch)
    write_disk(out / 'disk.parquet', list(taxonomy.codes), points)
    return Result({'disk': 'disk.parquet'})


atlas = Stage('atlas', write, ('naics_embed.atlas.layout', 'naics_embed.config.atlas'))
