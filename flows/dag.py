"""The DAG: each stage as a property that computes what it stands on first, once."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from flows.data_dag import DATA_STAGES, SHARED_STAGES
from flows.training_dag import TrainingDag
from naics_embed.artifacts import Artifact
from naics_embed.config.describe import describing
from naics_embed.config.platform import RuntimeConfig
from naics_embed.config.training import TrainingConfig
from tasks.atlas import atlas, page_inputs
from tasks.coder import coder
from tasks.evaluation import evaluation
from tasks.export import export
from tasks.regression import OUTCOMES, regression
from tasks.report import look, report
from tasks.source import describe_source
from tasks.stage import Record

STAGES = (
    *DATA_STAGES,
    'queries',
    'tokens',
    'encoding',
    'construction',
    'baselines',
    'text_training',
    'query_points',
    'refinement',
    'candidates',
    'selection',
    'evaluation',
    'regression',
    'coder',
    'atlas',
    'export',
    'report',
)


class Dag(TrainingDag):
    """The stages of one pipeline run, each computed at most once and on demand."""

    def records(self) -> dict[str, Record]:
        """Return the records of the stages that were asked for so far."""
        return {name: self.__dict__[name] for name in STAGES if name in self.__dict__}

    def reseeded(self, seed: int) -> 'Dag':
        """Return a DAG on the same data whose training stages have another seed."""
        return self._derived(replace(self.config.runtime, seed=seed), self.config.training)

    def longer(self, epochs: int) -> 'Dag':
        """Return a DAG on the same data whose text stage trains more epochs."""
        training = replace(self.config.training, epochs=self.config.training.epochs + epochs)
        other = self._derived(self.config.runtime, training)
        other.__dict__['construction'] = self.construction
        return other

    def _derived(self, runtime: RuntimeConfig, training: TrainingConfig) -> 'Dag':
        other = Dag(replace(self.config, runtime=runtime, training=training), self.run)
        for name in ('source', 'corpus', 'backbone', *SHARED_STAGES):
            other.__dict__[name] = getattr(self, name)
        return other

    @cached_property
    def evaluation(self) -> Record:
        """Every figure of the run."""
        return self._evaluation(self.selection.files)

    @cached_property
    def text_evaluation(self) -> Record:
        """Every figure of the text table, whatever the promotion rule would pick."""
        return self._evaluation(self._text_table)

    @property
    def _text_table(self) -> dict[str, Artifact]:
        return {'table': Artifact.of(self.text_training.path('model') / 'tables.safetensors')}

    def _evaluation(self, table: Mapping[str, Artifact]) -> Record:
        return evaluation(
            self.run,
            {
                **self._texts,
                **self.construction.files,
                **self.query_points.files,
                **table,
                **self.baselines.files,
            },
            model=self._trained_model,
            evaluation=self.config.evaluation,
            jaccard=self.config.data.roles.jaccard,
        )

    @cached_property
    def regression(self) -> Record:
        """The champion as regressors, on the user's outcomes or the example's."""
        outcomes = self.config.regression.outcomes
        own = {OUTCOMES: Artifact.of(Path(outcomes).expanduser())} if outcomes else {}
        return regression(
            self.run,
            {**self._texts, **self.selection.files, **own},
            regression=replace(self.config.regression, outcomes=None),
        )

    @cached_property
    def coder(self) -> Record:
        """What the hybrid search weighs."""
        return self._coder(self.selection.files, self.evaluation)

    @cached_property
    def text_coder(self) -> Record:
        """The same on the text table, whatever the promotion rule would pick."""
        return self._coder(self._text_table, self.text_evaluation)

    def _coder(self, table: Mapping[str, Artifact], figures: Record) -> Record:
        return coder(
            self.run,
            {
                **self._texts,
                **self.index_roles.files,
                **self.redirections.files,
                **self.backbone,
                **self.text_training.files,
                **self.query_points.files,
                **table,
                **self.baselines.files,
                **figures.files,
            },
            coder=self.config.coder,
            baselines=self.config.evaluation.baselines,
            curvature=self._trained_model.curvature,
            temperature=self.text_training.facts['temperature'],
            jaccard=self.config.data.roles.jaccard,
        )

    @cached_property
    def atlas(self) -> Record:
        """The champion drawn in the Poincaré disk."""
        return atlas(
            self.run,
            {**self.codebook.files, **self.selection.files, **page_inputs()},
            atlas=self.config.atlas,
            curvature=self._trained_model.curvature,
        )

    @cached_property
    def export(self) -> Record:
        """The bundle that users load."""
        return export(
            self.run,
            {
                **self.codebook.files,
                **self.structure_holdout.files,
                **self.text_training.files,
                **self.selection.files,
                **self.coder.files,
                'disk': self.atlas.files['disk'],
            },
            model=self._trained_model,
            temperature=self.text_training.facts['temperature'],
            champion=self.selection.facts['champion'],
            source=describe_source(self.source),
            configuration=describing(self.config),
        )

    @cached_property
    def report(self) -> Record:
        """The run as one HTML file."""
        history = self.text_training.path('model') / 'history.json'
        return report(
            self.run,
            {
                **self.codebook.files,
                **self.structure_holdout.files,
                **self.refinement.files,
                **self.candidates.files,
                **self.selection.files,
                **self.baselines.files,
                **self.regression.files,
                'figures': self.coder['figures'],
                'predictions': self.coder['predictions'],
                'text_history': Artifact.of(history),
                **look(),
            },
            configuration=describing(self.config),
            curvature=self._trained_model.curvature,
            source=describe_source(self.source),
            training={
                name: self.text_training.facts[name] for name in ('warm_epochs', 'best_epoch')
            },
            effects=self.coder.facts['effects'],
        )
