"""The DAG: each stage as a property that computes what it stands on first, once."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.routing import Request, computed_elsewhere
from naics_embed.artifacts import Artifact
from naics_embed.census.sources import Source
from naics_embed.config.schema import Config, ModelConfig, RuntimeConfig, TrainingConfig
from naics_embed.data.plain_language import CORPUS_FILE, PANEL_FILE, data_file
from naics_embed.text.backbone import locate_backbone
from tasks.atlas import atlas, page_inputs
from tasks.baselines import BASELINE_CHANNELS, fit_baselines
from tasks.candidates import candidates, selection
from tasks.codebook import codebook
from tasks.coder import coder
from tasks.construction import construction
from tasks.distances import distances
from tasks.encoding import backbone_inputs, encoding
from tasks.evaluation import evaluation
from tasks.export import export
from tasks.index_roles import index_roles
from tasks.queries import queries
from tasks.query_points import query_points
from tasks.redirections import redirections
from tasks.refinement import refinement
from tasks.regression import OUTCOMES, regression
from tasks.relations import relations
from tasks.report import look, report
from tasks.source import acquire_source, describe_source, source_inputs
from tasks.stage import Record, Run, Stage
from tasks.structure_holdout import structure_holdout
from tasks.text_training import text_training
from tasks.tokens import tokens
from tasks.triplets import triplets

DATA_STAGES = (
    'codebook',
    'redirections',
    'index_roles',
    'structure_holdout',
    'relations',
    'distances',
    'triplets',
)
SHARED_STAGES = (*DATA_STAGES, 'queries', 'tokens', 'encoding')
"""What does not change between seeds of one controls flow: data, texts, frozen encodings."""
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


class Dag:
    """The stages of one pipeline run, each computed at most once and on demand."""

    def __init__(self, config: Config, run: Run, request: Request | None = None) -> None:
        self.config = config
        self.run = run
        self.request = request

    def records(self) -> dict[str, Record]:
        """Return the records of the stages that were asked for so far."""
        return {name: self.__dict__[name] for name in STAGES if name in self.__dict__}

    @cached_property
    def source(self) -> Source:
        """The source files."""
        return acquire_source(self.config.data)

    @cached_property
    def corpus(self) -> dict[str, Artifact]:
        """The project's own texts."""
        return {
            'corpus': Artifact.of(data_file(CORPUS_FILE)),
            'panel': Artifact.of(data_file(PANEL_FILE)),
        }

    @cached_property
    def backbone(self) -> dict[str, Artifact]:
        """The files of the backbone."""
        backbone = self.config.backbone
        return backbone_inputs(locate_backbone(backbone.name, backbone.revision))

    @cached_property
    def codebook(self) -> Record:
        """Codes and their texts."""
        return codebook(self.run, source_inputs(self.source), kind=self.source.kind)

    @cached_property
    def redirections(self) -> Record:
        """Cross references."""
        return redirections(
            self.run, {**source_inputs(self.source), **self.codebook.files}, kind=self.source.kind
        )

    @cached_property
    def index_roles(self) -> Record:
        """Index entries and their roles."""
        return index_roles(
            self.run,
            {
                **source_inputs(self.source),
                **self.codebook.files,
                **self.redirections.files,
                **self.corpus,
            },
            kind=self.source.kind,
            roles=self.config.data.roles,
            seed=self.config.runtime.seed,
        )

    @cached_property
    def structure_holdout(self) -> Record:
        """Hidden leaf chains."""
        return structure_holdout(
            self.run,
            self.codebook.files,
            share=self.config.data.roles.structure_holdout,
            seed=self.config.runtime.seed,
        )

    @cached_property
    def relations(self) -> Record:
        """Kinship of all pairs."""
        return relations(self.run, self.codebook.files)

    @cached_property
    def distances(self) -> Record:
        """Tree distance of all pairs."""
        return distances(self.run, self.codebook.files)

    @cached_property
    def triplets(self) -> Record:
        """Training triplets."""
        return triplets(
            self.run,
            {**self.codebook.files, **self.redirections.files, **self.structure_holdout.files},
            triplets=self.config.triplets,
        )

    @cached_property
    def queries(self) -> Record:
        """Labelled texts and channel texts."""
        return queries(
            self.run,
            {
                **self.codebook.files,
                **self.redirections.files,
                **self.index_roles.files,
                **self.corpus,
            },
            uses=self.config.data.plain_language,
            switches=self.config.training.queries,
        )

    @property
    def _channels(self) -> tuple[str, ...]:
        """The channels that are read: those of the model, and the baselines' own."""
        return tuple(dict.fromkeys((*BASELINE_CHANNELS, *self.config.model.channels)))

    @cached_property
    def tokens(self) -> Record:
        """The token cache."""
        return tokens(
            self.run,
            {
                **self.queries.files,
                **self.index_roles.files,
                'tokenizer': self.backbone['tokenizer'],
            },
            window=self.config.backbone.window,
            used=self._channels,
        )

    @cached_property
    def encoding(self) -> Record:
        """Every text through the frozen backbone."""
        return encoding(
            self.run,
            {**self.tokens.files, **self.backbone},
            frozen_layers=self.config.backbone.frozen_layers,
            batch_tokens=self.config.backbone.batch_tokens,
        )

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

    @property
    def _texts(self) -> dict[str, Artifact]:
        return {
            **self.codebook.files,
            **self.structure_holdout.files,
            **self.queries.files,
            **self.tokens.files,
            **self.encoding.files,
        }

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
        return self._placed(
            text_training,
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
            promotion=self.config.promotion,
        )

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
            configuration=self.config,
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
            configuration=self.config,
            curvature=self._trained_model.curvature,
            source=describe_source(self.source),
            training={
                name: self.text_training.facts[name] for name in ('warm_epochs', 'best_epoch')
            },
            effects=self.coder.facts['effects'],
        )

    def _placed(self, stage: Stage, inputs: Mapping[str, Artifact], **settings: Any) -> Record:
        """Compute a stage where the configuration says: by a deployment, or in this process."""
        deployment = self.config.platform.text_training
        if deployment is None or self.request is None:
            return stage(self.run, inputs, **settings)
        return computed_elsewhere(stage, self.run, inputs, settings, deployment, self.request)
