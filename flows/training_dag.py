"""The part of the DAG that trains: from frozen encodings to the table that is promoted."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from flows.data_dag import DataDag
from naics_embed.artifacts import Artifact
from naics_embed.config.model import ModelConfig
from tasks.baselines import fit_baselines
from tasks.candidates import candidates, selection
from tasks.construction import construction
from tasks.query_points import query_points
from tasks.refinement import refinement
from tasks.stage import Record
from tasks.text_training import text_training

ANY_MODEL = 'any'
"""Name in place of the registered model's, which says nothing about a table."""


class TrainingDag(DataDag):
    """The stages that train and choose, each computed at most once and on demand."""

    @cached_property
    def construction(self) -> Record:
        """The training-free embedding of the tree."""
        return construction(
            self.run,
            self._texts,
            construction=self.config.construction,
            dim=self.config.model.dim,
            curvature=self.config.model.curvature,
            seed=self.config.runtime.seed,
        )

    @cached_property
    def baselines(self) -> Record:
        """The systems compared with."""
        return fit_baselines(
            self.run,
            {**self._texts, **self.index_roles.files},
            compared=self.config.evaluation.compared,
            baselines=self.config.evaluation.baselines,
            jaccard=self.config.data.roles.jaccard,
        )

    @property
    def training_inputs(self) -> dict[str, Artifact]:
        """What text training reads."""
        return {
            **self._texts,
            **self.construction.files,
            **self.redirections.files,
            **self.backbone,
        }

    @cached_property
    def text_training(self) -> Record:
        """Query encoder and code table."""
        return text_training(
            self.run,
            self.training_inputs,
            model=self.config.model,
            objective=self.config.objective,
            curriculum=self.config.curriculum,
            training=self.config.training,
            shrink=self.config.construction.shrink,
            frozen_layers=self.config.backbone.frozen_layers,
            batch_tokens=self.config.backbone.batch_tokens,
            seed=self.config.runtime.seed,
        )

    @property
    def _trained_model(self) -> ModelConfig:
        """The space as training left it: its curvature may have been learned."""
        return replace(self.config.model, curvature=self.text_training.facts['curvature'])

    @cached_property
    def query_points(self) -> Record:
        """Queries as points of the trained space."""
        return query_points(
            self.run,
            {
                **self.codebook.files,
                **self.structure_holdout.files,
                **self.queries.files,
                **self.text_training.files,
            },
            model=self._trained_model,
            window=self.config.backbone.window,
            batch_tokens=self.config.backbone.batch_tokens,
            train_queries=self.config.graph.anchor_queries,
            seed=self.config.runtime.seed,
        )

    @cached_property
    def refinement(self) -> Record:
        """The table refined over the graph, and smoothed over it."""
        return self._refinement(shuffle=False)

    def _refinement(self, *, shuffle: bool) -> Record:
        return refinement(
            self.run,
            {
                **self.codebook.files,
                **self.structure_holdout.files,
                **self.queries.files,
                **self.redirections.files,
                **self.triplets.files,
                **self.text_training.files,
                **self.query_points.files,
            },
            graph=self.config.graph,
            model=self._trained_model,
            temperature=self.text_training.facts['temperature'],
            shuffle=shuffle,
            seed=self.config.runtime.seed,
        )

    @cached_property
    def candidates(self) -> Record:
        """Every candidate table on validation."""
        return self._candidates(self.refinement.files)

    def _candidates(self, tables: Mapping[str, Artifact]) -> Record:
        return candidates(
            self.run,
            {
                **self._texts,
                **self.text_training.files,
                **self.query_points.files,
                **tables,
            },
            model=self._trained_model,
            evaluation=self.config.evaluation,
            regression=replace(self.config.regression, outcomes=None),
            shrink=self.config.construction.shrink,
            jaccard=self.config.data.roles.jaccard,
        )

    @cached_property
    def control_refinement(self) -> Record:
        """Like `refinement`, with the network on shuffled text too."""
        return self._refinement(shuffle=True)

    @cached_property
    def control_candidates(self) -> Record:
        """All tables of the controls on validation."""
        return self._candidates({**self.control_refinement.files, **self.construction.files})

    @cached_property
    def text_candidates(self) -> Record:
        """The text table alone on validation."""
        return self._candidates({})

    @cached_property
    def selection(self) -> Record:
        """The table that the promotion rule picks."""
        return selection(
            self.run,
            {**self.text_training.files, **self.refinement.files, **self.candidates.files},
            promotion=replace(self.config.promotion, force=False, model=ANY_MODEL),
        )
