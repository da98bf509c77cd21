"""Stage: the token cache."""

from pathlib import Path

import polars as pl

from naics_embed.artifacts import Artifact
from naics_embed.text.tokens import TokenTable, load_tokenizer
from tasks.frames import frame_of
from tasks.stage import Result, Stage, StageContext


def write(
    out: Path,
    inputs: dict[str, Artifact],
    context: StageContext,
    *,
    window: int,
    used: tuple[str, ...],
) -> Result:
    """Write ``tokens.parquet``: the distinct texts of queries, channels and entries, unpadded."""
    channels = frame_of(inputs['channels'])
    texts = [text for channel in used for text in channels[channel].drop_nulls()]
    texts += frame_of(inputs['queries'])['text'].to_list()
    entries = frame_of(inputs['index_entries'])
    texts += entries.filter(pl.col('role') == 'examples')['text'].to_list()
    tokenizer = load_tokenizer(Path(inputs['tokenizer'].path).parent, window)
    table = TokenTable.build(texts, tokenizer)
    table.write(out / 'tokens.parquet')
    at_window = int((table.lengths == window).sum())
    metrics = {'texts': len(table), 'tokens': len(table.ids), 'texts_at_window': at_window}
    return Result({'tokens': 'tokens.parquet'}, metrics)


tokens = Stage('tokens', write, ('naics_embed.text.tokens',))
