"""Scores of the placements: texts and parents of new codes, and texts of unchanged ones."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor

from benchmarks.revision_data import AFTER, BEFORE, INDEX, Revision
from benchmarks.revision_network import Known
from naics_embed.classifications.concordance import Concordance
from naics_embed.config.refinement import PromotionConfig
from naics_embed.evaluation.candidates import VALIDATION, candidate_metrics, promotion_rule
from naics_embed.evaluation.evaluate import Table
from naics_embed.evaluation.promotion_rule import (
    Candidate,
    Criterion,
    Decision,
    PromotionRule,
    decide,
)
from naics_embed.evaluation.queries import query_groups
from naics_embed.geometry.lorentz import exp0, pairwise_distance
from naics_embed.metrics.distances import DistanceRows
from naics_embed.metrics.placement import parent_chance, parent_metrics
from naics_embed.metrics.regression import PanelSettings
from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.metrics.tree import Tree
from naics_embed.taxonomy import LEAF_LEVEL

TEST = 'test'
SUBSETS = ('own', INDEX)
LEAST_DEVIATION = 0.001
NEW_TEXTS = ('plain', 'business')
"""Kinds with enough texts of new codes for a criterion of promotion."""


def scores(
    one: Revision, known: Known, tables: Mapping[str, Tensor], points: Tensor, *, chunk: int
) -> dict[str, dict[str, float]]:
    """Return name of a way → its metrics on test texts; and of what there was before.

    Args:
        one: the revision.
        known: the table of the earlier edition.
        tables: name → later table.
        points: float64 ``(queries, dim)``, space parts of the texts of ``one.queries``.
        chunk: rows of the distance matrix computed at a time.
    """
    tree = Tree.of(one.after)
    texts = _subsets(one)
    result = {'before': _before(one, known, texts, points)}
    result['not placed'] = _translated(one, known, texts, points)
    tops = torch.from_numpy(np.unique(one.after.chain[one.new.numpy()]).astype(np.int64))
    tops = tops[one.new[tops]]
    result['chance'] = {
        **parent_chance(tree, chunk=chunk, queries=tops),
        'new_chains': float(len(tops)),
    }
    for name, table in tables.items():
        codes = exp0(table, c=known.curvature)
        found = parent_metrics(
            DistanceRows.of_space(codes, c=known.curvature), tree, chunk=chunk, queries=tops
        )
        for subset, (rows, target) in texts.items():
            far = pairwise_distance(points[rows], codes[one.leaves], c=known.curvature)
            found |= _retrieval(subset, -far, torch.searchsorted(one.leaves, target))
        result[name] = found
    return result


def _subsets(one: Revision) -> dict[str, tuple[Tensor, Tensor]]:
    """Return name → rows of the test texts, and positions of their codes."""
    positions = torch.from_numpy(one.after.indices(one.queries['code'].to_list()))
    test = torch.from_numpy((one.queries['split'] == TEST).to_numpy().copy())
    index = torch.from_numpy((one.queries['kind'] == INDEX).to_numpy().copy())
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for codes, chosen in {'new': one.new, 'unchanged': one.unchanged}.items():
        for subset in SUBSETS:
            rows = test & chosen[positions] & (index if subset == INDEX else ~index)
            where = rows.nonzero().squeeze(1)
            if len(where):
                found[f'{codes}/{subset}'] = (where, positions[where])
    return found


def _retrieval(subset: str, ranked: Tensor, truth: Tensor) -> dict[str, float]:
    metrics = retrieval_metrics(score_queries(ranked, truth))
    return {f'{subset}/{name}': metrics[name] for name in ('top1', 'top1_se', 'mrr', 'queries')}


def _before(
    one: Revision, known: Known, texts: Mapping[str, tuple[Tensor, Tensor]], points: Tensor
) -> dict[str, float]:
    """Score texts of unchanged codes among the six-digit codes of the earlier edition."""
    codes = exp0(known.tangents, c=known.curvature)
    leaves = torch.from_numpy(known.taxonomy.at_level(LEAF_LEVEL))
    found: dict[str, float] = {}
    for subset, (rows, target) in texts.items():
        if subset.startswith('unchanged'):
            far = pairwise_distance(points[rows], codes[leaves], c=known.curvature)
            truth = torch.searchsorted(leaves, one.earlier[target])
            found |= _retrieval(subset, -far, truth)
    return found


def _translated(
    one: Revision, known: Known, texts: Mapping[str, tuple[Tensor, Tensor]], points: Tensor
) -> dict[str, float]:
    """Score what needs no placement: earlier probabilities, summed over the correspondence."""
    codes = exp0(known.tangents, c=known.curvature)
    links = Concordance(BEFORE, AFTER)
    leaves = torch.from_numpy(known.taxonomy.indices(links.codes))
    matrix = torch.from_numpy(links.matrix())
    columns = {links.targets_of.codes[i]: j for j, i in enumerate(links.targets_of.leaves.tolist())}
    order = torch.tensor([columns[one.after.codes[i]] for i in one.leaves.tolist()])
    found: dict[str, float] = {}
    for subset, (rows, target) in texts.items():
        far = pairwise_distance(points[rows], codes[leaves], c=known.curvature)
        p = torch.softmax(-known.temperature * far, dim=1) @ matrix
        found |= _retrieval(subset, p[:, order], torch.searchsorted(one.leaves, target))
    return found


def validation(
    one: Revision,
    known: Known,
    tables: Mapping[str, Tensor],
    points: Tensor,
    *,
    r_max: float,
    norm_weights: Sequence[float],
    panel: PanelSettings,
    chunk: int,
) -> dict[str, dict[str, float]]:
    """Return name of a way → the metrics by which candidate tables are compared, on validation.

    New codes have the place of held-out ones: known by their texts alone. Codes that were held out
    of the earlier training do not count.
    """
    structure = np.full(len(one.after), TEST, dtype=object)
    structure[one.carried(known.supervised.double()).bool().numpy()] = 'supervised'
    structure[one.new.numpy()] = VALIDATION
    held = one.queries.with_row_index('point').filter(pl.col('split') == VALIDATION)
    rows = dict(zip(held['text'], held['point'], strict=True))
    groups = query_groups(held, one.after, structure, jaccard=1.0, splits=(VALIDATION,))
    at = [points[torch.tensor([rows[text] for text in group.texts])] for group in groups]
    tree = Tree.of(one.after)
    return {
        name: candidate_metrics(
            Table(table, known.curvature, r_max, tuple(structure)),
            groups,
            at,
            tree,
            None,
            panel,
            family_level=4,
            norm_weights=norm_weights,
            chunk=chunk,
        )
        for name, table in tables.items()
    }


def rule_with_new_codes(
    settings: PromotionConfig, incumbents: Sequence[Mapping[str, float]]
) -> PromotionRule:
    """Return the rule of promotion with two more criteria: texts of new codes, by kind.

    Args:
        settings: of promotion.
        incumbents: metrics of the incumbent, of each seed; their deviation is the unit.
    """
    rule = promotion_rule(settings)
    added = []
    for kind in NEW_TEXTS:
        metric = f'{VALIDATION}/holdout_{kind}_mrr'
        values = [metrics[metric] for metrics in incumbents]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        added.append(Criterion(metric, max(deviation, LEAST_DEVIATION)))
    return PromotionRule((*rule.criteria, *added), rule.non_inferiority, rule.superiority)


def decision(metrics: Mapping[str, Mapping[str, float]], rule: PromotionRule) -> Decision:
    """Return which way wins; the first is the incumbent."""
    return decide([Candidate(name, values) for name, values in metrics.items()], rule)
