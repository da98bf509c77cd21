"""Stage: the kinship of every pair of codes."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.supervision.relations import write_relations
from tasks.engine.stage import Result, StageContext
from tasks.frames import taxonomy_of


def write(
    out: Path,
    context: StageContext,
    *,
    codebook: Artifact,
) -> Result:
    """Write ``relations.parquet``."""
    pairs = write_relations(taxonomy_of(codebook), out / 'relations.parquet')
    return Result({'relations': 'relations.parquet'}, {'pairs': pairs})
