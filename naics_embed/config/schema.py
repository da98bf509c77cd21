"""The schema of the configuration: one frozen dataclass a section, checked when it is made.

Values live in ``configs/``; a field without a default must be given there.
"""

from dataclasses import dataclass

from naics_embed.baselines.settings import BaselineSettings
from naics_embed.census.download import HttpSettings
from naics_embed.errors import ConfigError
from naics_embed.supervision.sampling import TripletSettings

SOURCE_KINDS = ('auto', 'census', 'folder', 'package')
CHANNELS = ('title', 'description', 'examples', 'excluded')


@dataclass(frozen=True)
class RolesConfig:
    """How index entries and codes are divided.

    Attributes:
        examples: share of entries whose text joins the examples channel of their code.
        train: share that are training queries.
        validation: share that are validation queries.
        test: share that are test queries.
        jaccard: character-trigram similarity from which two texts count as the same.
        structure_holdout: share of leaf codes hidden from every loss, half of them for validation.
    """

    examples: float
    train: float
    validation: float
    test: float
    jaccard: float
    structure_holdout: float

    def __post_init__(self) -> None:
        total = self.examples + self.train + self.validation + self.test
        if abs(total - 1.0) > 1e-9:
            raise ConfigError(
                'data.roles: examples + train + validation + test must be 1, '
                f'but they add up to {total:g}'
            )
        _share('data.roles.jaccard', self.jaccard)
        _share('data.roles.structure_holdout', self.structure_holdout)


@dataclass(frozen=True)
class PlainLanguageConfig:
    """Which uses the project's own plain-language corpus is put to.

    Attributes:
        train: train rows are training queries.
        examples: train rows fill the examples channel of a code that has no index entries.
        validation: validation rows take part in model selection.
        test: test rows are scored.
    """

    train: bool
    examples: bool
    validation: bool
    test: bool


@dataclass(frozen=True)
class DataConfig:
    """Where codes and texts come from, and how they are divided.

    Attributes:
        source: auto, census, folder or package.
        folder: directory with the Census workbooks, for ``folder`` and ``auto``.
        cache: directory in which downloads are kept.
        base_url: address of a mirror of the Census workbooks; null for the Census Bureau's.
        http: how workbooks are fetched.
        roles: how index entries and codes are divided.
        plain_language: uses of the plain-language corpus.
    """

    source: str
    folder: str | None
    cache: str
    base_url: str | None
    http: HttpSettings
    roles: RolesConfig
    plain_language: PlainLanguageConfig

    def __post_init__(self) -> None:
        _one_of('data.source', self.source, SOURCE_KINDS)
        if self.source == 'folder' and not self.folder:
            raise ConfigError(
                'data.source=folder needs data.folder, the directory that holds the workbooks'
            )


@dataclass(frozen=True)
class BackboneConfig:
    """The sentence encoder that everything starts from.

    Attributes:
        name: a hub name, or a local folder. The default is read from an installed package.
        revision: commit of a hub model; required for any hub name that no package carries.
        window: tokens kept of each text.
        frozen_layers: lower layers without adapters, whose outputs are computed once and kept.
        batch_tokens: tokens in one inference batch, padding included.
    """

    name: str
    revision: str | None
    window: int
    frozen_layers: int
    batch_tokens: int


@dataclass(frozen=True)
class ConstructionConfig:
    """The training-free embedding of the tree that the table starts from.

    Attributes:
        tau: length of an edge, in units of the curvature radius.
        spread: 0 keeps the texts' own similarities within a family, 1 puts siblings apart.
        turn: angle in radians between a child's direction and its parent's.
        shrink: factor applied to the tangents when the table is initialised.
    """

    tau: float
    spread: float
    turn: float
    shrink: float


@dataclass(frozen=True)
class ModelConfig:
    """The space and the encoder that maps a text into it.

    Attributes:
        dim: dimensions of the Lorentz space.
        curvature: c > 0; the space has curvature −c.
        r_max: bound on the distance from the origin.
        adapter_rank: rank of the LoRA adapter.
        adapter_alpha: scale of the adapter, alpha / rank.
        adapter_dropout: dropout on the adapter's input.
        channels: texts of a code whose mean places it.
        channel_tokens: tokens kept of a channel text when a code is placed by its texts.
        head_ridge: penalty of the regression that the head starts from.
    """

    dim: int
    curvature: float
    r_max: float
    adapter_rank: int
    adapter_alpha: float
    adapter_dropout: float
    channels: tuple[str, ...]
    channel_tokens: int
    head_ridge: float

    def __post_init__(self) -> None:
        if self.dim < 2:
            raise ConfigError(f'model.dim must be at least 2, not {self.dim}')
        if not 0.1 <= self.curvature <= 10:
            raise ConfigError(f'model.curvature must lie in [0.1, 10], not {self.curvature:g}')
        if not self.channels:
            raise ConfigError('model.channels must name at least one channel')
        for channel in self.channels:
            _one_of('model.channels', channel, CHANNELS)


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the training objective.

    Attributes:
        temperature: initial factor on the negated distance in the cross-entropy; learned.
        stress: weight of the tree term.
        stress_codes: codes drawn at each step, all pairs of which enter the tree term.
        near_distance: all pairs up to this tree distance enter the tree term at every step.
        near_weight: weight of those near pairs beside the drawn ones.
        placement: weight of the cross-entropy that places a code by its channels' mean.
        placed_codes: codes placed at each step.
    """

    temperature: float
    stress: float
    stress_codes: int
    near_distance: int
    near_weight: float
    placement: float
    placed_codes: int


@dataclass(frozen=True)
class QueriesConfig:
    """Which texts are training queries, beside the index entries.

    Attributes:
        titles: titles of supervised codes.
        descriptions: first sentences of descriptions.
        redirections: activity phrases of cross references, labelled with the code they lead to.
    """

    titles: bool
    descriptions: bool
    redirections: bool


@dataclass(frozen=True)
class HealthConfig:
    """When training stops because its numbers can no longer be trusted.

    Attributes:
        residual: largest relative residual of the hyperboloid equation.
        bound_share: largest share of codes at the radius bound.
        min_rank: smallest effective rank of the tangent vectors.
    """

    residual: float
    bound_share: float
    min_rank: float


@dataclass(frozen=True)
class TrainingConfig:
    """The optimisation.

    Attributes:
        epochs: passes over the training queries.
        batch: queries a step.
        lr_adapter: peak learning rate of the adapter.
        lr_head: peak learning rate of the head.
        lr_table: peak learning rate of the table of code tangents.
        lr_temperature: peak learning rate of the log temperature.
        weight_decay: decay of adapter and head; the table and the temperature have none.
        warmup: share of the steps over which learning rates rise; then they fall as a cosine.
        clip: largest norm of the gradient.
        patience: epochs without a better validation figure before training stops.
        max_queries: at most this many training queries; null for all.
        accelerator: where Lightning trains: auto, cpu or gpu.
        precision: Lightning's precision of the transformer; the geometry never leaves float64.
        queries: texts used as training queries.
        health: limits that stop a run.
    """

    epochs: int
    batch: int
    lr_adapter: float
    lr_head: float
    lr_table: float
    lr_temperature: float
    weight_decay: float
    warmup: float
    clip: float
    patience: int
    max_queries: int | None
    accelerator: str
    precision: str
    queries: QueriesConfig
    health: HealthConfig

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f'training.epochs must be at least 1, not {self.epochs}')
        if self.batch < 2:
            raise ConfigError(f'training.batch must be at least 2, not {self.batch}')
        _one_of('training.accelerator', self.accelerator, ('auto', 'cpu', 'gpu'))


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured beside the retrieval figures.

    Attributes:
        norm_weight: weight of the radius in the norm-aware ancestor score.
        chunk: rows of the distance matrix computed at a time.
        compared: names of the baselines that are fitted in the same run.
        baselines: their values.
    """

    norm_weight: float
    chunk: int
    compared: tuple[str, ...]
    baselines: BaselineSettings


@dataclass(frozen=True)
class TrackingConfig:
    """MLflow.

    Attributes:
        uri: tracking URI; null for a SQLite file under the artifact root.
        experiment: name of the experiment.
    """

    uri: str | None
    experiment: str


@dataclass(frozen=True)
class RuntimeConfig:
    """The machine.

    Attributes:
        root: directory under which every stage writes; it also holds locks and results.
        seed: seed of every draw.
        threads: CPU threads; null for the number of cores.
        promote: whether the run's table becomes the one that ``naics-embed search`` uses.
    """

    root: str
    seed: int
    threads: int | None
    promote: bool


@dataclass(frozen=True)
class Config:
    """Everything a run depends on."""

    data: DataConfig
    triplets: TripletSettings
    backbone: BackboneConfig
    construction: ConstructionConfig
    model: ModelConfig
    objective: ObjectiveConfig
    training: TrainingConfig
    evaluation: EvaluationConfig
    tracking: TrackingConfig
    runtime: RuntimeConfig


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f'{key} must be one of {", ".join(allowed)}, not {value!r}')


def _share(key: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ConfigError(f'{key} must lie between 0 and 1, not {value:g}')
