"""Refinement: train the graph network on a given table, keep the best epoch by validation."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from naics_embed.config.refinement import GraphConfig
from naics_embed.errors import ConfigError, HealthError
from naics_embed.graph.edges import TaxonomyGraph
from naics_embed.graph.hgcn import HGCN, LorentzConv
from naics_embed.graph.losses import TERMS, Objective, Queries
from naics_embed.graph.selection import SELECTION, RefinementValidator
from naics_embed.graph.smoothing import smooth
from naics_embed.losses.radius import level_radii
from naics_embed.losses.uncertainty import UncertaintyWeights
from naics_embed.metrics.epoch_line import epoch_line
from naics_embed.metrics.tree import Tree
from naics_embed.supervision.sampling import Triplets
from naics_embed.supervision.triplets import iterate_triplets
from naics_embed.taxonomy import Taxonomy

log = logging.getLogger(__name__)

TRIPLETS_AT_ONCE = 65536
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, eq=False)
class RefinementInputs:
    """What refinement starts from.

    Attributes:
        taxonomy: the tree.
        supervised: bool ``(n,)``; hidden codes enter no loss, no edge and stay where they are.
        tangents: float64 ``(n, dim)``, the table.
        curvature: c > 0 of the space of table and queries.
        temperature: factor on the distance in the cross-entropy.
        graph: edges among supervised codes.
        triplets: the training triplets.
        train: training queries.
        validation: kind → validation queries.
    """

    taxonomy: Taxonomy
    supervised: np.ndarray
    tangents: Tensor
    curvature: float
    temperature: float
    graph: TaxonomyGraph
    triplets: Triplets
    train: Queries
    validation: Mapping[str, Queries]

    def validator(self, tree_weight: float) -> RefinementValidator:
        """Return what scores a refined table."""
        return RefinementValidator(
            self.validation,
            Tree.of(self.taxonomy),
            torch.from_numpy(self.supervised),
            curvature=self.curvature,
            tree_weight=tree_weight,
        )


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined table: the best epoch by validation, 0 for the table as it came.

    Attributes:
        tangents: float64 ``(n, dim)``.
        best_epoch: the epoch that was kept.
        history: metrics of each epoch, the state before training first.
        network: curvature, steps and so on of the kept epoch.
    """

    tangents: Tensor
    best_epoch: int
    history: list[dict[str, float]]
    network: dict[str, float]


def read_triplets(directory: Path) -> Triplets:
    """Read all triplets of a directory into memory: a few tens of thousands, 20 bytes each."""
    return Triplets.concatenate(list(iterate_triplets(directory, TRIPLETS_AT_ONCE)))


def refine(
    inputs: RefinementInputs, settings: GraphConfig, seed: int, report: Report | None = None
) -> Refined:
    """Train a graph network on a table and return the table of its best epoch.

    An epoch counts only if no kind of validation query has lost more than
    ``settings.tolerance`` of its MRR, and the tree no more than ``settings.tree_tolerance`` of its
    Spearman; where none is better than the start, the table comes back as it was.

    Args:
        inputs: what to start from.
        settings: how to train.
        seed: of every draw.
        report: called after each epoch with its number and metrics.

    Raises:
        ConfigError: there are no queries or triplets.
        HealthError: the loss or the refined table is not finite.
    """
    _check(inputs)
    tangents = inputs.tangents.double()
    taxonomy = inputs.taxonomy
    level = torch.from_numpy(taxonomy.level.astype(np.int64))
    supervised = torch.from_numpy(inputs.supervised)
    objective = Objective(
        inputs.curvature,
        inputs.temperature,
        level,
        supervised,
        torch.from_numpy(taxonomy.tree_distance.copy()),
        level_radii(tangents.norm(dim=-1), level, supervised),
        settings.huber_delta,
    )
    network = HGCN(
        tangents.shape[1],
        settings.layers,
        len(inputs.graph.kinds),
        level,
        curvature=inputs.curvature,
        attention=settings.attention,
    )
    scales = UncertaintyWeights(TERMS)
    optimiser = _optimiser(network, scales if settings.uncertainty else None, settings)
    validate = inputs.validator(settings.tree_weight)
    before = validate(tangents)
    history = [before]
    best, best_epoch, kept = before[SELECTION], 0, tangents
    highest, last_rise = before[SELECTION], 0
    described = _describe(network, scales)
    random = np.random.default_rng([seed, taxonomy.level.size])
    for epoch in range(1, settings.max_epochs + 1):
        sums = dict.fromkeys((*TERMS, 'loss', 'gradient'), 0.0)
        for _ in range(settings.steps):
            for name, value in _step(
                network, scales, optimiser, objective, inputs, settings, random
            ).items():
                sums[name] += value / settings.steps
        with torch.no_grad():
            refined = network(tangents, inputs.graph)
        if not (math.isfinite(sums['loss']) and bool(refined.isfinite().all())):
            raise HealthError(
                f'refinement stopped in epoch {epoch}: loss or table is not finite; lower graph.lr '
                'or graph.clip. The table of the text training is as it was'
            )
        metrics = validate(refined)
        moved = float((refined - tangents).norm(dim=-1)[supervised].mean())
        record = {**metrics, **{f'train_{name}': value for name, value in sums.items()}}
        record |= {'moved': moved, **_describe(network, scales)}
        history.append(record)
        log.info('refinement epoch %d of %d: %s', epoch, settings.max_epochs, epoch_line(record))
        if report is not None:
            report(epoch, record)
        if metrics[SELECTION] > best and validate.allowed(
            metrics, before, settings.tolerance, settings.tree_tolerance
        ):
            best, best_epoch, kept = metrics[SELECTION], epoch, refined
            described = _describe(network, scales)
        # An epoch that costs too much is not kept, but while the metric rises it may pay back.
        if metrics[SELECTION] > highest:
            highest, last_rise = metrics[SELECTION], epoch
        elif epoch - last_rise >= settings.patience:
            break
    kept = kept.clone()
    kept[~supervised] = tangents[~supervised]
    return Refined(kept, best_epoch, history, described)


def best_smoothing(inputs: RefinementInputs, settings: GraphConfig) -> tuple[Tensor, float]:
    """Return the table smoothed by the fraction that validation prefers, and that fraction.

    Only edges between parent and child count. The best fraction is taken even where the table
    without smoothing scores better: it is a control.
    """
    lineal = TaxonomyGraph.of(inputs.taxonomy, inputs.supervised, ('parent', 'child'))
    validate = inputs.validator(settings.tree_weight)
    tables = {
        fraction: smooth(inputs.tangents, lineal, fraction, c=inputs.curvature)
        for fraction in settings.smoothing_fractions
    }
    fraction = max(tables, key=lambda each: validate(tables[each])[SELECTION])
    return tables[fraction], fraction


def shuffled(tangents: Tensor, level: Tensor, supervised: Tensor, seed: int) -> Tensor:
    """Return a table whose supervised rows are permuted within each level, as a control."""
    result = tangents.clone()
    generator = torch.Generator().manual_seed(seed)
    for value in level.unique().tolist():
        rows = torch.nonzero((level == value) & supervised).squeeze(1)
        result[rows] = tangents[rows[torch.randperm(len(rows), generator=generator)]]
    return result


def _check(inputs: RefinementInputs) -> None:
    if not len(inputs.train):
        raise ConfigError('there are no training queries to anchor the refinement to')
    if not len(inputs.triplets):
        raise ConfigError('there are no triplets to refine by; see the section triplets')


def _optimiser(
    network: HGCN, scales: UncertaintyWeights | None, settings: GraphConfig
) -> torch.optim.AdamW:
    named = dict(network.named_parameters())
    curvature = named.pop('learned_curvature.log_curvature')
    transforms = [value for name, value in named.items() if name.endswith('transform')]
    others = [value for name, value in named.items() if not name.endswith('transform')]
    if scales is not None:
        others += list(scales.parameters())
    return torch.optim.AdamW(
        [
            {'params': transforms, 'weight_decay': settings.weight_decay},
            {'params': others, 'weight_decay': 0.0},
            {'params': [curvature], 'lr': settings.lr_curvature, 'weight_decay': 0.0},
        ],
        lr=settings.lr,
    )


def _step(
    network: HGCN,
    scales: UncertaintyWeights,
    optimiser: torch.optim.AdamW,
    objective: Objective,
    inputs: RefinementInputs,
    settings: GraphConfig,
    random: np.random.Generator,
) -> dict[str, float]:
    rows = torch.from_numpy(_draw(random, len(inputs.train), settings.queries))
    queries = Queries(inputs.train.points[rows], inputs.train.target[rows])
    triplets = inputs.triplets.take(_draw(random, len(inputs.triplets), settings.triplets))
    supervised = np.flatnonzero(inputs.supervised)
    drawn = torch.from_numpy(supervised[_draw(random, len(supervised), settings.stress_codes)])
    losses = objective.losses(network(inputs.tangents, inputs.graph), queries, triplets, drawn)
    weighted = {name: getattr(settings, name) * loss for name, loss in losses.items()}
    loss = scales(weighted) if settings.uncertainty else torch.stack(list(weighted.values())).sum()
    optimiser.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
    optimiser.step()
    network.learned_curvature.hold()
    metrics = {name: float(value.detach()) for name, value in losses.items()}
    return {**metrics, 'loss': float(loss.detach()), 'gradient': float(norm)}


def _draw(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    return random.choice(size, min(size, count), replace=False)


def _describe(network: HGCN, scales: UncertaintyWeights) -> dict[str, float]:
    """Return the parameters of the network as metrics to log."""
    values = {'curvature': float(network.curvature.detach())}
    for number, layer in enumerate(network.layers):
        assert isinstance(layer, LorentzConv)
        steps = torch.tanh(layer.step.detach()).tolist()
        values |= {f'step_{number}_{index}': value for index, value in enumerate(steps)}
        if layer.nearness is not None:
            values[f'nearness_{number}'] = float(layer.nearness.detach())
    return values | {f'weight_{name}': value for name, value in scales.weights().items()}
