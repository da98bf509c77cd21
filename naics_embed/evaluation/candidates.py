"""The metrics by which candidate tables of one run are compared, all on validation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from naics_embed.config.refinement import DeviationsConfig, PromotionConfig
from naics_embed.evaluation.evaluate import (
    Table,
    holdout_metrics,
    norm_weight_of,
    retrieval_metrics,
    subtree,
)
from naics_embed.evaluation.promotion_rule import Criterion, PromotionRule
from naics_embed.evaluation.queries import QueryGroup
from naics_embed.evaluation.regression import Outcomes, held_out_r2
from naics_embed.metrics.reconstruction import reconstruction_metrics
from naics_embed.metrics.regression import PanelSettings
from naics_embed.metrics.tree import Tree

VALIDATION = 'validation'
METRICS = {
    'index': 'validation/mrr',
    'plain': 'validation/plain_mrr',
    'panel': 'validation/panel_mrr',
    'spearman': 'tree/supervised_spearman',
    'neighbours': 'tree/supervised_map_neighbours',
    'holdout': 'validation/holdout_parent_at_1',
    'regression': 'regression/held_out_r2',
}
"""Name of a deviation in the configuration → the metric that it is the unit of."""


def promotion_rule(settings: PromotionConfig) -> PromotionRule:
    """Return the rule that the configuration states."""
    deviations: DeviationsConfig = settings.deviations
    return PromotionRule(
        tuple(Criterion(metric, getattr(deviations, name)) for name, metric in METRICS.items()),
        settings.non_inferiority,
        settings.superiority,
    )


def candidate_metrics(
    table: Table,
    groups: Sequence[QueryGroup],
    points: Sequence[Tensor],
    tree: Tree,
    outcomes: Outcomes | None,
    panel: PanelSettings,
    *,
    family_level: int,
    norm_weights: Sequence[float],
    chunk: int,
) -> dict[str, float]:
    """Return retrieval, tree, held-out structure and regression of one table.

    Args:
        table: the codes.
        groups: validation queries.
        points: float64 ``(q, dim)`` space parts of each group's queries.
        tree: the tree.
        outcomes: outcomes to predict from the coordinates; None where there are none.
        panel: settings of the cross-validation.
        family_level: digits of the groups that are held out whole.
        norm_weights: weights that the radius may have in the norm-aware ancestor score.
        chunk: rows of the distance matrix computed at a time.
    """
    metrics = {
        name: metric.value
        for name, metric in {
            **retrieval_metrics(table, groups, points, tree, {}),
            **holdout_metrics(table, tree, chunk=chunk),
        }.items()
        if name.startswith(f'{VALIDATION}/')
    }
    supervised = torch.tensor([split == 'supervised' for split in table.structure_split])
    shape = reconstruction_metrics(
        table.points[supervised],
        subtree(tree, supervised),
        c=table.curvature,
        norm_weight=norm_weight_of(table, tree, norm_weights, chunk=chunk),
        chunk=chunk,
    )
    metrics |= {f'tree/supervised_{name}': value for name, value in shape.items()}
    if outcomes is not None:
        metrics[METRICS['regression']] = held_out_r2(
            table.tangents, tree, outcomes, panel, family_level=family_level
        )
    return metrics
