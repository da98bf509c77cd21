"""Sections of the configuration that shape the text model's training.

A term of the objective has a weight and a schedule in shares of the whole run: 0 is its first step
and 1 its end. A weight of 0 switches a term off, and then it is not computed.
"""

from dataclasses import dataclass

from naics_embed.config.checks import one_of, require
from naics_embed.errors import ConfigError
from naics_embed.text.linear_settings import LinearTeacherSettings

FUSIONS = ('masked_mean', 'attention', 'experts')
FALSE_NEGATIVES = ('repel', 'mask', 'attract', 'both')


@dataclass(frozen=True)
class ScheduleConfig:
    """When a term acts, in shares of the run.

    Attributes:
        start: where it begins.
        end: where it ends.
        ramp: share over which it rises linearly after ``start``.
        fade: share over which it falls linearly before ``end``.
    """

    start: float
    end: float
    ramp: float
    fade: float

    def __post_init__(self) -> None:
        kept = 0 <= self.start < self.end <= 1
        span = (self.start, self.end)
        require(kept, 'start, end of a term', span, 'in order and in [0, 1]')
        for name in ('ramp', 'fade'):
            share = getattr(self, name)
            require(0 <= share <= 1, f'{name} of a term', share, 'in [0, 1]')


@dataclass(frozen=True)
class TermConfig(ScheduleConfig):
    """A term of the objective.

    Attributes:
        weight: its weight; 0 switches it off.
    """

    weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 0, 'weight of a term', self.weight, 'at least 0')


@dataclass(frozen=True)
class ContrastiveConfig(TermConfig):
    """Decoupled contrastive learning between codes.

    Attributes:
        temperature: factor on the distance.
        positive_distance: largest D* of a positive.
    """

    temperature: float
    positive_distance: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, 'objective.dcl.temperature', self.temperature, 'positive')
        least = self.positive_distance
        require(least >= 1, 'objective.dcl.positive_distance', least, 'at least 1')


@dataclass(frozen=True)
class DistillationConfig(TermConfig):
    """Answers as a linear classifier of the frozen texts gives them.

    Attributes:
        mix: largest share of another text that a text is mixed with.
        noise: expected length of the noise on the mixed embedding.
        classifier: how that classifier is fitted.
    """

    mix: float
    noise: float
    classifier: LinearTeacherSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        name = 'objective.distillation'
        require(0 <= self.mix <= 1, f'{name}.mix', self.mix, 'in [0, 1]')
        require(self.noise >= 0, f'{name}.noise', self.noise, 'at least 0')
        fitted = self.classifier
        for key in ('epochs', 'batch'):
            count = getattr(fitted, key)
            require(count >= 1, f'{name}.classifier.{key}', count, 'at least 1')
        for key in ('lr', 'scale'):
            value = getattr(fitted, key)
            require(value > 0, f'{name}.classifier.{key}', value, 'positive')
        dropped = fitted.dropout
        require(0 <= dropped < 1, f'{name}.classifier.dropout', dropped, 'in [0, 1)')


@dataclass(frozen=True)
class RankConfig(TermConfig):
    """Order of distances within lists of codes.

    Attributes:
        temperature: distance by which an inversion counts fully.
        anchors: lists in a step.
        listed: codes in a list.
    """

    temperature: float
    anchors: int
    listed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, 'objective.rank.temperature', self.temperature, 'positive')
        for name in ('anchors', 'listed'):
            count = getattr(self, name)
            require(count >= 2, f'objective.rank.{name}', count, 'at least 2')


@dataclass(frozen=True)
class HuberConfig(TermConfig):
    """A Huber loss.

    Attributes:
        delta: deviation at which it turns from quadratic to linear.
    """

    delta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.delta > 0, 'delta of a term', self.delta, 'positive')


@dataclass(frozen=True)
class ConeConfig(TermConfig):
    """Entailment cones.

    Attributes:
        aperture: K, how wide cones are.
    """

    aperture: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.aperture > 0, 'objective.cone.aperture', self.aperture, 'positive')


@dataclass(frozen=True)
class RetrievalConfig:
    """Options of the query → code cross-entropy.

    Attributes:
        weight: of the cross-entropy itself.
        ancestor_credit: weight of the cross-entropies at the levels above, whose right answers are
            the ancestors; 0 switches them off.
        forced_negatives: as how many candidates the code counts from which an activity phrase was
            redirected; 0 leaves it as it is.
    """

    weight: float
    ancestor_credit: float
    forced_negatives: float

    def __post_init__(self) -> None:
        require(self.weight > 0, 'objective.retrieval.weight', self.weight, 'positive')
        for name in ('ancestor_credit', 'forced_negatives'):
            weight = getattr(self, name)
            require(weight >= 0, f'objective.retrieval.{name}', weight, 'at least 0')


@dataclass(frozen=True)
class FusionConfig:
    """How the channels of a code become one embedding.

    Attributes:
        kind: masked_mean, attention or experts.
        experts: number of experts.
        top: experts that a channel is sent to.
        hidden: hidden units of an expert.
    """

    kind: str
    experts: int
    top: int
    hidden: int

    def __post_init__(self) -> None:
        one_of('model.fusion.kind', self.kind, FUSIONS)
        require(self.hidden >= 1, 'model.fusion.hidden', self.hidden, 'at least 1')
        wanted = f'from 1 to model.fusion.experts, which is {self.experts}'
        require(1 <= self.top <= self.experts, 'model.fusion.top', self.top, wanted)


@dataclass(frozen=True)
class WarmConfig:
    """Training of heads and table alone, on frozen embeddings, before the adapters'.

    Attributes:
        epochs: at most this many; 0 leaves the stage out.
        least_steps: more epochs where these have fewer steps, as with titles only.
        only_below: with fewer training queries than this, no adapters are trained after it.
        batch: queries a step.
        lr_head: peak learning rate of head and fusion.
        lr_table: peak learning rate of the table or the offsets.
        lr_temperature: peak learning rate of the log temperature.
        patience: epochs without a better validation figure before the stage ends.
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
        share, noise = self.embedding_dropout, self.embedding_noise
        require(0 <= share < 1, 'training.warm.embedding_dropout', share, 'in [0, 1)')
        require(noise >= 0, 'training.warm.embedding_noise', noise, 'at least 0')
        every = self.validate_every
        # The last epoch must be among those that are validated.
        fits = every >= 1 and self.epochs % every == 0
        require(fits, 'training.warm.validate_every', every, 'a divisor of training.warm.epochs')
        for name, least in (
            ('epochs', 0),
            ('least_steps', 0),
            ('only_below', 0),
            ('batch', 2),
            ('patience', 0),
        ):
            count = getattr(self, name)
            require(count >= least, f'training.warm.{name}', count, f'at least {least}')
        for name in ('lr_head', 'lr_table', 'lr_temperature', 'distillation'):
            rate = getattr(self, name)
            require(rate >= 0, f'training.warm.{name}', rate, 'at least 0')


@dataclass(frozen=True)
class CurriculumConfig:
    """Three phases of negatives: structural initialisation, geometric refinement, mitigation.

    Attributes:
        enabled: whether negatives follow the phases; if not, all count alike in all of the run.
        refinement: share of the run at which the second phase begins at the latest.
        mitigation: share of the run at which the third phase begins at the latest.
        plateau: epochs without a better validation figure that end a phase early; 0 for never.
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
        shares = (self.refinement, self.mitigation)
        kept = 0 <= self.refinement <= self.mitigation <= 1
        wanted = 'in order and in [0, 1]'
        require(kept, 'curriculum.refinement and curriculum.mitigation', shares, wanted)
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
