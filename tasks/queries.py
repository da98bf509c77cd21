"""Stage: every labelled text, and the channel texts of every code."""

from pathlib import Path
from typing import Any

import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.config.data import PlainLanguageConfig
from naics_embed.config.training import QueriesConfig
from naics_embed.supervision.queries import build_queries
from naics_embed.text.channels import channel_texts
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of
from tasks.own_texts import own_texts

SWITCHES = {
    'titles': 'title',
    'descriptions': 'description',
    'redirections': 'redirection',
    'examples': 'example',
}
"""Configuration switch → kind of training query. What is off is not tokenised either."""


def write(
    out: Path,
    context: StageContext,
    *,
    edition: dict[str, Any],
    codebook: Artifact,
    redirections: Artifact,
    index_entries: Artifact,
    labelled: Artifact,
    uses: PlainLanguageConfig,
    switches: QueriesConfig,
) -> Result:
    """Write ``queries.parquet`` and ``channels.parquet``."""
    codes, entries = frame_of(codebook), frame_of(index_entries)
    used = [split for split in ('train', 'validation', 'test') if getattr(uses, split)]
    everything, carried = own_texts(edition, codes)
    # A source may lack codes that the project's own texts have.
    plain = everything.filter(pl.col('code').is_in(codes['code'].implode()))
    examples = entries.filter(pl.col('role') == 'examples').select('code', 'text')
    if uses.examples:
        filled = plain.filter(
            (pl.col('split') == 'train')
            & ~pl.col('kind').is_in(('business', 'group'))
            & ~pl.col('code').is_in(examples['code'].implode())
        )
        examples = pl.concat([examples, filled.select('code', 'text')])
    channels = channel_texts(codes, examples)
    queries = build_queries(
        codes,
        frame_of(redirections),
        entries,
        pl.concat(
            [
                plain.filter(pl.col('split').is_in(used)).select('text', 'code', 'kind', 'split'),
                frame_of(labelled),
            ]
        ),
    )
    off = [kind for name, kind in SWITCHES.items() if not getattr(switches, name)]
    queries = queries.filter(~pl.col('kind').is_in(off))
    channels.write_parquet(out / 'channels.parquet')
    queries.write_parquet(out / 'queries.parquet')
    counts = queries.group_by('split', 'kind').len().sort('split', 'kind')
    metrics = {f'{split}_{kind}': n for split, kind, n in counts.iter_rows()}
    metrics['plain_language_of_other_codes'] = len(everything) - len(plain)
    metrics |= carried
    return Result({'queries': 'queries.parquet', 'channels': 'channels.parquet'}, metrics)
