"""The optimisation of the text model."""

from dataclasses import dataclass

from naics_embed.errors import ConfigError
from naics_embed.value_checks import one_of, require

PRECISIONS = ('32-true', 'bf16-mixed', '16-mixed')
SCHEDULES = ('cosine', 'plateau')
FALSE_NEGATIVES = ('repel', 'mask', 'attract', 'both')


@dataclass(frozen=True)
class QueriesConfig:
    """Which texts are training queries, beside the index entries.

    Attributes:
        titles: titles of supervised codes.
        descriptions: first sentences of descriptions.
        redirections: activity phrases of cross references, labelled with the code they lead to.
        examples: the index entries that the examples channel holds, each by itself.
        plain_repeats: times that a row of the plain-language corpus is read in an epoch.
        most_words: longer texts are no training queries, since one costs as much as ten short ones;
            they stay evidence. None for no limit.
    """

    titles: bool
    descriptions: bool
    redirections: bool
    examples: bool
    plain_repeats: int
    most_words: int | None

    def __post_init__(self) -> None:
        repeats = self.plain_repeats
        require(repeats >= 1, 'training.queries.plain_repeats', repeats, 'at least 1')
        most = self.most_words
        kept = most is None or most >= 1
        require(kept, 'training.queries.most_words', most, 'at least 1 or null')


@dataclass(frozen=True)
class HealthConfig:
    """When training stops because its numbers can no longer be trusted.

    Attributes:
        residual: largest relative residual of the hyperboloid equation.
        bound_fraction: largest fraction of codes at the radius bound.
        min_rank: smallest effective rank of the tangent vectors.
        min_radius_q05: least 5 % quantile of the radius; null for no bound.
        max_radius_q95: greatest 95 % quantile of the radius; null for no bound.
    """

    residual: float
    bound_fraction: float
    min_rank: float
    min_radius_q05: float | None
    max_radius_q95: float | None


@dataclass(frozen=True)
class HeadOnlyConfig:
    """Training of heads and table alone, on frozen embeddings, before the adapters'.

    Attributes:
        epochs: at most this many; 0 leaves the stage out.
        least_steps: more epochs where these have fewer steps, as with titles only.
        only_below: with fewer training queries than this, no adapters are trained after it.
        batch: queries a step.
        lr_head: peak learning rate of head and fusion.
        lr_table: peak learning rate of the table or the offsets.
        lr_temperature: peak learning rate of the log temperature.
        patience: validations without a better metric before the stage ends.
        embedding_dropout: like `ModelConfig.embedding_dropout`, for this training.
        embedding_noise: like `ModelConfig.embedding_noise`, for this training.
        distillation: ``objective.distillation.weight`` for this training.
        validate_every: epochs between two validations.
    """

    epochs: int
    least_steps: int
    only_below: int
    batch: int
    lr_head: float
    lr_table: float
    lr_temperature: float
    patience: int
    embedding_dropout: float
    embedding_noise: float
    distillation: float
    validate_every: int

    def __post_init__(self) -> None:
        fraction, noise = self.embedding_dropout, self.embedding_noise
        require(0 <= fraction < 1, 'training.head_only.embedding_dropout', fraction, 'in [0, 1)')
        require(noise >= 0, 'training.head_only.embedding_noise', noise, 'at least 0')
        every = self.validate_every
        # The last epoch must be among those that are validated.
        fits = every >= 1 and self.epochs % every == 0
        require(
            fits,
            'training.head_only.validate_every',
            every,
            'a divisor of training.head_only.epochs',
        )
        for name, least in (
            ('epochs', 0),
            ('least_steps', 0),
            ('only_below', 0),
            ('batch', 2),
            ('patience', 0),
        ):
            count = getattr(self, name)
            require(count >= least, f'training.head_only.{name}', count, f'at least {least}')
        for name in ('lr_head', 'lr_table', 'lr_temperature', 'distillation'):
            rate = getattr(self, name)
            require(rate >= 0, f'training.head_only.{name}', rate, 'at least 0')


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
        warmup: fraction of the steps over which learning rates rise; then they fall as a cosine.
        clip: largest norm of the gradient.
        patience: validations without a better metric before training stops.
        max_queries: at most this many training queries; null for all.
        accelerator: where Lightning trains: auto, cpu or gpu.
        precision: Lightning's precision of the transformer; the geometry never leaves float64.
        queries: texts used as training queries.
        health: limits that stop a run.
        schedule: after the warm-up, ``cosine`` decay, or ``plateau``: a smaller rate each time that
            validation stops improving.
        plateau_factor: factor on the rates at each such time.
        plateau_patience: validations without a better metric before it.
        accumulate: batches whose gradients make one optimiser step.
        gradient_norms: log the gradient norm of each term in the first batch of an epoch and every
            so many after it; 0 for never.
        refresh_steps: encode the channels of all codes again every so many steps, where code points
            come from texts; 0 for once an epoch.
        part_cost: texts of a step are padded in parts by length; a part more must save this many
            tokens. Small on a CPU; on a GPU, where a part more is a pass more, large.
        head_only: training of heads and table on frozen embeddings before this one.
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
    head_only: HeadOnlyConfig

    def __post_init__(self) -> None:
        for name, least in (
            ('accumulate', 1),
            ('gradient_norms', 0),
            ('refresh_steps', 0),
            ('part_cost', 0),
        ):
            count = getattr(self, name)
            require(count >= least, f'training.{name}', count, f'at least {least}')
        one_of('training.schedule', self.schedule, SCHEDULES)
        factor = self.plateau_factor
        require(0 < factor < 1, 'training.plateau_factor', factor, 'between 0 and 1')
        for name, least in (('epochs', 1), ('batch', 2), ('patience', 0), ('max_queries', 1)):
            count = getattr(self, name)
            require(count is None or count >= least, f'training.{name}', count, f'at least {least}')
        rates = ('lr_adapter', 'lr_head', 'lr_table', 'lr_temperature', 'weight_decay', 'clip')
        for name in rates:
            rate = getattr(self, name)
            require(rate >= 0, f'training.{name}', rate, 'at least 0')
        require(0 <= self.warmup <= 1, 'training.warmup', self.warmup, 'in [0, 1]')
        one_of('training.accelerator', self.accelerator, ('auto', 'cpu', 'gpu'))
        one_of('training.precision', self.precision, PRECISIONS)


@dataclass(frozen=True)
class CurriculumConfig:
    """Three phases of negatives: structural initialisation, geometric refinement, mitigation.

    Attributes:
        enabled: whether negatives follow the phases; if not, all count alike in all of the run.
        refinement: fraction of the run at which the second phase begins at the latest.
        mitigation: fraction of the run at which the third phase begins at the latest.
        plateau: validations without a better metric that end a phase early; 0 for never.
        distance_exponent: a negative weighs D*^(−exponent), in every phase.
        mask_siblings: whether siblings are no negatives in the first phase.
        hard: nearest negatives that are kept, from the second phase; 0 for all.
        router: kept beside them, negatives that the gate sends to the same experts.
        false_negatives: repel (as any other), mask, attract or both, in the third phase.
        clusters: clusters of codes; a negative of its anchor's cluster counts as a false one.
        iterations: most iterations of the clustering.
        retrieval: whether the query → code cross-entropy follows too, not only the contrast.
    """

    enabled: bool
    refinement: float
    mitigation: float
    plateau: int
    distance_exponent: float
    mask_siblings: bool
    hard: int
    router: int
    false_negatives: str
    clusters: int
    iterations: int
    retrieval: bool

    def __post_init__(self) -> None:
        fractions = (self.refinement, self.mitigation)
        kept = 0 <= self.refinement <= self.mitigation <= 1
        expected = 'in order and in [0, 1]'
        require(kept, 'curriculum.refinement and curriculum.mitigation', fractions, expected)
        for name in ('plateau', 'distance_exponent', 'hard', 'router'):
            value = getattr(self, name)
            require(value >= 0, f'curriculum.{name}', value, 'at least 0')
        for name, least in (('clusters', 2), ('iterations', 1)):
            value = getattr(self, name)
            require(value >= least, f'curriculum.{name}', value, f'at least {least}')
        one_of('curriculum.false_negatives', self.false_negatives, FALSE_NEGATIVES)
        if self.router and not self.hard:
            raise ConfigError(
                'curriculum.router keeps negatives beside the nearest ones: set curriculum.hard'
            )
