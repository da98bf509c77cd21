"""The structure-aware curriculum: phases of negatives, by progress and by plateau."""

import logging
from typing import Any

import lightning as L
import torch

from naics_embed.config.training import CurriculumConfig
from naics_embed.geometry.kmeans import lorentz_kmeans
from naics_embed.geometry.lorentz import exp0
from naics_embed.objective.negatives import Negatives
from naics_embed.supervision.negatives import (
    MITIGATION,
    REFINEMENT,
    STRUCTURAL,
    NegativeRules,
)
from naics_embed.training.module import SELECTION, TextModule

log = logging.getLogger(__name__)


def rules_of(config: CurriculumConfig, phase: int) -> NegativeRules:
    """Return what acts in a phase."""
    refined = phase >= REFINEMENT
    treatment = config.false_negatives if phase >= MITIGATION else 'repel'
    return NegativeRules(
        distance_exponent=config.distance_exponent,
        mask_siblings=config.mask_siblings and phase == STRUCTURAL,
        hard=config.hard if refined else 0,
        router=config.router if refined else 0,
        mask_false=treatment in ('mask', 'both'),
        attract_false=treatment in ('attract', 'both'),
    )


def phase_of(config: CurriculumConfig, progress: float, early: int) -> int:
    """Return the phase at a fraction of the run, of which plateaus ended ``early`` ones."""
    by_progress = STRUCTURAL
    if progress >= config.mitigation:
        by_progress = MITIGATION
    elif progress >= config.refinement:
        by_progress = REFINEMENT
    return min(MITIGATION, max(by_progress, STRUCTURAL + early))


class Curriculum(L.Callback):
    """Sets the negatives of each step, and clusters the codes for the third phase.

    A phase ends at its fraction of the run, or when validation has not improved for some epochs.
    Clusters are drawn from the code points when the third phase begins and at each epoch after.
    """

    def __init__(self, config: CurriculumConfig, seed: int) -> None:
        """Args: the curriculum; seed of the clusters."""
        self.config = config
        self.seed = seed
        self.phase = 0
        self.early = 0
        self.best = -float('inf')
        self.waited = 0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the phase of this epoch's first step, and draw clusters anew."""
        if isinstance(pl_module, TextModule):
            self._enter(pl_module, self._now(pl_module))
            pl_module.log('curriculum/phase', float(self.phase))

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Enter the next phase where its fraction of the run has come."""
        if isinstance(pl_module, TextModule):
            now = self._now(pl_module)
            if now != self.phase:
                self._enter(pl_module, now)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Count epochs without a better metric; enough of them end the phase."""
        metric = trainer.callback_metrics.get(SELECTION)
        if trainer.sanity_checking or metric is None or not self.config.plateau:
            return
        if float(metric) > self.best:
            self.best, self.waited = float(metric), 0
            return
        self.waited += 1
        if self.waited >= self.config.plateau and self.phase < MITIGATION:
            self.early, self.waited = self.phase - STRUCTURAL + 1, 0
            log.info('validation no longer improves: phase %d ends early', self.phase)

    def state_dict(self) -> dict[str, float]:
        """Return the state that a resumed run needs."""
        return {'early': self.early, 'best': self.best, 'waited': self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Take up the state of the interrupted run."""
        self.early, self.waited = int(state_dict['early']), int(state_dict['waited'])
        self.best = float(state_dict['best'])

    def _now(self, module: TextModule) -> int:
        return phase_of(self.config, module.progress, self.early)

    def _enter(self, module: TextModule, phase: int) -> None:
        if phase != self.phase:
            log.info('curriculum: phase %d', phase)
        self.phase = phase
        rules = rules_of(self.config, phase)
        model = module.model
        cluster, routes = None, None
        with torch.no_grad():
            if rules.mask_false or rules.attract_false:
                cluster = self._clusters(module)
            if rules.router:
                routes = model.fusion.routes(model.channels, model.present)
        module.negatives = Negatives(rules, self.config.retrieval, cluster, routes)

    def _clusters(self, module: TextModule) -> torch.Tensor:
        supervised = module.objective.tree.supervised.nonzero().squeeze(1)
        c = module.model.curvature
        points = exp0(module.model.code_tangents()[supervised], c=c)
        clusters = lorentz_kmeans(
            points,
            self.config.clusters,
            c=c,
            seed=self.seed,
            iterations=self.config.iterations,
        )
        cluster = torch.full_like(module.objective.tree.level, -1)
        cluster[supervised] = clusters.label
        return cluster


class PlateauRate(L.Callback):
    """Lowers all learning rates each time that validation stops improving."""

    def __init__(self, factor: float, patience: int) -> None:
        """Args: factor on the rates; epochs without a better metric before it."""
        self.factor = factor
        self.patience = patience
        self.scale = 1.0
        self.best = -float('inf')
        self.waited = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take up the scale of an interrupted run."""
        if isinstance(pl_module, TextModule):
            pl_module.rate_scale = self.scale

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lower the rates where patience has ended."""
        metric = trainer.callback_metrics.get(SELECTION)
        if trainer.sanity_checking or metric is None or not isinstance(pl_module, TextModule):
            return
        if float(metric) > self.best:
            self.best, self.waited = float(metric), 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.scale, self.waited = self.scale * self.factor, 0
            pl_module.rate_scale = self.scale

    def state_dict(self) -> dict[str, float]:
        """Return the state that a resumed run needs."""
        return {'scale': self.scale, 'best': self.best, 'waited': self.waited}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Take up the state of the interrupted run."""
        self.scale, self.best = float(state_dict['scale']), float(state_dict['best'])
        self.waited = int(state_dict['waited'])
