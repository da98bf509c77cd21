"""The terms of the training objective.

A term has a weight and a schedule in fractions of the whole run: 0 is its first step and 1 its end.
A weight of 0 switches a term off, and then it is not computed.
"""

from dataclasses import dataclass

from naics_embed.config.validation import require
from naics_embed.text.linear_settings import LinearTeacherSettings


@dataclass(frozen=True)
class ScheduleConfig:
    """When a term acts, in fractions of the run.

    Attributes:
        start: where it begins.
        end: where it ends.
        ramp: fraction over which it rises linearly after ``start``.
        fade: fraction over which it falls linearly before ``end``.
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
            fraction = getattr(self, name)
            require(0 <= fraction <= 1, f'{name} of a term', fraction, 'in [0, 1]')


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
        mix: largest fraction of another text that a text is mixed with.
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
class RetrievalConfig(TermConfig):
    """The query → code cross-entropy; its weight is positive.

    Attributes:
        ancestor_credit: weight of the cross-entropies at the levels above, whose right answers are
            the ancestors, by the same schedule; 0 switches them off.
        forced_negatives: as how many candidates the code counts from which an activity phrase was
            redirected, at least 1; 0 leaves it as it is.
    """

    ancestor_credit: float
    forced_negatives: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, 'objective.retrieval.weight', self.weight, 'positive')
        credit, forced = self.ancestor_credit, self.forced_negatives
        require(credit >= 0, 'objective.retrieval.ancestor_credit', credit, 'at least 0')
        # Below 1 it would count for less than the other candidates.
        kept = forced == 0 or forced >= 1
        require(kept, 'objective.retrieval.forced_negatives', forced, '0, or at least 1')


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
        placement: weight of the cross-entropy that finds a code by the mean of its channels.
        placed_codes: codes embedded from their channels at each step.
        stress_schedule: when the tree term acts.
        placement_schedule: when placement acts.
        retrieval: the query → code cross-entropy.
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
        require(self.temperature > 0, 'objective.temperature', self.temperature, 'positive')
        for name in ('stress', 'near_weight', 'placement'):
            weight = getattr(self, name)
            require(weight >= 0, f'objective.{name}', weight, 'at least 0')
        for name, least in (
            ('stress_codes', 2),
            ('near_distance', 1),
            ('near_pairs', 1),
            ('placed_codes', 1),
        ):
            count = getattr(self, name)
            ok = count is None or count >= least
            require(ok, f'objective.{name}', count, f'at least {least}')
