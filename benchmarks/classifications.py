"""Codes of other classifications by summed probability, beside the best code translated.

Test entries of the Census index are coded. Their class is known where the code of NAICS 2022
belongs to one class as a whole; for the others an answer counts where it is a counterpart.
Both ways use the same probabilities and fractions: one sums the probabilities of all codes over the
correspondence, the other takes the likeliest counterpart of the likeliest code.

    python -m benchmarks.classifications --root artifacts --json classifications.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from naics_embed.classifications.concordance import Concordance
from naics_embed.classifications.fraction_rules import FractionRule
from naics_embed.metrics.calibration import expected_calibration_error
from naics_embed.search.coder import Coder
from naics_embed.search.text_fractions import TextParts

TARGETS = ('isic4', 'nace21', 'sic1987', 'naics2017')
RULES = ('equal', 'text')
BINS = 15


def entries(root: Path) -> pl.DataFrame:
    """Return text and code of the test entries of a run."""
    files = sorted((root / 'index_roles').glob('*/index_entries.parquet'))
    return pl.read_parquet(files[-1]).filter(pl.col('role') == 'test').select('text', 'code')


def compared(
    p: np.ndarray, codes: list[str], truth: list[str], target: str, rule: FractionRule | None
) -> dict[str, Any]:
    """Return how often each way is right.

    Args:
        p: ``(n, leaves)``, probabilities of NAICS 2022.
        codes: of its columns.
        truth: code of each row.
        target: classification.
        rule: of the fractions.
    """
    links = Concordance('naics2022', target, rule)
    order = [links.codes.index(code) for code in codes]
    matrix = links.matrix()[order]
    right = matrix[[codes.index(code) for code in truth]] > 0
    known = right.any(axis=1)
    one = right.sum(axis=1) == 1
    summed = p @ matrix
    best = matrix[p.argmax(axis=1)]
    ways = {'summed': summed, 'best code translated': best}
    rows = np.arange(len(p))
    found: dict[str, Any] = {
        'entries': int(known.sum()),
        'entries_with_one_class': int(one.sum()),
        'different': int((summed.argmax(1) != best.argmax(1)).sum()),
    }
    for name, scores in ways.items():
        hit = right[rows, scores.argmax(axis=1)]
        found[name] = {
            'top1_one_class': float(hit[one].mean()),
            'top1_any_counterpart': float(hit[known].mean()),
        }
    stated = torch.from_numpy(summed.max(axis=1)[one].clip(0, 1))
    hit = torch.from_numpy(right[rows, summed.argmax(axis=1)][one])
    found['summed']['ece_one_class'] = expected_calibration_error(stated, hit, bins=BINS)
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--root', type=Path, default=Path('artifacts'), help='artifact root')
    parser.add_argument('--bundle', type=Path, help='bundle; the newest of the root by default')
    parser.add_argument('--limit', type=int, help='entries, drawn once; all by default')
    parser.add_argument('--json', type=Path, help='file to write')
    args = parser.parse_args()
    bundles = sorted((args.root / 'export').glob('*/bundle'), key=lambda path: path.stat().st_mtime)
    coder = Coder.load(args.bundle or bundles[-1])
    frame = entries(args.root)
    if args.limit is not None and args.limit < len(frame):
        frame = frame.sample(args.limit, seed=0)
    p = coder.probabilities(frame['text'].to_list())
    codes = list(coder.leaf_codes)
    truth = frame['code'].to_list()
    text = TextParts.of_coder(coder)
    results: dict[str, Any] = {
        'naics2022_top1': float((np.array(codes)[p.argmax(1)] == np.array(truth)).mean())
    }
    table = Table('target', 'fractions', 'entries', 'one class', 'summed', 'best translated', 'ECE')
    for target in TARGETS:
        for rule in RULES:
            found = compared(p, codes, truth, target, text if rule == 'text' else None)
            results[f'{target}/{rule}'] = found
            ways = [found[name] for name in ('summed', 'best code translated')]
            table.add_row(
                target,
                rule,
                f'{found["entries"]:,}',
                f'{found["entries_with_one_class"]:,}',
                *(f'{x["top1_one_class"]:.4f} / {x["top1_any_counterpart"]:.4f}' for x in ways),
                f'{ways[0]["ece_one_class"]:.4f}',
            )
    console = Console()
    console.print(table)
    console.print('top-1 among entries with one class / among all: one of the counterparts')
    if args.json is not None:
        args.json.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
