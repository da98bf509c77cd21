"""Stage: index entries, each with exactly one role, and the recount of leaks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.census.index_entries import read_index
from naics_embed.census.sources import SourceKind
from naics_embed.config.data import RolesConfig
from naics_embed.supervision.index_roles import assign_roles, count_leaks
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of, taxonomy_of
from tasks.own_texts import own_texts
from tasks.source import source_of


def write(
    out: Path,
    context: StageContext,
    *,
    source: Mapping[str, Artifact],
    source_kind: SourceKind,
    edition: dict[str, Any],
    codebook: Artifact,
    redirections: Artifact,
    labelled: Artifact,
    roles: RolesConfig,
    seed: int,
) -> Result:
    """Write ``index_entries.parquet``; the recounted leaks are a metric and must be 0."""
    entries = read_index(source_of(source, source_kind, edition), taxonomy_of(codebook))
    codes, references = frame_of(codebook), frame_of(redirections)
    plain = own_texts(edition, codes)[0].filter(pl.col('split') == 'train')
    # Texts of the user that are training queries count as texts that training sees.
    own = frame_of(labelled).filter(pl.col('split') == 'train')
    columns = [codes[name] for name in ('title', 'description', 'illustrative', 'excluded')]
    texts = (
        pl.concat([*columns, references['phrase'], plain['text'], own['text']])
        .drop_nulls()
        .to_list()
    )
    fractions = {role: getattr(roles, role) for role in ('examples', 'train', 'validation', 'test')}
    frame = assign_roles(entries, texts, fractions=fractions, seed=seed, jaccard=roles.jaccard)
    held = frame['role'].is_in(['validation', 'test'])
    leaks = count_leaks(
        frame.filter(held)['normalised'].to_list(),
        [*texts, *frame.filter(~held)['text'].to_list()],
        roles.jaccard,
    )
    frame.write_parquet(out / 'index_entries.parquet')
    counts = {f'entries_{role}': n for role, n in frame['role'].value_counts().iter_rows()}
    return Result(
        {'index_entries': 'index_entries.parquet'},
        {**counts, 'entries_matching': int(frame['leaks'].sum()), 'leaks_after_draw': leaks},
    )
