"""The part of the schema that refines, compares and promotes tables of codes."""

from dataclasses import dataclass, replace

from naics_embed.errors import ConfigError
from naics_embed.value_checks import one_of, require

EDGE_KINDS = ('parent', 'child', 'sibling', 'redirection')
EXAMPLES = ('simulated', 'breadth')


@dataclass(frozen=True)
class GraphConfig:
    """Refinement of the table over the graph of the taxonomy.

    Attributes:
        edges: who hears whom: parent, child, sibling, redirection.
        layers: Lorentz convolutions.
        attention: whether nearer neighbours weigh more, by a learned factor.
        max_epochs: epochs at most; each ends with a look at validation.
        steps: optimiser steps an epoch.
        queries: training queries drawn a step for the anchor term.
        anchor_queries: training queries that are encoded for it in all.
        triplets: triplets drawn a step.
        stress_codes: codes drawn a step, all pairs of which enter the stress term.
        triplet: weight of the hinge on triplets.
        radius: weight of the radial term.
        stress: weight of the stress between distances and D*.
        anchor: weight of the cross-entropy of queries against the refined codes.
        uncertainty: learn a factor on each weight, from the noise of its term.
        huber_delta: difference from the usual radius of a level from which the pull is constant.
        lr: learning rate of the network.
        lr_curvature: learning rate of the log curvature.
        weight_decay: decay of the message transforms; nothing else has any.
        clip: largest norm of the gradient.
        patience: epochs without a better validation metric before refinement stops.
        tree_weight: weight of the Spearman with D* in the metric that picks the epoch, beside the
            mean MRR over kinds of queries.
        tolerance: largest loss of validation MRR, of any kind of query, that an epoch may cost.
        tree_tolerance: largest loss of the Spearman that an epoch may cost.
        smoothing_fractions: fractions of the way to the neighbours that plain smoothing is tried
            with.
    """

    edges: tuple[str, ...]
    layers: int
    attention: bool
    max_epochs: int
    steps: int
    queries: int
    anchor_queries: int
    triplets: int
    stress_codes: int
    triplet: float
    radius: float
    stress: float
    anchor: float
    uncertainty: bool
    huber_delta: float
    lr: float
    lr_curvature: float
    weight_decay: float
    clip: float
    patience: int
    tree_weight: float
    tolerance: float
    tree_tolerance: float
    smoothing_fractions: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ('layers', 'steps', 'queries', 'anchor_queries', 'triplets'):
            count = getattr(self, name)
            require(count >= 1, f'graph.{name}', count, 'at least 1')
        drawn = self.stress_codes
        require(drawn >= 2, 'graph.stress_codes', drawn, 'at least 2')
        for name in ('triplet', 'radius', 'stress', 'anchor', 'lr', 'lr_curvature', 'clip'):
            value = getattr(self, name)
            require(value >= 0, f'graph.{name}', value, 'at least 0')
        for name in (
            'weight_decay',
            'max_epochs',
            'patience',
            'tree_weight',
            'tolerance',
            'tree_tolerance',
        ):
            value = getattr(self, name)
            require(value >= 0, f'graph.{name}', value, 'at least 0')
        require(self.huber_delta > 0, 'graph.huber_delta', self.huber_delta, 'positive')
        for fraction in self.smoothing_fractions:
            require(0 < fraction < 1, 'graph.smoothing_fractions', fraction, 'in (0, 1)')
        if not self.edges:
            raise ConfigError('graph.edges must name at least one kind of edge')
        for kind in self.edges:
            one_of('graph.edges', kind, EDGE_KINDS)


@dataclass(frozen=True)
class RegressionConfig:
    """What tables are tried on as regressors.

    Attributes:
        outcomes: a parquet file with the columns ``code`` and ``value``; null for an example.
        example: outcomes that the project makes: simulated (rows from known effects), or breadth
            (how many entries the index has for a code, as a logarithm).
        seed: of the simulation and of the folds.
        rows: simulated rows of each code.
        sector: standard deviation of the simulated effect of a sector.
        family: of a four-digit group within it.
        text: of what the frozen text of a code says, across the tree.
        own: of a code's own effect, which no regressor explains.
        noise: of the rows of one code.
        penalties: ridge penalties to choose from.
        outer_folds: folds scored.
        inner_folds: folds within each training part, for the penalty.
        family_level: digits of the groups that are held out whole.
    """

    outcomes: str | None
    example: str
    seed: int
    rows: int
    sector: float
    family: float
    text: float
    own: float
    noise: float
    penalties: tuple[float, ...]
    outer_folds: int
    inner_folds: int
    family_level: int

    def __post_init__(self) -> None:
        one_of('regression.example', self.example, EXAMPLES)
        require(self.seed >= 0, 'regression.seed', self.seed, 'at least 0')
        require(self.rows >= 1, 'regression.rows', self.rows, 'at least 1')
        for name in ('sector', 'family', 'text', 'own', 'noise'):
            deviation = getattr(self, name)
            require(deviation >= 0, f'regression.{name}', deviation, 'at least 0')
        for name in ('outer_folds', 'inner_folds'):
            folds = getattr(self, name)
            require(folds >= 2, f'regression.{name}', folds, 'at least 2')
        smallest = min(self.penalties, default=0)
        require(smallest > 0, 'regression.penalties', list(self.penalties), 'positive numbers')
        level = self.family_level
        require(2 <= level <= 5, 'regression.family_level', level, 'in 2 … 5')

    @property
    def without_outcomes(self) -> 'RegressionConfig':
        """These settings for a stage that reads the outcomes, or for one that has none."""
        return replace(self, outcomes=None)


@dataclass(frozen=True)
class DeviationsConfig:
    """Standard deviation over seeds of each metric that promotion looks at, all on validation.

    Attributes:
        index: MRR of index entries.
        plain: MRR of plain language.
        panel: MRR of the panel.
        spearman: Spearman of distance with D*, supervised codes.
        neighbours: MAP over neighbours in the tree, supervised codes.
        holdout: parent@1 of hidden chains.
        regression: R² on held-out families.
    """

    index: float
    plain: float
    panel: float
    spearman: float
    neighbours: float
    holdout: float
    regression: float

    def __post_init__(self) -> None:
        for name, deviation in vars(self).items():
            require(deviation > 0, f'promotion.deviations.{name}', deviation, 'positive')


@dataclass(frozen=True)
class PromotionConfig:
    """When a table replaces a simpler or an earlier one.

    It must lose no metric by more than ``non_inferiority`` deviations and win one by more than
    ``superiority`` deviations. Otherwise the simpler one stays, and between runs the one in use.

    Attributes:
        non_inferiority: largest loss of any metric, in seed deviations.
        superiority: gain of one metric that is needed, in seed deviations.
        deviations: the unit of each metric.
        force: promote the table of this run whatever the comparison says.
        model: name of the registered model in MLflow.
    """

    non_inferiority: float
    superiority: float
    deviations: DeviationsConfig
    force: bool
    model: str

    def __post_init__(self) -> None:
        for name in ('non_inferiority', 'superiority'):
            margin = getattr(self, name)
            require(margin >= 0, f'promotion.{name}', margin, 'at least 0')
        require(bool(self.model.strip()), 'promotion.model', self.model, 'a name')

    @property
    def between_tables(self) -> 'PromotionConfig':
        """These settings without what says nothing about the tables of one run."""
        return replace(self, force=False, model='any')
