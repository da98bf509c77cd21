"""Stage: the kinship of every pair of codes."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.supervision.relations import write_relations
from tasks.frames import taxonomy_of
from tasks.stage import Result, Stage, StageContext


def write(out: Path, inputs: dict[str, Artifact], context: StageContext) -> Result:
    """Write ``relations.parquet``."""
    pairs = write_relations(taxonomy_of(inputs['codebook']), out / 'relations.parquet')
    return Result({'relations': 'relations.parquet'}, {'pairs': pairs})


relations = Stage('relations', write, ('naics_embed.supervision.relations',))
