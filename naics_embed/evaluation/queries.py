"""Groups of held-out queries that are scored together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from naics_embed.metrics.retrieval import retrieval_metrics, score_queries
from naics_embed.metrics.tree import Tree
from naics_embed.supervision.leakage import find_matches
from naics_embed.taxonomy import LEAF_LEVEL, Taxonomy

PREFIXES = {
    'index': '',
    'plain': 'plain_',
    'panel': 'panel_',
    'business': 'business_',
    'group': 'group_',
    'labelled': 'labelled_',
}
"""Kind of query → prefix of its metrics; index entries are the primary set."""

HOLDOUT_PREFIX = 'holdout_'
REPORTED = ('top1', 'hit_at_5', 'hit_at_10', 'mrr', 'lca_level', 'queries', 'mrr_se', 'top1_se')

LEARNED_PREFIX = 'learned_'
REPORTED_SUPERVISED = ('top1', 'hit_at_5', 'hit_at_10', 'mrr')


@dataclass(frozen=True)
class QueryGroup:
    """Held-out queries of one split and kind.

    Attributes:
        split: validation or test.
        prefix: prefix of the names of its metrics.
        texts: the queries.
        target: int64 ``(q,)``, positions of the right codes.
        candidates: int64 ``(m,)``, positions of the codes ranked, ascending.
        strict: bool ``(q,)``, queries that match no training text.
        supervised: bool ``(m,)``, candidates whose supervision was not hidden; None where the
            queries are of hidden codes.
    """

    split: str
    prefix: str
    texts: tuple[str, ...]
    target: Tensor
    candidates: Tensor
    strict: Tensor
    supervised: Tensor | None = None

    def metrics(self, scores: Tensor, tree: Tree) -> dict[str, float]:
        """Score a matrix ``(q, m)``, higher is better; keys are ``split/metric``.

        ``learned_`` metrics have supervised candidates only: a classifier cannot answer with a code
        that it has no text of, and a space can.
        """
        truth = torch.searchsorted(self.candidates, self.target)
        outcomes = score_queries(scores, truth, tree=tree, candidates=self.candidates)
        masks = {'strict': self.strict} if bool(self.strict.any()) else {}
        all_metrics = retrieval_metrics(outcomes, masks=masks)
        reported = [f'{subset}{name}' for subset in ('', 'strict_') for name in REPORTED]
        metrics = {name: all_metrics[name] for name in reported if name in all_metrics}
        if self.supervised is not None and not bool(self.supervised.all()):
            kept = self.candidates[self.supervised]
            among = score_queries(
                scores[:, self.supervised],
                torch.searchsorted(kept, self.target),
                tree=tree,
                candidates=kept,
            )
            metrics |= {
                f'{LEARNED_PREFIX}{name}': value
                for name, value in retrieval_metrics(among).items()
                if name in REPORTED_SUPERVISED
            }
        return {f'{self.split}/{self.prefix}{name}': value for name, value in metrics.items()}


def query_groups(
    queries: pl.DataFrame,
    taxonomy: Taxonomy,
    structure_split: np.ndarray,
    *,
    jaccard: float,
    splits: Sequence[str] = ('validation', 'test'),
) -> list[QueryGroup]:
    """Group the held-out queries by split and kind.

    Queries of codes whose supervision is hidden form groups of their own (``holdout_``), and only
    in the split that their code is held out for. Candidates are all codes of the query's level.

    Args:
        queries: `naics_embed.supervision.queries.QUERY_SCHEMA`.
        taxonomy: the tree.
        structure_split: ``(n,)`` of ``supervised``, ``validation`` or ``test``.
        jaccard: trigram similarity from which a query matches a training text.
        splits: splits of the groups.
    """
    train = queries.filter(pl.col('split') == 'train')['text'].to_list()
    held = queries.filter(pl.col('split') != 'train').with_row_index('row')
    positions = taxonomy.indices(held['code'].to_list())
    held = held.with_columns(
        level=pl.Series(taxonomy.level[positions]),
        structure=pl.Series(structure_split[positions].astype(str)),
    )
    strict = ~find_matches(held['text'].to_list(), train, jaccard)
    groups: list[QueryGroup] = []
    for split in splits:
        for kind, prefix in PREFIXES.items():
            rows = held.filter((pl.col('split') == split) & (pl.col('kind') == kind))
            for level in sorted(rows['level'].unique(), reverse=True):
                for structure in ('supervised', split):
                    chosen = rows.filter(
                        (pl.col('level') == level) & (pl.col('structure') == structure)
                    )
                    if not len(chosen):
                        continue
                    at_level = '' if level == LEAF_LEVEL else f'level{level}_'
                    hidden = HOLDOUT_PREFIX if structure == split else ''
                    picked = chosen['row'].to_numpy()
                    candidates = taxonomy.at_level(int(level))
                    supervised = torch.from_numpy(structure_split[candidates] == 'supervised')
                    groups.append(
                        QueryGroup(
                            split,
                            f'{hidden}{prefix}{at_level}',
                            tuple(chosen['text']),
                            torch.from_numpy(positions[picked]),
                            torch.from_numpy(candidates),
                            torch.from_numpy(strict[picked]),
                            None if hidden else supervised,
                        )
                    )
    return groups
