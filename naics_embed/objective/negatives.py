"""The state of the curriculum, as the terms of a step read it."""

from dataclasses import dataclass

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
