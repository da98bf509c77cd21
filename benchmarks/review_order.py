"""Labels that are chosen by an order against labels at random, and what an audit sample tells.

Texts are cut by groups into those that may be labelled and those that measure. For each order the
first texts are learned (`derive_bundle`), and the others coded.

    python -m benchmarks.review_order FILE --bundle BUNDLE --chosen 500 --random 800 --draws 3
    python -m benchmarks.review_order FILE --bundle BUNDLE --audit --draws 20
"""

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np

from naics_embed.artifacts import write_json
from naics_embed.assessment.estimates import share
from naics_embed.config.learning import LearnSettings
from naics_embed.learning.derive import derive_bundle
from naics_embed.learning.groups import group_texts
from naics_embed.learning.labelled import Columns, LabelledTexts, read_labelled
from naics_embed.learning.sources import LabelSource
from naics_embed.review.order import (
    DISAGREEMENT,
    DIVERSE,
    RANDOM,
    UNCERTAINTY,
    review_order,
    waiting_texts,
)
from naics_embed.search.coder import Coder

log = logging.getLogger(__name__)
MEASURED = 0.4
"""Fraction of the groups that measure."""


def split_groups(groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts that may be labelled, and those that measure."""
    measuring = np.random.default_rng(seed).random(int(groups.max()) + 1) < MEASURED
    return np.flatnonzero(~measuring[groups]), np.flatnonzero(measuring[groups])


def accuracy_after(
    coder: Coder, labelled: LabelledTexts, chosen: np.ndarray, rest: np.ndarray
) -> float:
    """Learn the chosen texts, and return the accuracy on the others."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'bundle'
        derive_bundle(coder, out, add=[LabelSource('chosen', labelled.chosen(np.sort(chosen)))])
        learned = Coder.load(out, verify=False)
        p = learned.probabilities([labelled.texts[row] for row in rest.tolist()])
    return float((p.argmax(axis=1) == labelled.labels[rest]).mean())


def compare_orders(
    coder: Coder,
    labelled: LabelledTexts,
    orders: list[str],
    chosen: int,
    at_random: int,
    draws: int,
) -> list[dict[str, float | str]]:
    """Return accuracies of all orders with ``chosen`` labels, and of ``at_random`` random ones."""
    groups = group_texts(labelled.texts, labelled.groups, LearnSettings().similarity)
    results: list[dict[str, float | str]] = []
    for draw in range(draws):
        pool, rest = split_groups(groups, draw)
        waiting = waiting_texts(coder, [labelled.texts[row] for row in pool.tolist()])
        cells = [(order, chosen) for order in orders] + [(RANDOM, at_random)]
        for order, count in cells:
            rows = pool[review_order(waiting, order, draw)[:count]]
            top1 = accuracy_after(coder, labelled, rows, rest)
            log.warning('draw %d, %d by %s: %.4f', draw, count, order, top1)
            results.append({'draw': draw, 'order': order, 'labels': count, 'top1': top1})
    return results


def audit_draws(
    coder: Coder, labelled: LabelledTexts, threshold: float, fraction: float, draws: int
) -> list[dict[str, float | bool]]:
    """Estimate the error rate of the automatic part from random samples of it.

    Args:
        coder: codes the texts.
        labelled: texts with their codes.
        threshold: least confidence of a text that is coded automatically.
        fraction: fraction of those texts that is drawn.
        draws: how often.
    """
    p = coder.probabilities(labelled.texts)
    automatic = np.flatnonzero(p.max(axis=1) >= threshold)
    wrong = (p.argmax(axis=1) != labelled.labels)[automatic]
    true = float(wrong.mean())
    results: list[dict[str, float | bool]] = []
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        sample = rng.permutation(len(wrong))[: max(1, round(fraction * len(wrong)))]
        found = share(wrong[sample], np.ones(len(sample)), sample)
        inside = found.low <= true <= found.high
        results.append(
            {
                'texts': len(sample),
                'true': true,
                'estimate': found.value,
                'low': found.low,
                'high': found.high,
                'inside': bool(inside),
            }
        )
    return results


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('file', type=Path, help='a table with texts and their codes')
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--orders', nargs='+', default=[DIVERSE, UNCERTAINTY, DISAGREEMENT])
    parser.add_argument('--chosen', type=int, default=500)
    parser.add_argument('--random', type=int, default=800)
    parser.add_argument('--draws', type=int, default=3)
    parser.add_argument('--audit', action='store_true', help='measure the audit sample alone')
    parser.add_argument('--threshold', type=float, default=0.8)
    parser.add_argument('--fraction', type=float, default=0.05)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    coder = Coder.load(options.bundle)
    labelled = read_labelled(options.file, Columns('text', 'code'), coder.searcher.codes)
    labelled = labelled.chosen(np.flatnonzero(labelled.labels >= 0))
    results: list[dict[str, float | bool]] | list[dict[str, float | str]]
    if options.audit:
        results = audit_draws(coder, labelled, options.threshold, options.fraction, options.draws)
        held = sum(bool(each['inside']) for each in results)
        log.warning('inside its interval in %d of %d draws: %s', held, len(results), results[0])
    else:
        results = compare_orders(
            coder, labelled, options.orders, options.chosen, options.random, options.draws
        )
    if options.json is not None:
        write_json(options.json, results)


if __name__ == '__main__':
    logging.basicConfig(level=logging.WARNING)
    main()
