"""The query nearest to its code among all of the level, with credit for the ancestors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from naics_embed.errors import ConfigError
from naics_embed.objective.term import ModelChoice, Needs, Term
from naics_embed.value_checks import require

if TYPE_CHECKING:
    from torch import Tensor

    from naics_embed.objective.step import Step
    from naics_embed.text.inputs import TextInputs


@dataclass(frozen=True, kw_only=True)
class Retrieval(Term):
    """The query → code cross-entropy; its weight is positive.

    Attributes:
        ancestor_credit: weight of the cross-entropies at the levels above, whose right answers are
            the ancestors, by the same schedule; 0 switches them off.
        forced_negatives: as how many candidates the code counts from which an activity phrase was
            redirected, at least 1; 0 leaves it as it is.
    """

    name: ClassVar[str] = 'retrieval'
    ancestor_credit: float
    forced_negatives: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, 'objective.retrieval.weight', self.weight, 'positive')
        credit, forced = self.ancestor_credit, self.forced_negatives
        require(credit >= 0, 'objective.retrieval.ancestor_credit', credit, 'at least 0')
        # Below 1 it would count for less than the other candidates.
        kept = forced == 0 or forced >= 1
        require(kept, 'objective.retrieval.forced_negatives', forced, '0, or at least 1')

    @property
    def needs(self) -> Needs:
        return Needs(queries=True)

    def parts(self) -> tuple[Term, ...]:
        return self, Ancestors(weight=self.ancestor_credit, **self.when)

    def check_inputs(self, inputs: 'TextInputs') -> None:
        against = inputs.train.against
        if self.forced_negatives and (against is None or not bool((against >= 0).any())):
            raise ConfigError(
                'objective.retrieval.forced_negatives needs queries that were redirected from '
                'another code: set training.queries.redirections=true, and use a source with '
                'cross-references'
            )

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.retrieval import level_cross_entropy

        by_rules = step.negatives.rules is not None and step.negatives.retrieval
        weighted = self.forced_negatives > 0 or by_rules
        if not weighted and not self.ancestor_credit:
            return step.cross_entropy(step.query_points, step.target)
        log_weight = self.log_weights(step, step.query_distances.detach()) if weighted else None
        tree = step.tree
        return level_cross_entropy(
            step.query_distances,
            step.target,
            tree.level,
            tree.supervised,
            step.model.temperature,
            log_weight,
        )

    def log_weights(self, step: 'Step', distances: 'Tensor') -> 'Tensor':
        """Return the log of how much each code counts as a wrong answer, ``(b, n)``."""
        import torch

        from naics_embed.losses.retrieval import candidate_weights, redirected_from
        from naics_embed.supervision.negatives import plan_negatives

        tree, target, forced = step.tree, step.target, self.forced_negatives
        named = redirected_from(target, step.against, tree.supervised)
        weights = candidate_weights(target, tree.level, tree.supervised, named, forced)
        if step.negatives.rules is not None and step.negatives.retrieval:
            wrong = (weights > 0).scatter(1, target[:, None], False)
            if forced > 0:
                # A code that a cross-reference marks as wrong is not masked, nor left out as easy.
                wrong &= ~named
            plan = plan_negatives(
                wrong,
                tree.tree_distance[target],
                distances,
                step.negatives.rules,
                **step.negatives.kinship(tree.parent, target, torch.arange(len(tree.level))),
            )
            weights = torch.where(wrong, plan.weights, weights)
            step.log(self.name, plan.fractions)
        return weights.log()


@dataclass(frozen=True, kw_only=True)
class Ancestors(Term):
    """The cross-entropies at the levels above a query's code, with retrieval's schedule."""

    name: ClassVar[str] = 'ancestors'

    @property
    def needs(self) -> Needs:
        return Needs(queries=True)

    def suffices(self, model: ModelChoice, *, teaches_leaves: bool) -> bool:
        return False

    def value(self, step: 'Step') -> 'Tensor':
        from naics_embed.losses.retrieval import ancestor_cross_entropy

        tree = step.tree
        return ancestor_cross_entropy(
            step.query_distances,
            step.target,
            tree.ancestors,
            tree.level,
            tree.supervised,
            step.model.temperature,
        )
