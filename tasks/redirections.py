"""Stage: cross references, one row each."""

from pathlib import Path

import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.census.redirections import build_redirections
from naics_embed.census.sources import SourceKind
from tasks.frames import taxonomy_of
from tasks.source import source_of
from tasks.stage import Result, Stage, StageContext


def write_redirections(
    out: Path, inputs: dict[str, Artifact], context: StageContext, *, kind: SourceKind
) -> Result:
    """Write ``redirections.parquet``."""
    files = {name: artifact for name, artifact in inputs.items() if name != 'codebook'}
    frame = build_redirections(source_of(files, kind), taxonomy_of(inputs['codebook']))
    frame.write_parquet(out / 'redirections.parquet')
    metrics = {
        'rows': len(frame),
        'rows_with_target': len(frame.filter(pl.col('targets').list.len() > 0)),
        'lineal': int(frame['lineal'].sum()),
    }
    return Result({'redirections': 'redirections.parquet'}, metrics)


redirections = Stage('redirections', write_redirections, ('naics_embed.census.redirections',))
