"""The schema of the configuration: one frozen dataclass a section, checked when it is made.

Values live in ``configs/``; a field without a default must be given there.
"""

import math
from dataclasses import dataclass

from naics_embed.baselines.settings import BASELINES, BaselineSettings
from naics_embed.census.download import HttpSettings
from naics_embed.config.atlas import AtlasConfig
from naics_embed.config.batch import BatchConfig
from naics_embed.config.checks import one_of as _one_of
from naics_embed.config.checks import require as _require
from naics_embed.config.refinement import GraphConfig, PromotionConfig, RegressionConfig
from naics_embed.config.report import ReportConfig
from naics_embed.config.service import ServiceConfig
from naics_embed.config.text import (
    ConeConfig,
    ContrastiveConfig,
    CurriculumConfig,
    DistillationConfig,
    FusionConfig,
    HuberConfig,
    RankConfig,
    RetrievalConfig,
    ScheduleConfig,
    TermConfig,
    WarmConfig,
)
from naics_embed.errors import ConfigError
from naics_embed.evidence.settings import EvidenceSettings, FusionSettings
from naics_embed.supervision.sampling import TripletSettings

SOURCE_KINDS = ('auto', 'census', 'folder', 'package')
CHANNELS = ('title', 'description', 'examples', 'excluded')
PRECISIONS = ('32-true', 'bf16-mixed', '16-mixed')
MODES = ('frozen', 'adapters', 'full')
CODE_POINTS = ('table', 'text', 'text+offset')
OFFSET_STARTS = ('zero', 'construction')
GEOMETRIES = ('lorentz', 'euclidean', 'spherical')
SCHEDULES = ('cosine', 'plateau')
LEAF_DEPTH = 5
"""Edges from the virtual root to a six-digit code."""


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
        for role in ('examples', 'validation', 'test'):
            share = getattr(self, role)
            _require(share >= 0, f'data.roles.{role}', share, 'at least 0')
        _require(self.train > 0, 'data.roles.train', self.train, 'above 0')
        _require(0 < self.jaccard <= 1, 'data.roles.jaccard', self.jaccard, 'in (0, 1]')
        hidden = self.structure_holdout
        _require(0 <= hidden < 1, 'data.roles.structure_holdout', hidden, 'in [0, 1)')


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

    def __post_init__(self) -> None:
        _require(self.window >= 3, 'backbone.window', self.window, 'at least 3')
        _require(
            self.frozen_layers >= 0, 'backbone.frozen_layers', self.frozen_layers, 'at least 0'
        )
        _require(self.batch_tokens >= 1, 'backbone.batch_tokens', self.batch_tokens, 'at least 1')


@dataclass(frozen=True)
class ConstructionConfig:
    """The training-free embedding of the tree that the table starts from.

    Attributes:
        tau: geodesic length of an edge.
        spread: 0 keeps the texts' own similarities within a family, 1 puts siblings apart.
        turn: angle in radians between a child's direction and its parent's.
        shrink: factor applied to the tangents when the table is initialised.
    """

    tau: float
    spread: float
    turn: float
    shrink: float

    def __post_init__(self) -> None:
        _require(self.tau > 0, 'construction.tau', self.tau, 'positive')
        _require(0 <= self.spread <= 1, 'construction.spread', self.spread, 'in [0, 1]')
        _require(0 < self.turn <= math.pi / 2, 'construction.turn', self.turn, 'in (0, π/2]')
        _require(0 < self.shrink <= 1, 'construction.shrink', self.shrink, 'in (0, 1]')


@dataclass(frozen=True)
class ModelConfig:
    """The space and the encoder that maps a text into it.

    Attributes:
        dim: dimensions of the Lorentz space.
        curvature: c > 0; the space has curvature −c.
        learn_curvature: whether c is learned from there, within [0.1, 10].
        r_max: bound on the distance from the origin, of codes and texts alike; a wide one lets
            texts run out to it, far from the codes they belong to.
        adapter_rank: rank of the LoRA adapter.
        adapter_alpha: scale of the adapter, alpha / rank.
        adapter_dropout: dropout on the adapter's input.
        dropout: dropout of the adapted layers; null for the backbone's own.
        channels: texts of a code whose mean places it.
        channel_tokens: tokens kept of a channel text when a code is placed by its texts.
        head_ridge: penalty of the regression that the head starts from.
        placement_ridge: penalty of the regression that places codes which only texts place.
        head_units: size of the head's hidden layer; null for that of an embedding.
        embedding_dropout: share of a sentence embedding dropped in training, before the head.
        embedding_noise: expected length of the Gaussian added to it in training.
        mode: what is trained beside head and table: ``frozen`` nothing, ``adapters`` LoRA, ``full``
            the layers above the frozen ones.
        shared_adapter: one adapter for queries and channels, in place of one each.
        checkpointing: recompute the layers in the backward pass; less memory, more time.
        code_points: where a code lies: ``table`` a free point, ``text`` where its channels put it,
            ``text+offset`` there, moved by a penalised offset of its own.
        offset_start: offsets begin at ``zero``, or so that codes begin at the ``construction``.
        geometry: lorentz; euclidean and spherical serve comparisons and are not exported.
        fusion: how the channels of a code become one embedding.
    """

    dim: int
    curvature: float
    learn_curvature: bool
    r_max: float
    adapter_rank: int
    adapter_alpha: float
    adapter_dropout: float
    dropout: float | None
    channels: tuple[str, ...]
    channel_tokens: int
    head_ridge: float
    placement_ridge: float
    head_units: int | None
    embedding_dropout: float
    embedding_noise: float
    mode: str
    shared_adapter: bool
    checkpointing: bool
    code_points: str
    offset_start: str
    geometry: str
    fusion: FusionConfig

    def __post_init__(self) -> None:
        _require(self.dim >= 3, 'model.dim', self.dim, 'at least 3')
        _require(0.1 <= self.curvature <= 10, 'model.curvature', self.curvature, 'in [0.1, 10]')
        _require(0 < self.r_max < math.inf, 'model.r_max', self.r_max, 'positive')
        _require(self.adapter_rank >= 1, 'model.adapter_rank', self.adapter_rank, 'at least 1')
        units, noise = self.head_units, self.embedding_noise
        _require(units is None or units >= 1, 'model.head_units', units, 'at least 1')
        _require(noise >= 0, 'model.embedding_noise', noise, 'at least 0')
        for name in ('adapter_dropout', 'dropout', 'embedding_dropout'):
            share = getattr(self, name)
            _require(share is None or 0 <= share < 1, f'model.{name}', share, 'in [0, 1)')
        tokens = self.channel_tokens
        _require(tokens >= 1, 'model.channel_tokens', tokens, 'at least 1')
        for name in ('head_ridge', 'placement_ridge'):
            penalty = getattr(self, name)
            _require(penalty > 0, f'model.{name}', penalty, 'positive')
        if not self.channels:
            raise ConfigError('model.channels must name at least one channel')
        for channel in self.channels:
            _one_of('model.channels', channel, CHANNELS)
        _one_of('model.mode', self.mode, MODES)
        _one_of('model.code_points', self.code_points, CODE_POINTS)
        _one_of('model.offset_start', self.offset_start, OFFSET_STARTS)
        _one_of('model.geometry', self.geometry, GEOMETRIES)
        if self.learn_curvature and self.geometry != 'lorentz':
            raise ConfigError('model.learn_curvature needs model.geometry=lorentz')
        if self.geometry == 'spherical':
            reach = math.pi / math.sqrt(self.curvature)
            wanted = f'below {reach:.3f} on a sphere'
            _require(self.r_max < reach, 'model.r_max', self.r_max, wanted)


@dataclass(frozen=True)
class ObjectiveConfig:
    """Weights of the training objective.

    Attributes:
        temperature: initial factor on the negated distance in the cross-entropy; learned.
        stress: weight of the tree term.
        stress_codes: codes drawn at each step, all pairs of which enter the tree term.
        near_distance: pairs up to this tree distance have a tree term of their own.
        near_pairs: at most so many of them, drawn, enter it at a step; None for all.
        near_weight: weight of those near pairs beside the drawn ones.
        placement: weight of the cross-entropy that places a code by its channels' mean.
        placed_codes: codes placed at each step.
        stress_schedule: when the tree term acts.
        placement_schedule: when placement acts.
        retrieval: options of the query → code cross-entropy.
        dcl: decoupled contrast between codes.
        hierarchy: correlation of distances with D*.
        rank: order of distances by D*.
        radial: radius by level.
        cone: children in the entailment cones of their parents.
        offset: penalty on the codes' own offsets, for ``model.code_points=text+offset``.
        balance: even load of the experts, for ``model.fusion.kind=experts``.
        teacher: codes near the points of the construction.
        anchor: sentence embeddings near those of the frozen backbone.
        distillation: answers as a linear classifier of the frozen texts gives them.
    """

    temperature: float
    stress: float
    stress_codes: int
    near_distance: int
    near_pairs: int | None
    near_weight: float
    placement: float
    placed_codes: int
    stress_schedule: ScheduleConfig
    placement_schedule: ScheduleConfig
    retrieval: RetrievalConfig
    dcl: ContrastiveConfig
    hierarchy: TermConfig
    rank: RankConfig
    radial: HuberConfig
    cone: ConeConfig
    offset: TermConfig
    balance: TermConfig
    teacher: HuberConfig
    anchor: TermConfig
    distillation: DistillationConfig

    def __post_init__(self) -> None:
        _require(self.temperature > 0, 'objective.temperature', self.temperature, 'positive')
        for name in ('stress', 'near_weight', 'placement'):
            weight = getattr(self, name)
            _require(weight >= 0, f'objective.{name}', weight, 'at least 0')
        for name, least in (
            ('stress_codes', 2),
            ('near_distance', 1),
            ('near_pairs', 1),
            ('placed_codes', 1),
        ):
            count = getattr(self, name)
            ok = count is None or count >= least
            _require(ok, f'objective.{name}', count, f'at least {least}')


@dataclass(frozen=True)
class QueriesConfig:
    """Which texts are training queries, beside the index entries.

    Attributes:
        titles: titles of supervised codes.
        descriptions: first sentences of descriptions.
        redirections: activity phrases of cross references, labelled with the code they lead to.
        examples: the index entries that the examples channel holds, each by itself.
        plain_repeats: times that a row of the plain-language corpus is read in an epoch.
    """

    titles: bool
    descriptions: bool
    redirections: bool
    examples: bool
    plain_repeats: int

    def __post_init__(self) -> None:
        repeats = self.plain_repeats
        _require(repeats >= 1, 'training.queries.plain_repeats', repeats, 'at least 1')


@dataclass(frozen=True)
class HealthConfig:
    """When training stops because its numbers can no longer be trusted.

    Attributes:
        residual: largest relative residual of the hyperboloid equation.
        bound_share: largest share of codes at the radius bound.
        min_rank: smallest effective rank of the tangent vectors.
        min_radius_q05: least 5 % quantile of the radius; null for no bound.
        max_radius_q95: greatest 95 % quantile of the radius; null for no bound.
    """

    residual: float
    bound_share: float
    min_rank: float
    min_radius_q05: float | None
    max_radius_q95: float | None


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
        schedule: after the warm-up, ``cosine`` decay, or ``plateau``: a smaller rate each time that
            validation stops improving.
        plateau_factor: factor on the rates at each such time.
        plateau_patience: epochs without a better figure before it.
        accumulate: batches whose gradients make one optimiser step.
        gradient_norms: log the gradient norm of each term every so many steps; 0 for never.
        refresh_steps: encode the channels of all codes anew every so many steps, where code points
            come from texts; 0 for once an epoch.
        part_cost: texts of a step are padded in parts by length; a part more must save this many
            tokens. Small on a CPU; on a GPU, where a part more is a pass more, large.
        warm: training of heads and table on frozen embeddings before this one.
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
    schedule: str
    plateau_factor: float
    plateau_patience: int
    accumulate: int
    gradient_norms: int
    refresh_steps: int
    part_cost: int
    warm: WarmConfig

    def __post_init__(self) -> None:
        for name, least in (
            ('accumulate', 1),
            ('gradient_norms', 0),
            ('refresh_steps', 0),
            ('part_cost', 0),
        ):
            count = getattr(self, name)
            _require(count >= least, f'training.{name}', count, f'at least {least}')
        _one_of('training.schedule', self.schedule, SCHEDULES)
        factor = self.plateau_factor
        _require(0 < factor < 1, 'training.plateau_factor', factor, 'between 0 and 1')
        for name, least in (('epochs', 1), ('batch', 2), ('patience', 0), ('max_queries', 1)):
            count = getattr(self, name)
            _require(
                count is None or count >= least, f'training.{name}', count, f'at least {least}'
            )
        rates = ('lr_adapter', 'lr_head', 'lr_table', 'lr_temperature', 'weight_decay', 'clip')
        for name in rates:
            rate = getattr(self, name)
            _require(rate >= 0, f'training.{name}', rate, 'at least 0')
        _require(0 <= self.warmup <= 1, 'training.warmup', self.warmup, 'in [0, 1]')
        _one_of('training.accelerator', self.accelerator, ('auto', 'cpu', 'gpu'))
        _one_of('training.precision', self.precision, PRECISIONS)


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

    def __post_init__(self) -> None:
        _require(self.chunk >= 1, 'evaluation.chunk', self.chunk, 'at least 1')
        for name in self.compared:
            _one_of('evaluation.compared', name, BASELINES)


@dataclass(frozen=True)
class CoderConfig:
    """The hybrid search.

    Attributes:
        evidence: how known texts are indexed.
        fusion: how the weights of the scores are fitted.
        confidence: probability that a code must pass in the back-off figures.
    """

    evidence: EvidenceSettings
    fusion: FusionSettings
    confidence: float

    def __post_init__(self) -> None:
        _require(0 < self.confidence <= 1, 'coder.confidence', self.confidence, 'in (0, 1]')


@dataclass(frozen=True)
class TrackingConfig:
    """MLflow.

    Attributes:
        uri: tracking URI; null for MLFLOW_TRACKING_URI, else a SQLite file under the artifact root.
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

    def __post_init__(self) -> None:
        _require(self.seed >= 0, 'runtime.seed', self.seed, 'at least 0')
        threads = self.threads
        _require(threads is None or threads >= 1, 'runtime.threads', threads, 'at least 1')


@dataclass(frozen=True)
class PlatformConfig:
    """Where stages run.

    Attributes:
        text_training: deployment that trains, such as ``text-training/gpu``; null for this process.
        share: address where hosts find each other's outputs, such as ``s3://bucket/folder``; null
            where they share the artifact root, or nothing.
        stage_timeout_s: seconds after which a stage is stopped and the run fails; null for no
            limit.
    """

    text_training: str | None
    share: str | None
    stage_timeout_s: float | None

    def __post_init__(self) -> None:
        name = self.text_training
        _require(
            name is None or len([part for part in name.split('/') if part]) == 2,
            'platform.text_training',
            name,
            'null or FLOW/DEPLOYMENT, such as text-training/gpu',
        )
        share = self.share
        _require(
            share is None or '://' in share,
            'platform.share',
            share,
            'null or an address that fsspec knows, such as s3://bucket/folder',
        )
        limit = self.stage_timeout_s
        _require(
            limit is None or limit > 0, 'platform.stage_timeout_s', limit, 'null or seconds above 0'
        )


@dataclass(frozen=True)
class Config:
    """Everything a run depends on."""

    data: DataConfig
    triplets: TripletSettings
    backbone: BackboneConfig
    construction: ConstructionConfig
    model: ModelConfig
    objective: ObjectiveConfig
    curriculum: CurriculumConfig
    training: TrainingConfig
    graph: GraphConfig
    evaluation: EvaluationConfig
    regression: RegressionConfig
    promotion: PromotionConfig
    coder: CoderConfig
    report: ReportConfig
    atlas: AtlasConfig
    batch: BatchConfig
    tracking: TrackingConfig
    runtime: RuntimeConfig
    platform: PlatformConfig
    service: ServiceConfig

    def __post_init__(self) -> None:
        # The leaves lie one edge a level from the origin.
        reach = LEAF_DEPTH * self.construction.tau * self.construction.shrink
        if reach >= self.model.r_max:
            raise ConfigError(
                f'model.r_max must be above {reach:g}, where the construction puts the leaves '
                f'(5 edges of construction.tau, times construction.shrink), not {self.model.r_max}'
            )
