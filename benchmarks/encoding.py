"""Work of an epoch of text training: sequences encoded, tokens and padding, and tokens a second.

The steps are those of the real sampler on a finished run's files, so sequences and padding are
exact. Speed is measured on some of these steps, forward and backward. Beside them stands the
arithmetic of the original method, which encodes each anchor, a positive and 24 negatives in four
channels: 103 sequences for each code in each epoch, all of them padded to 512 tokens.

    python -m benchmarks.encoding --root artifacts --profile cpu --json encoding.json
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.text_inputs import settings_of, text_inputs
from naics_embed.config.load import load_config
from naics_embed.objective.step import Batch
from naics_embed.text.corpus import TextBatch
from naics_embed.training.build import make_data, make_model, make_module
from naics_embed.training.module import TrainingSchedule

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
ORIGINAL_SEQUENCES = 103
ORIGINAL_PADDED = 512
SEQUENCES_TARGET = 4.1
PADDING_TARGET = 0.05


@dataclass(frozen=True)
class Work:
    """Work of one epoch.

    Attributes:
        steps: steps.
        queries: sequences that are queries.
        channels: sequences that are channels of codes.
        refreshed: sequences encoded without gradient to refresh the cache.
        tokens: tokens of the sequences with gradient.
        padded: tokens with padding.
        codes: codes of the taxonomy.
    """

    steps: int
    queries: int
    channels: int
    refreshed: int
    tokens: int
    padded: int
    codes: int

    @property
    def channels_per_code(self) -> float:
        """Sequences of code texts, for each code."""
        return (self.channels + self.refreshed) / self.codes

    @property
    def padding(self) -> float:
        """Fraction of padding among the tokens that a step computes."""
        return 1 - self.tokens / self.padded


def count(batches: list[Batch], refreshed: int, codes: int) -> Work:
    """Count the work of the batches of an epoch."""
    texts = [part for batch in batches for part in (batch.queries, *batch.channels) if len(part)]
    return Work(
        steps=len(batches),
        queries=sum(batch.queries.distinct for batch in batches),
        channels=sum(part.distinct for batch in batches for part in batch.channels),
        refreshed=refreshed,
        tokens=sum(_tokens(part) for part in texts),
        padded=sum(part.mask.numel() for text in texts for part in text.parts),
        codes=codes,
    )


def _tokens(texts: TextBatch) -> int:
    return sum(int(part.mask.sum()) for part in texts.parts)


def main() -> None:
    """Print the table, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, default=Path('artifacts'), help='of a finished run')
    parser.add_argument('--profile', default='cpu')
    parser.add_argument('--steps', type=int, default=8, help='steps whose time is measured')
    parser.add_argument('--json', type=Path)
    parser.add_argument('overrides', nargs='*', help='configuration, as key=value')
    arguments = parser.parse_args()
    config = load_config(CONFIGS, arguments.profile, arguments.overrides).config
    settings = settings_of(config)
    begun = time.perf_counter()
    inputs = text_inputs(arguments.root, config)
    loader = make_data(inputs, settings).train_dataloader()
    next(iter(loader))
    first_batch_s = time.perf_counter() - begun
    batches = [loader.dataset[step] for step in loader.sampler]
    texts = int((inputs.corpus.channels >= 0).sum())
    every = settings.training.refresh_steps
    rounds = 1 + ((len(batches) - 1) // every if every else 0)
    from_text = settings.model.code_points != 'table' and settings.model.mode != 'frozen'
    work = count(batches, rounds * texts if from_text else 0, len(inputs.taxonomy))

    module = make_module(
        make_model(inputs, settings), inputs, settings, len(batches), TrainingSchedule()
    ).train()
    optimizer = module.configure_optimizers()['optimizer']
    timed = batches[: arguments.steps + 1]
    seconds, cpu = [], []
    for batch in timed:
        start, cpu_start = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        module.terms(batch, 0.5).total.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    measured = count(timed[1:], 0, work.codes)
    step_s = float(np.mean(seconds[1:]))
    original = ORIGINAL_SEQUENCES * work.codes
    result = asdict(work) | {
        'code_sequences_per_code': work.channels_per_code,
        'sequences_per_code': (work.queries + work.channels + work.refreshed) / work.codes,
        'padding': work.padding,
        'first_batch_s': first_batch_s,
        'step_s': step_s,
        'epoch_s': step_s * work.steps,
        'epoch_cpu_s': float(np.mean(cpu[1:])) * work.steps,
        'tokens_per_s': measured.tokens / sum(seconds[1:]),
        'threads': torch.get_num_threads(),
        'original_sequences_per_code': ORIGINAL_SEQUENCES,
        'original_padded_tokens': original * ORIGINAL_PADDED,
        'padded_tokens_ratio': original * ORIGINAL_PADDED / max(work.padded, 1),
    }
    table = Table('an epoch', 'here', 'original', 'wanted', box=None)
    table.add_row(
        'sequences of code texts a code',
        f'{work.channels_per_code:.2f}',
        str(ORIGINAL_SEQUENCES),
        f'≤ {SEQUENCES_TARGET}',
    )
    table.add_row('sequences of queries a code', f'{work.queries / work.codes:.2f}', '0', '')
    table.add_row('padding', f'{work.padding:.1%}', 'about 90 %', f'< {PADDING_TARGET:.0%}')
    table.add_row('tokens with padding', f'{work.padded:,}', f'{original * ORIGINAL_PADDED:,}', '')
    table.add_row('seconds from files to the first batch', f'{first_batch_s:.1f}', '', '≤ 1')
    table.add_row('tokens a second', f'{result["tokens_per_s"]:,.0f}', '', '')
    table.add_row('seconds', f'{result["epoch_s"]:.0f}', '', '')
    table.add_row('CPU seconds', f'{result["epoch_cpu_s"]:.0f}', '', '')
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
