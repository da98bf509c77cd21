"""The objective of a step: the terms that act at this point of the run, and their weights."""

import torch
from torch import Tensor, nn

from naics_embed.config.objective import ObjectiveConfig, ScheduleConfig, TermConfig
from naics_embed.geometry.spaces import LorentzSpace
from naics_embed.losses.anchor import embedding_anchor
from naics_embed.losses.cone import entailment
from naics_embed.losses.contrastive import decoupled_contrast
from naics_embed.losses.distillation import distillation, mix_texts
from naics_embed.losses.hierarchy import hierarchy_preservation
from naics_embed.losses.offset import offset_penalty
from naics_embed.losses.radial import radial
from naics_embed.losses.rank import rank_order
from naics_embed.losses.retrieval import (
    ancestor_cross_entropy,
    candidate_weights,
    level_cross_entropy,
    level_losses,
    redirected_from,
)
from naics_embed.losses.stress import tree_stress
from naics_embed.losses.teacher import teacher
from naics_embed.supervision.negatives import NegativeRules, plan_negatives
from naics_embed.text.code_points import encode_channels
from naics_embed.text.linear_teacher import LinearTeacher
from naics_embed.text.model import TextModel
from naics_embed.training.data import Batch
from naics_embed.training.gather import gather_rows
from naics_embed.training.schedule import schedule_factor
from naics_embed.training.terms import Negatives, Terms
from naics_embed.training.tree import TreeTargets

SCHEDULED = (
    'dcl',
    'hierarchy',
    'rank',
    'radial',
    'cone',
    'offset',
    'balance',
    'teacher',
    'anchor',
    'distillation',
)
"""Terms whose section of the configuration is named like them."""

OF_QUERIES = ('retrieval', 'ancestors', 'anchor', 'distillation')
"""Terms that read the queries' embeddings."""


class Objective(nn.Module):
    """Computes the terms of a step from one pass of the texts.

    All distances of a table (queries or placed codes with the candidates of their level, drawn
    codes with each other) come from one matrix product.

    Args:
        tree: the tree, as the losses read it.
        config: weights and schedules.
        channels: names of the channels.
        teacher_tangents: ``(n, dim)``, the construction.
        classifier: the teacher of ``distillation``; that term does not act without one.
    """

    level: Tensor
    supervised: Tensor
    tree_distance: Tensor
    near: Tensor
    parent: Tensor
    ancestors: Tensor
    marks: Tensor
    edges: Tensor
    level_radius: Tensor
    teacher: Tensor

    def __init__(
        self,
        tree: TreeTargets,
        config: ObjectiveConfig,
        channels: tuple[str, ...],
        teacher_tangents: Tensor,
        classifier: LinearTeacher | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.names = channels
        self.classifier = classifier
        for name, value in tree.buffers(teacher_tangents).items():
            self.register_buffer(name, value, persistent=False)
        self.register_buffer('teacher', teacher_tangents.double(), persistent=False)

    def weights(self, progress: float, model: TextModel) -> dict[str, float]:
        """Return the terms that act at a fraction of the run, with their weights."""
        config = self.config

        def at(weight: float, schedule: ScheduleConfig) -> float:
            return weight * schedule_factor(schedule, progress)

        weights = {
            'retrieval': at(config.retrieval.weight, config.retrieval),
            'ancestors': at(config.retrieval.ancestor_credit, config.retrieval),
            'placement': at(config.placement, config.placement_schedule),
            'stress': at(config.stress, config.stress_schedule),
        }
        weights['near'] = config.near_weight * weights['stress']
        for name in SCHEDULED:
            term: TermConfig = getattr(config, name)
            weights[name] = at(term.weight, term)
        if model.offset is None:
            del weights['offset']
        if self.classifier is None:
            del weights['distillation']
        return {name: weight for name, weight in weights.items() if weight > 0}

    def forward(
        self, model: TextModel, batch: Batch, progress: float, negatives: Negatives
    ) -> Terms:
        """Compute the terms of a step, over the queries of all processes."""
        weights = self.weights(progress, model)
        target = gather_rows(batch.target)
        embeddings: Tensor | None = None
        if set(OF_QUERIES) & set(weights):
            embeddings = gather_rows(model.encoder.encode(batch.queries))
        placed, live = self._live(model, batch)
        values: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {}
        balance: Tensor | None = None
        fused = None
        if model.from_text:
            result = model.fuse_codes(placed, live)
            fused, balance, metrics = result.embedding, result.balance, dict(result.metrics)
        tangents = model.code_tangents(fused)
        codes = model.space.exp0(tangents)
        # Credit for ancestors shares the schedule: without retrieval there is none either.
        if embeddings is not None and 'retrieval' in weights:
            values |= self._of_queries(
                model, batch, embeddings, codes, target, weights, negatives, metrics
            )
        if 'placement' in weights and placed is not None and live is not None:
            result = model.fuse(live, model.present[placed])
            points = model.points(result.embedding)
            values['placement'] = self._by_level(model, points, codes, placed)
            if balance is None:
                balance, metrics = result.balance, metrics | result.metrics
        if 'balance' in weights and balance is not None:
            values['balance'] = balance
        if embeddings is not None and {'anchor', 'distillation'} & set(weights):
            frozen = gather_rows(batch.queries.frozen)
            if 'anchor' in weights:
                values['anchor'] = embedding_anchor(embeddings, frozen)
            if 'distillation' in weights and self.classifier is not None:
                values['distillation'] = self._distillation(
                    model, self.classifier, embeddings, frozen, codes
                )
        values |= self._of_codes(model, tangents, codes, weights)
        values |= self._of_pairs(model, codes, batch, weights, negatives, metrics)
        used = {name: weights[name] for name in values}
        kept = None if placed is None or live is None else (placed, live.detach())
        return Terms(values, used, metrics, kept, len(target))

    def _live(self, model: TextModel, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
        """Encode the placed codes of all processes, each distinct one once in the result."""
        codes = gather_rows(batch.placed)
        if not len(codes):
            return None, None
        encoded = encode_channels(model.encoder, self.names, batch.channels, batch.present)
        live = gather_rows(encoded)
        distinct, inverse = codes.unique(return_inverse=True)
        if len(distinct) < len(codes):
            positions = torch.arange(len(codes), device=codes.device)
            first = torch.full_like(distinct, len(codes)).scatter_reduce(
                0, inverse, positions, 'amin'
            )
            codes, live = codes[first], live[first]
        return codes, live

    def _of_queries(
        self,
        model: TextModel,
        batch: Batch,
        embeddings: Tensor,
        codes: Tensor,
        target: Tensor,
        weights: dict[str, float],
        negatives: Negatives,
        metrics: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Terms of queries and candidates; distances to all codes only where one needs them."""
        queries = model.points(embeddings)
        weighted = self.config.retrieval.forced_negatives > 0 or (
            negatives.rules is not None and negatives.retrieval
        )
        if not weighted and 'ancestors' not in weights:
            return {'retrieval': self._by_level(model, queries, codes, target)}
        distances = model.space.pairwise(queries, codes)
        options = (self.level, self.supervised, model.temperature)
        log_weight = (
            self._log_weights(batch, distances.detach(), target, negatives, metrics)
            if weighted
            else None
        )
        losses = {'retrieval': level_cross_entropy(distances, target, *options, log_weight)}
        if 'ancestors' in weights:
            losses['ancestors'] = ancestor_cross_entropy(
                distances, target, self.ancestors, *options
            )
        return losses

    def _by_level(self, model: TextModel, points: Tensor, codes: Tensor, target: Tensor) -> Tensor:
        return level_losses(
            model.space.pairwise,
            points,
            codes,
            target,
            self.level,
            self.supervised,
            model.temperature,
        ).mean()

    def _log_weights(
        self,
        batch: Batch,
        distances: Tensor,
        target: Tensor,
        negatives: Negatives,
        metrics: dict[str, Tensor],
    ) -> Tensor:
        """Return the log of how much each code counts as a wrong answer, ``(b, n)``."""
        forced = self.config.retrieval.forced_negatives
        named = redirected_from(target, gather_rows(batch.against), self.supervised)
        weights = candidate_weights(target, self.level, self.supervised, named, forced)
        if negatives.rules is not None and negatives.retrieval:
            wrong = (weights > 0).scatter(1, target[:, None], False)
            if forced > 0:
                # A code that a cross-reference marks as wrong is not masked, nor left out as easy.
                wrong &= ~named
            plan = plan_negatives(
                wrong,
                self.tree_distance[target],
                distances,
                negatives.rules,
                **negatives.kinship(self.parent, target, torch.arange(len(self.level))),
            )
            weights = torch.where(wrong, plan.weights, weights)
            metrics |= {f'retrieval_{name}': fraction for name, fraction in plan.fractions.items()}
        return weights.log()

    def _distillation(
        self,
        model: TextModel,
        classifier: LinearTeacher,
        embeddings: Tensor,
        frozen: Tensor,
        codes: Tensor,
    ) -> Tensor:
        config = self.config.distillation
        mixed, mixed_frozen = mix_texts(embeddings, frozen, config.mix, config.noise)
        points = model.space.exp0(model.head.tangent(mixed).double())
        distances = model.space.pairwise(points, codes[classifier.codes])
        return distillation(distances, classifier(mixed_frozen), model.temperature)

    def _of_codes(
        self, model: TextModel, tangents: Tensor, codes: Tensor, weights: dict[str, float]
    ) -> dict[str, Tensor]:
        """Terms of single codes and of edges."""
        config, supervised = self.config, self.supervised
        losses: dict[str, Tensor] = {}
        if 'near' in weights:
            a, b = self._near_pairs()
            away = model.space.distance(codes[a], codes[b])
            losses['near'] = tree_stress(away, self.tree_distance[a, b].double())
        if 'radial' in weights:
            radius = tangents[supervised].norm(dim=-1)
            losses['radial'] = radial(radius, self.level_radius[supervised], config.radial.delta)
        if 'cone' in weights:
            parent, child = self.edges
            space = model.space
            assert isinstance(space, LorentzSpace)
            losses['cone'] = entailment(
                codes[parent], codes[child], c=space.c, aperture=config.cone.aperture
            )
        if 'offset' in weights and model.offset is not None:
            losses['offset'] = offset_penalty(model.offset, supervised)
        if 'teacher' in weights:
            away = model.space.distance(
                codes[supervised], model.space.exp0(self.teacher[supervised])
            )
            losses['teacher'] = teacher(away, config.teacher.delta)
        return losses

    def _near_pairs(self) -> Tensor:
        """Return ``(2, m)``, the near pairs of this step: all, or `near_pairs` of them, drawn."""
        most = self.config.near_pairs
        if most is None or self.near.shape[1] <= most:
            return self.near
        return self.near[:, torch.randint(self.near.shape[1], (most,), device=self.near.device)]

    def _of_pairs(
        self,
        model: TextModel,
        codes: Tensor,
        batch: Batch,
        weights: dict[str, float],
        negatives: Negatives,
        metrics: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """Terms of pairs of the drawn codes, from one table of their distances."""
        active = {'stress', 'dcl', 'hierarchy', 'rank'} & set(weights)
        if not active:
            return {}
        config, drawn = self.config, batch.drawn
        points = codes[drawn]
        away = model.space.pairwise(points, points)
        tree = self.tree_distance[drawn][:, drawn]
        losses: dict[str, Tensor] = {}
        if 'stress' in active:
            rows, columns = torch.triu_indices(
                len(drawn), len(drawn), offset=1, device=drawn.device
            ).unbind()
            losses['stress'] = tree_stress(away[rows, columns], tree[rows, columns].double())
        if 'hierarchy' in active:
            losses['hierarchy'] = hierarchy_preservation(away, tree)
        if 'rank' in active:
            # The last ones drawn: where anchors bring partners, these are not among the anchors.
            a, listed = config.rank.anchors, config.rank.listed
            losses['rank'] = rank_order(
                away[:a, -listed:], tree[:a, -listed:], config.rank.temperature
            )
        if 'dcl' in active:
            a = len(batch.partner)
            anchors = drawn[:a]
            farther = tree[:a] > tree[torch.arange(a, device=drawn.device), batch.partner][:, None]
            plan = plan_negatives(
                farther & (self.marks[anchors][:, drawn] == 0),
                tree[:a],
                away[:a].detach(),
                negatives.rules or NegativeRules(),
                **negatives.kinship(self.parent, anchors, drawn),
            )
            metrics |= {f'dcl_{name}': fraction for name, fraction in plan.fractions.items()}
            losses['dcl'] = decoupled_contrast(
                away[:a], batch.partner, plan.weights, config.dcl.temperature, plan.attracted
            )
        return losses
