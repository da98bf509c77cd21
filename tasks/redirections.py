"""Stage: cross references, one row each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.census.redirections import build_redirections
from naics_embed.census.sources import SourceKind
from tasks.engine.stage import Result, StageContext
from tasks.frames import taxonomy_of
from tasks.source import source_of


def write(
    out: Path,
    context: StageContext,
    *,
    source: Mapping[str, Artifact],
    source_kind: SourceKind,
    edition: dict[str, Any],
    codebook: Artifact,
) -> Result:
    """Write ``redirections.parquet``."""
    frame = build_redirections(source_of(source, source_kind, edition), taxonomy_of(codebook))
    frame.write_parquet(out / 'redirections.parquet')
    metrics: dict[str, float] = {
        'rows': len(frame),
        'rows_with_target': len(frame.filter(pl.col('targets').list.len() > 0)),
        'lineal': int(frame['lineal'].sum()),
    }
    return Result({'redirections': 'redirections.parquet'}, metrics)
