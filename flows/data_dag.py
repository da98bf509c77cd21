"""The part of the DAG that makes data: codes, texts, kinship and frozen encodings."""

from dataclasses import replace
from functools import cached_property

from naics_embed.artifacts import Artifact
from naics_embed.census.sources import Source
from naics_embed.config.load import to_dict
from naics_embed.config.schema import Config
from naics_embed.data.plain_language import CORPUS_FILE, PANEL_FILE, data_file
from naics_embed.text.backbone import locate_backbone
from tasks.baselines import BASELINE_CHANNELS
from tasks.codebook import codebook
from tasks.distances import distances
from tasks.encoding import backbone_inputs, encoding
from tasks.index_roles import index_roles
from tasks.queries import queries
from tasks.redirections import redirections
from tasks.relations import relations
from tasks.source import acquire_source, source_inputs
from tasks.stage import Record, Run
from tasks.structure_holdout import structure_holdout
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


class DataDag:
    """The stages that no seed of a training changes, each computed at most once and on demand."""

    def __init__(self, config: Config, run: Run) -> None:
        self.config = config
        # Its own configuration, since other seeds of one flow share the rest of the run.
        self.run = replace(run, config=to_dict(config))

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
