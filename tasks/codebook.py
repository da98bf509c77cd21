"""Stage: codes, titles, descriptions and exclusion texts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from naics_embed.artifacts import Artifact
from naics_embed.census.codebook import build_codebook
from naics_embed.census.sources import SourceKind
from tasks.engine.stage import Result, StageContext
from tasks.source import source_of


def write(
    out: Path,
    context: StageContext,
    *,
    source: Mapping[str, Artifact],
    source_kind: SourceKind,
    edition: dict[str, Any],
) -> Result:
    """Write ``codebook.parquet``."""
    frame = build_codebook(source_of(source, source_kind, edition))
    frame.write_parquet(out / 'codebook.parquet')
    origins = dict(frame['description_origin'].value_counts().iter_rows())
    metrics = {f'descriptions_{origin.replace(" ", "_")}': n for origin, n in origins.items()}
    return Result({'codebook': 'codebook.parquet'}, {'codes': len(frame), **metrics})
