"""The DAG: each stage as a property that computes what it stands on first, once."""

from functools import cached_property

from naics_embed.artifacts import Artifact
from naics_embed.census.sources import Source
from naics_embed.config.schema import Config
from naics_embed.data.plain_language import CORPUS_FILE, PANEL_FILE, data_file
from naics_embed.text.backbone import locate_backbone
from tasks.baselines import BASELINE_CHANNELS, fit_baselines
from tasks.codebook import codebook
from tasks.coder import coder
from tasks.construction import construction
from tasks.distances import distances
from tasks.encoding import backbone_inputs, encoding
from tasks.evaluation import evaluation
from tasks.export import export
from tasks.index_roles import index_roles
from tasks.queries import queries
from tasks.redirections import redirections
from tasks.relations import relations
from tasks.source import acquire_source, describe_source, source_inputs
from tasks.stage import Record, Run
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
STAGES = (
    *DATA_STAGES,
    'queries',
    'tokens',
    'encoding',
    'construction',
    'baselines',
    'text_training',
    'evaluation',
    'coder',
    'export',
)


class Dag:
    """The stages of one pipeline run, each computed at most once and on demand."""

    def __init__(self, config: Config, run: Run) -> None:
        self.config = config
        self.run = run

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

    @cached_property
    def text_training(self) -> Record:
        """Query encoder and code table."""
        return text_training(
            self.run,
            {**self._texts, **self.construction.files, **self.backbone},
            model=self.config.model,
            objective=self.config.objective,
            training=self.config.training,
            shrink=self.config.construction.shrink,
            frozen_layers=self.config.backbone.frozen_layers,
            batch_tokens=self.config.backbone.batch_tokens,
            seed=self.config.runtime.seed,
        )

    @cached_property
    def evaluation(self) -> Record:
        """Every figure of the run."""
        return evaluation(
            self.run,
            {
                **self._texts,
                **self.construction.files,
                **self.text_training.files,
                **self.baselines.files,
            },
            model=self.config.model,
            evaluation=self.config.evaluation,
            jaccard=self.config.data.roles.jaccard,
            window=self.config.backbone.window,
            batch_tokens=self.config.backbone.batch_tokens,
        )

    @cached_property
    def coder(self) -> Record:
        """What the hybrid search weighs."""
        return coder(
            self.run,
            {
                **self._texts,
                **self.index_roles.files,
                **self.redirections.files,
                **self.backbone,
                **self.text_training.files,
                **self.baselines.files,
                **self.evaluation.files,
            },
            coder=self.config.coder,
            baselines=self.config.evaluation.baselines,
            model=self.config.model,
            temperature=self.text_training.facts['temperature'],
            jaccard=self.config.data.roles.jaccard,
            window=self.config.backbone.window,
            batch_tokens=self.config.backbone.batch_tokens,
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
                **self.coder.files,
            },
            temperature=self.text_training.facts['temperature'],
            source=describe_source(self.source),
            configuration=self.config,
        )
