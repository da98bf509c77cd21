"""The objective of a step: the terms that act at this point of the run, and their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from naics_embed.objective.negatives import Negatives
from naics_embed.objective.step import Batch, Step
from naics_embed.objective.term import Term
from naics_embed.objective.tree import TreeTargets
from naics_embed.text.model import TextModel

# A stage is keyed by the files that it imports: by this one, every term is among those of training.


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


class Objective(nn.Module):
    """Computes the terms of a step from one pass of the texts.

    Args:
        terms: the configured terms, in the order in which they are computed.
        tree: the tree, as the terms read it.
        channels: names of the channels.
        states: what `Term.prepare` returned, by name; terms that need one do not act without.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        tree: TreeTargets,
        channels: tuple[str, ...],
        states: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.terms = tuple(terms)
        self.tree = tree
        self.channels = channels
        self.states = nn.ModuleDict(dict(states or {}))

    def weights(self, progress: float, model: TextModel) -> list[tuple[Term, float]]:
        """Return the terms that act at a fraction of the run, with their weights."""
        states = dict(self.states)
        weights = [
            (term, term.weight * term.factor(progress))
            for term in self.terms
            if term.acts(model, states.get(term.name))
        ]
        return [(term, weight) for term, weight in weights if weight > 0]

    def step(
        self, model: TextModel, batch: Batch, negatives: Negatives, *, queries: bool = True
    ) -> Step:
        """Return what terms read of a batch, with the embeddings of its queries or without."""
        return Step(model, batch, self.tree, self.channels, negatives, self.states, queries)

    def forward(
        self, model: TextModel, batch: Batch, progress: float, negatives: Negatives
    ) -> Terms:
        """Compute the terms of a step, over the queries of all processes."""
        weights = self.weights(progress, model)
        queries = any(term.needs.queries for term, _ in weights)
        step = self.step(model, batch, negatives, queries=queries)
        values: dict[str, Tensor] = {}
        used: dict[str, float] = {}
        for term, weight in weights:
            value = term.value(step)
            if value is not None:
                values[term.name], used[term.name] = value, weight
        live = None if step.live is None else (step.live[0], step.live[1].detach())
        return Terms(values, used, step.metrics, live, len(step.target))


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
