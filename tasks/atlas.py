"""Stage: the promoted table in the Poincaré disk."""

from pathlib import Path

from safetensors.torch import load_file

from naics_embed.artifacts import Artifact
from naics_embed.atlas.faithfulness import faithfulness
from naics_embed.atlas.layout import disk_layout, write_disk
from naics_embed.atlas.page import map_page, write_map
from naics_embed.config.atlas import AtlasConfig
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of, taxonomy_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
    table: Artifact,
    curvature: float,
    atlas: AtlasConfig,
) -> Result:
    """Write ``disk.parquet``: ``code``, ``x``, ``y`` in the unit disk, and ``atlas.html``."""
    codes = frame_of(codebook)
    taxonomy = taxonomy_of(codebook)
    tangents = load_file(table.path)['tangents'].numpy()
    points = disk_layout(taxonomy, tangents, curvature=curvature, settings=atlas)
    write_disk(out / 'disk.parquet', list(taxonomy.codes), points)
    metrics = faithfulness(taxonomy, tangents, points, curvature=curvature)
    page = map_page(
        taxonomy,
        codes['title'].to_list(),
        tangents,
        points,
        curvature=curvature,
        vintage=int(codes['vintage'][0]),
    )
    write_map(out / 'atlas.html', page)
    context.tracking.artifact(out / 'atlas.html')
    return Result({'disk': 'disk.parquet', 'atlas': 'atlas.html'}, metrics)
