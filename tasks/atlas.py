"""Stage: the promoted table in the Poincaré disk."""

from pathlib import Path

from safetensors.torch import load_file

from naics_embed.artifacts import Artifact
from naics_embed.atlas.faithfulness import faithfulness
from naics_embed.atlas.layout import disk_layout, write_disk
from naics_embed.atlas.page import STATIC, map_page, write_map
from naics_embed.config.atlas import AtlasConfig
from tasks.frames import frame_of, taxonomy_of
from tasks.stage import Result, Stage, StageContext


def page_inputs() -> dict[str, Artifact]:
    """Scripts and styles of the page, which the fingerprint of the modules does not cover."""
    return {'page': Artifact.of(STATIC)}


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    atlas: AtlasConfig,
    curvature: float,
) -> Result:
    """Write ``disk.parquet``: ``code``, ``x``, ``y`` in the unit disk, and ``atlas.html``."""
    codebook = frame_of(inputs['codebook'])
    taxonomy = taxonomy_of(inputs['codebook'])
    tangents = load_file(inputs['table'].path)['tangents'].numpy()
    points = disk_layout(taxonomy, tangents, curvature=curvature, settings=atlas)
    write_disk(out / 'disk.parquet', list(taxonomy.codes), points)
    figures = faithfulness(taxonomy, tangents, points, curvature=curvature)
    page = map_page(
        taxonomy,
        codebook['title'].to_list(),
        tangents,
        points,
        curvature=curvature,
        vintage=int(codebook['vintage'][0]),
    )
    write_map(out / 'atlas.html', page)
    context.tracking.artifact(out / 'atlas.html')
    return Result({'disk': 'disk.parquet', 'atlas': 'atlas.html'}, figures)


atlas = Stage(
    'atlas',
    write,
    (
        'naics_embed.atlas.faithfulness',
        'naics_embed.atlas.layout',
        'naics_embed.atlas.page',
        'naics_embed.config.atlas',
    ),
)
