"""Prior codes: what they add to texts, and whether their quality is found out, by simulation.

Test texts of the project get prior codes of known quality: right with the probability ``--right``;
else a code of the same industry, group, subsector or sector, or any other, each as often; a share
of all is cut to four digits. The coder sees neither the quality nor the right code.

    python -m benchmarks.prior_codes --bundle BUNDLE --texts 400 --right 0.3 0.5 0.7 0.9
    python -m benchmarks.prior_codes --bundle BUNDLE --file FILE --text-column what
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import torch

from naics_embed.data.plain_language import read_business
from naics_embed.evidence.prior_settings import SHARES, PriorCodeSettings
from naics_embed.evidence.reliability import PriorCode
from naics_embed.learning.labelled import Columns, read_labelled
from naics_embed.metrics.calibration import expected_calibration_error
from naics_embed.search.coder import Coder
from naics_embed.search.prior_codes import PriorReader
from naics_embed.taxonomy import LEAF_LEVEL

BINS = 15
COARSE = 0.2
"""Fraction of prior codes that are cut to four digits."""


def simulated(
    reader: PriorReader, truth: np.ndarray, right: float, rng: np.random.Generator
) -> tuple[list[PriorCode], np.ndarray]:
    """Return prior codes, and whether each is right."""
    evidence = reader.evidence
    codes, good = [], []
    for leaf in truth.tolist():
        near = evidence.nearness((leaf,))
        kind = len(SHARES) - 1 if rng.random() < right else int(rng.integers(len(SHARES) - 1))
        there = [k for k in range(kind, -1, -1) if (near == k).any()]
        drawn = int(rng.choice(np.flatnonzero(near == there[0])))
        leaves, digits = (drawn,), LEAF_LEVEL
        if rng.random() < COARSE:
            group = evidence.ancestors[:, 2] == evidence.ancestors[drawn, 2]
            leaves, digits = tuple(np.flatnonzero(group).tolist()), 4
        codes.append(PriorCode(leaves, f'{digits} digits'))
        good.append(leaf in leaves)
    return codes, np.array(good)


def quality(p: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return accuracy and calibration error of the first code."""
    right = p.argmax(axis=1) == truth
    stated = torch.from_numpy(np.minimum(p.max(axis=1), 1.0))
    error = expected_calibration_error(stated, torch.from_numpy(right), bins=BINS)
    return float(right.mean()), error


def best_power(p: np.ndarray, fused: np.ndarray, truth: np.ndarray) -> float:
    """Return the exponent on the evidence of prior codes under which right codes are likeliest."""
    text, both = np.log(np.maximum(p, 1e-12)), np.log(np.maximum(fused, 1e-300))
    powers = np.arange(0.2, 2.01, 0.1)
    rows = np.arange(len(truth))
    likelihood = []
    for power in powers:
        logits = text + power * (both - text)
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1))
        likelihood.append((logits[rows, truth] - total).mean())
    return float(powers[int(np.argmax(likelihood))])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--file', type=Path, help='labelled texts; business texts by default')
    parser.add_argument('--text-column', default='text')
    parser.add_argument('--code-column', default='code')
    parser.add_argument('--texts', type=int, default=400)
    parser.add_argument('--right', type=float, nargs='+', default=[0.3, 0.5, 0.7, 0.9])
    options = parser.parse_args()
    coder = Coder.load(options.bundle, verify=False)
    column = {coder.searcher.codes[leaf]: i for i, leaf in enumerate(coder.leaves.tolist())}
    if options.file is None:
        rows = read_business().filter(pl.col('split') == 'test').sample(options.texts, seed=0)
        texts, truth = rows['text'].to_list(), np.array([column[code] for code in rows['code']])
    else:
        names = Columns(options.text_column, options.code_column)
        read = read_labelled(options.file, names, coder.searcher.codes)
        kept = np.flatnonzero(read.labels >= 0)
        kept = np.random.default_rng(0).permutation(kept)[: options.texts]
        texts, truth = [read.texts[i] for i in kept.tolist()], read.labels[kept]
    p = coder.probabilities(texts)
    reader, settings = PriorReader(coder.searcher.codes), PriorCodeSettings()
    print('text alone: top-1 {:.3f}, ECE {:.3f}'.format(*quality(p, truth)))
    for right in options.right:
        codes, good = simulated(reader, truth, right, np.random.default_rng(1))
        reliability = reader.evidence.estimate(p, codes, settings)
        fused = reader.evidence.fused(p, codes, reliability)
        six = np.array([code.kind == f'{LEAF_LEVEL} digits' for code in codes])
        found = reliability.of(f'{LEAF_LEVEL} digits')[-1]
        top1, error = quality(fused, truth)
        print(
            f'right {right:.2f} (six digits: {good[six].mean():.3f} drawn, {found:.3f} found): '
            f'top-1 {top1:.3f}, ECE {error:.3f}, best exponent {best_power(p, fused, truth):.1f}'
        )


if __name__ == '__main__':
    main()
