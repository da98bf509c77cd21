"""Weights of the negatives: the mechanisms of the structure-aware curriculum.

All are weights on one table of anchors and candidates, never a reordered list, so that codes,
distances and masks cannot fall out of step.

- structural initialisation: a negative weighs D*^(−exponent); siblings may be left out, since they
  are the hardest to separate.
- geometric refinement: the nearest negatives by geodesic distance are kept, out of all candidates,
  and beside them those that the gate of the experts confuses with the anchor.
- false-negative mitigation: a negative that lies in the anchor's cluster is left out, or attracted,
  or both (Huynh et al., Boosting Contrastive Learning with False Negative Cancellation, WACV 2022).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

STRUCTURAL, REFINEMENT, MITIGATION = 1, 2, 3


@dataclass(frozen=True)
class NegativeRules:
    """What acts in a phase.

    Attributes:
        distance_exponent: weight D*^(−exponent); 0 for equal weights.
        mask_siblings: whether siblings are left out.
        hard: nearest negatives kept; 0 for all.
        router: negatives kept beside them, by the gate.
        mask_false: whether negatives of the anchor's cluster are left out.
        attract_false: whether they are attracted.
    """

    distance_exponent: float = 0.0
    mask_siblings: bool = False
    hard: int = 0
    router: int = 0
    mask_false: bool = False
    attract_false: bool = False


@dataclass(frozen=True)
class NegativePlan:
    """Negatives of some anchors.

    Attributes:
        weights: float64 ``(a, k)``, 0 where a candidate is no negative.
        attracted: bool ``(a, k)``, false negatives that are attracted; None where none are.
        fractions: name of a mechanism → fraction of the eligible negatives that it changed or kept.
    """

    weights: Tensor
    attracted: Tensor | None
    fractions: dict[str, Tensor] = field(default_factory=dict)


@torch.no_grad()
def plan_negatives(
    eligible: Tensor,
    tree_distance: Tensor,
    distances: Tensor,
    rules: NegativeRules,
    *,
    siblings: Tensor | None = None,
    same_cluster: Tensor | None = None,
    affinity: Tensor | None = None,
) -> NegativePlan:
    """Weigh the negatives of each anchor.

    Args:
        eligible: bool ``(a, k)``, candidates that may be negatives of the anchor.
        tree_distance: ``(a, k)``, D*.
        distances: ``(a, k)`` geodesic distances.
        rules: what acts.
        siblings: bool ``(a, k)``, for ``mask_siblings``.
        same_cluster: bool ``(a, k)``, for the treatment of false negatives.
        affinity: ``(a, k)``, how alike the gate treats both, for ``router``.
    """
    weights = eligible.double()
    total = weights.sum().clamp_min(1)
    fractions: dict[str, Tensor] = {}
    if rules.distance_exponent > 0:
        weights = weights * tree_distance.double().clamp_min(1) ** -rules.distance_exponent
        mean = weights.sum(1, keepdim=True) / eligible.sum(1, keepdim=True).clamp_min(1)
        weights = weights / mean.clamp_min(torch.finfo(weights.dtype).tiny)
        fractions['weighted'] = ((weights != 1) & eligible).sum() / total
    if rules.mask_siblings and siblings is not None:
        masked = siblings & (weights > 0)
        weights = weights.masked_fill(masked, 0)
        fractions['siblings'] = masked.sum() / total
    attracted = None
    if (rules.mask_false or rules.attract_false) and same_cluster is not None:
        false = same_cluster & (weights > 0)
        fractions['false_negatives'] = false.sum() / total
        attracted = false if rules.attract_false else None
        if rules.mask_false:
            weights = weights.masked_fill(false, 0)
    if rules.hard > 0:
        left = weights > 0
        kept = _largest(-distances, left, rules.hard)
        fractions['hard'] = kept.sum() / total
        if rules.router > 0 and affinity is not None:
            routed = _largest(affinity, left & ~kept, rules.router)
            fractions['router'] = routed.sum() / total
            kept = kept | routed
        weights = weights.masked_fill(~kept, 0)
    return NegativePlan(weights, attracted, fractions)


def _largest(score: Tensor, among: Tensor, count: int) -> Tensor:
    """Mark the ``count`` largest scores of each row ``(a, k)`` among the marked ones."""
    ranked = score.masked_fill(~among, -torch.inf)
    chosen = ranked.topk(min(count, score.shape[1]), dim=1).indices
    return torch.zeros_like(among).scatter(1, chosen, True) & among
