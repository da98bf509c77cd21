"""Stage: the token cache."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.text.tokens import TokenTable, load_tokenizer
from tasks.engine.stage import Result, StageContext
from tasks.frames import frame_of
from tasks.texts import BASELINE_CHANNELS


def write(
    out: Path,
    context: StageContext,
    *,
    queries: Artifact,
    channels: Artifact,
    index_entries: Artifact,
    backbone: Mapping[str, Artifact],
    window: int,
    used: tuple[str, ...],
) -> Result:
    """Write ``tokens.parquet``: the distinct texts of queries, channels and entries, unpadded."""
    frame = frame_of(channels)
    # Baselines read channels that the model may not have.
    chosen = dict.fromkeys((*BASELINE_CHANNELS, *used))
    texts = [text for channel in chosen for text in frame[channel].drop_nulls()]
    texts += frame_of(queries)['text'].to_list()
    entries = frame_of(index_entries)
    texts += entries.filter(pl.col('role') == 'examples')['text'].to_list()
    tokenizer = load_tokenizer(Path(backbone['tokenizer'].path).parent, window)
    table = TokenTable.build(texts, tokenizer)
    table.write(out / 'tokens.parquet')
    at_window = int((table.lengths == window).sum())
    metrics: dict[str, float] = {
        'texts': len(table),
        'tokens': len(table.ids),
        'texts_at_window': at_window,
    }
    return Result({'tokens': 'tokens.parquet'}, metrics)
