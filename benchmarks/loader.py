"""Start and speed of the loader of text training, on a run's own files and on many times as many.

The files of a finished run are written again with every query ``--times`` over (each copy a text
of its own, with the tokens and states of the first: 4 GB at 10). A fresh process then reads them as
the stage does. Memory is what it holds of its own when the first batch is there; mapped files are
not in it.

    python -m benchmarks.loader --root artifacts --times 1 10 --json loader.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.text_inputs import FILES, newest, settings_of
from naics_embed.artifacts import Artifact
from naics_embed.config.load import load_config
from naics_embed.text.backbone import locate_backbone
from naics_embed.text.encoding import read_encoding, write_encoding
from naics_embed.text.tokens import TokenTable
from naics_embed.training.build import make_data
from tasks.encoding import backbone_inputs
from tasks.text_training import TrainingFiles, prepare_inputs

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def enlarge(root: Path, times: int, folder: Path) -> None:
    """Write queries, tokens and encoding of a run ``times`` over."""
    files = {name: newest(root, *FILES[name]) for name in ('queries', 'tokens', 'encoding')}
    queries, tokens = pl.read_parquet(files['queries']), TokenTable.read(files['tokens'])
    mark = [pl.format('{} #{}', 'text', pl.lit(copy)).alias('text') for copy in range(1, times)]
    pl.concat([queries, *(queries.with_columns(name) for name in mark)]).write_parquet(
        folder / 'queries.parquet'
    )
    own = queries['text'].unique(maintain_order=True)
    rows = tokens.rows(own)
    lists = [tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]] for row in rows]
    texts = pl.concat(
        [
            pl.Series(tokens.texts),
            *(
                pl.select(pl.format('{} #{}', own, pl.lit(copy))).to_series()
                for copy in range(1, times)
            ),
        ]
    )
    lengths = np.concatenate([tokens.lengths, *[tokens.lengths[rows]] * (times - 1)])
    larger = TokenTable(
        texts.to_arrow().cast(pa.large_string()),
        np.concatenate([tokens.ids, *lists * (times - 1)]),
        np.concatenate([[0], np.cumsum(lengths)]),
    )
    larger.write(folder / 'tokens.parquet')
    embeddings, states = read_encoding(files['encoding'])
    again = np.concatenate([np.arange(*tokens.offsets[row : row + 2]) for row in rows])
    write_encoding(
        folder / 'encoding.safetensors',
        np.concatenate([embeddings, *[embeddings[rows]] * (times - 1)]),
        np.concatenate([states, *[states[again]] * (times - 1)]),
    )


def measure(root: Path, folder: Path | None, profile: str, steps: int) -> dict[str, float]:
    """Read the files, take the first batch and then some more; for a process of its own."""
    config = load_config(CONFIGS, profile).config
    paths = {name: newest(root, *place) for name, place in FILES.items()}
    if folder is not None:
        paths |= {path.stem: path for path in folder.iterdir()}
    # Without checksums: a stage gets them from the stage before.
    inputs = {name: Artifact(str(path), '', 0) for name, path in paths.items()}
    backbone = backbone_inputs(locate_backbone(config.backbone.name, config.backbone.revision))
    settings = settings_of(config)
    before, begun = _own_bytes(), time.perf_counter()
    found = prepare_inputs(
        TrainingFiles(**inputs, backbone=backbone),
        config.model,
        config.training,
        config.construction.shrink,
        settings.seed,
    )
    loader = make_data(found, settings).train_dataloader()
    batches = iter(loader)
    next(batches)
    first_batch_s = time.perf_counter() - begun
    held = _own_bytes() - before
    begun, tokens, count = time.perf_counter(), 0, 0
    for count, batch in enumerate(batches, start=1):
        parts = [p for texts in (batch.queries, *batch.channels) for p in texts.parts]
        tokens += sum(int(part.mask.sum()) for part in parts)
        if count == steps:
            break
    return {
        'texts': len(found.corpus.tokens),
        'queries': len(found.train),
        'first_batch_s': first_batch_s,
        'memory_mb': held / 1e6,
        'tokens_per_s': tokens / (time.perf_counter() - begun),
        'batch': config.training.batch,
        'steps': count,
    }


def _own_bytes() -> int:
    """Return the anonymous memory of this process, in bytes."""
    status = Path('/proc/self/status').read_text(encoding='ascii')
    line = next(line for line in status.splitlines() if line.startswith('RssAnon'))
    return 1024 * int(line.split()[1])


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, default=Path('artifacts'), help='of a finished run')
    parser.add_argument('--profile', default='cpu')
    parser.add_argument('--times', type=int, nargs='+', default=[1, 10])
    parser.add_argument('--steps', type=int, default=100, help='steps whose batches are timed')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--measure', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        result = measure(arguments.root, arguments.folder, arguments.profile, arguments.steps)
        sys.stdout.write(json.dumps(result))
        return
    results = []
    for times in arguments.times:
        with tempfile.TemporaryDirectory() as folder:
            if times > 1:
                enlarge(arguments.root, times, Path(folder))
            command = [sys.executable, '-m', 'benchmarks.loader', '--measure']
            command += ['--root', str(arguments.root), '--profile', arguments.profile]
            command += ['--steps', str(arguments.steps)]
            command += ['--folder', folder] if times > 1 else []
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout))
    table = Table(
        'texts', 'queries', 's to the first batch', 'MB held', 'tokens a second', box=None
    )
    for row in results:
        table.add_row(
            f'{row["texts"]:,}',
            f'{row["queries"]:,}',
            f'{row["first_batch_s"]:.2f}',
            f'{row["memory_mb"]:,.0f}',
            f'{row["tokens_per_s"]:,.0f}',
        )
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
