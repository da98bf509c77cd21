"""What the line of an epoch says: the loss, and how validation queries fare, in plain names."""

from collections.abc import Mapping

SAID = {
    'loss': 'loss',
    'index_mrr': 'MRR of index entries',
    'plain_mrr': 'of plain language',
    'panel_mrr': 'of the panel',
    'business_mrr': 'of business texts',
    'spearman': 'tree distances, rank correlation',
}
"""Metric, without what stands before a slash → what it is called; the others are in MLflow."""


def epoch_line(metrics: Mapping[str, float]) -> str:
    """Return the few metrics of an epoch that a reader follows, with three decimals.

    Args:
        metrics: names such as ``validation/index_mrr``, ``index_mrr``, ``train/loss`` or
            ``train_loss`` → value. What was not computed in this epoch is left out.

    >>> epoch_line({'train/loss': 2.5, 'validation/index_mrr': 0.75, 'gradient/head': 9.0})
    'loss 2.500, MRR of index entries 0.750'
    """
    plain = {_plain(name): value for name, value in metrics.items()}
    return ', '.join(f'{said} {plain[name]:.3f}' for name, said in SAID.items() if name in plain)


def _plain(name: str) -> str:
    return name.rpartition('/')[2].removeprefix('train_')
