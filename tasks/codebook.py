"""Stage: codes, titles, descriptions and exclusion texts."""

from pathlib import Path

from naics_embed.artifacts import Artifact
from naics_embed.census.codebook import build_codebook
from naics_embed.census.sources import SourceKind
from tasks.source import source_of
from tasks.stage import Result, Stage, StageContext


def write_codebook(
    out: Path, inputs: dict[str, Artifact], context: StageContext, *, kind: SourceKind
) -> Result:
    """Write ``codebook.parquet``."""
    frame = build_codebook(source_of(inputs, kind))
    frame.write_parquet(out / 'codebook.parquet')
    origins = dict(frame['description_origin'].value_counts().iter_rows())
    metrics = {f'descriptions_{origin.replace(" ", "_")}': n for origin, n in origins.items()}
    return Result({'codebook': 'codebook.parquet'}, {'codes': len(frame), **metrics})


codebook = Stage('codebook', write_codebook, ('naics_embed.census.codebook',))
