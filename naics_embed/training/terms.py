"""The terms of a step, and the state of the curriculum that they read."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from naics_embed.supervision.negatives import NegativeRules


@dataclass
class Negatives:
    """The state of the curriculum that a step sees.

    Attributes:
        rules: what acts in this phase; None where the curriculum is off.
        retrieval: whether the query → code cross-entropy follows too.
        cluster: int64 ``(n,)``, cluster of each code, −1 for none.
        routes: ``(n, experts)``, gate of each code, or None.
    """

    rules: NegativeRules | None = None
    retrieval: bool = False
    cluster: Tensor | None = None
    routes: Tensor | None = None

    def kinship(self, parent: Tensor, anchors: Tensor, codes: Tensor) -> dict[str, Tensor | None]:
        """Return the inputs of `plan_negatives` about pairs, ``(a, k)`` each.

        Args:
            parent: int64 ``(n,)``, −1 for a sector.
            anchors: int64 ``(a,)``, positions of codes.
            codes: int64 ``(k,)``, positions of codes.

        Returns:
            which pairs are siblings; which share a cluster, and how similar their gates are, each
            None where the step has none.
        """
        codes = codes.to(anchors.device)
        siblings = (parent[anchors][:, None] == parent[codes][None, :]) & (
            anchors[:, None] != codes[None, :]
        )
        same, affinity = None, None
        if self.cluster is not None:
            cluster = self.cluster[anchors][:, None]
            same = (cluster == self.cluster[codes][None, :]) & (cluster >= 0)
        if self.routes is not None:
            routes = nn.functional.normalize(self.routes, dim=-1).double()
            affinity = routes[anchors] @ routes[codes].T
        return {'siblings': siblings, 'same_cluster': same, 'affinity': affinity}


@dataclass(frozen=True)
class Terms:
    """The terms of a step.

    Attributes:
        values: name → unweighted scalar, for terms that act.
        weights: name → weight.
        metrics: name → scalar to log.
        live: codes that were encoded in this step, int64 ``(p,)``, and their channels' embeddings
            ``(p, channels, width)``; None where there are none.
        queries: queries of the step, of all processes.
    """

    values: dict[str, Tensor]
    weights: dict[str, float]
    metrics: dict[str, Tensor] = field(default_factory=dict)
    live: tuple[Tensor, Tensor] | None = None
    queries: int = 1

    @property
    def total(self) -> Tensor:
        """The weighted sum."""
        return torch.stack([self.weights[name] * v for name, v in self.values.items()]).sum()


def gradient_norms(terms: Terms, module: nn.Module) -> dict[str, Tensor]:
    """Return the norm of each weighted term's own gradient, over all trainable parameters.

    For one process: of several, one without rows of its own would not take part.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    norms: dict[str, Tensor] = {}
    for name, value in terms.values.items():
        if not value.requires_grad:
            norms[name] = value.new_zeros(())
            continue
        gradients = torch.autograd.grad(
            terms.weights[name] * value, parameters, retain_graph=True, allow_unused=True
        )
        squares = [g.double().square().sum() for g in gradients if g is not None]
        norms[name] = torch.stack(squares).sum().sqrt()
    return norms
