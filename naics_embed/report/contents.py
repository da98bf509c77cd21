"""What a report is made of. Every part may be missing; the report then says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from naics_embed.taxonomy import Taxonomy, official_code

Metrics = Mapping[str, Mapping[str, Any]]
"""``split/metric`` → ``value``, ``reference``, ``reference_name``."""


@dataclass(frozen=True)
class CodeTable:
    """The codes as points.

    Attributes:
        taxonomy: the tree.
        titles: title of each code, in its order.
        supervised: bool ``(n,)``, false for codes that were hidden from training.
        tangents: float64 ``(n, dim)`` at the origin.
        curvature: c > 0.
    """

    taxonomy: Taxonomy
    titles: Sequence[str]
    supervised: np.ndarray
    tangents: Tensor
    curvature: float

    def name(self, code: str) -> str:
        """Return official code and title."""
        return f'{official_code(code)} {self.titles[self.taxonomy.index(code)]}'


@dataclass(frozen=True)
class Training:
    """The history of the text stage.

    Attributes:
        history: metrics of each epoch; keys begin with ``train/``, ``validation/``, ``health/``,
            ``curriculum/`` or ``gradient/``.
        head_only_epochs: how many of them, the first, trained on frozen embeddings.
        best_epoch: the epoch that was kept, as an index of ``history``.
    """

    history: Sequence[Mapping[str, float]]
    head_only_epochs: int
    best_epoch: int


@dataclass(frozen=True)
class StageTime:
    """A stage: its name, key, seconds when it was computed, and whether it was cached."""

    name: str
    key: str
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Provenance:
    """Where a table comes from.

    Attributes:
        source: kind, files with checksums, warnings.
        facts: name → text: revision, versions, run, machine.
        stages: the stages before this report.
    """

    source: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    stages: Sequence[StageTime] = ()


@dataclass(frozen=True)
class RunReport:
    """All that a report shows.

    Attributes:
        metrics: every metric of the run.
        configuration: all values, nested.
        provenance: where it comes from.
        table: the codes as points.
        baselines: name → its metrics, under the keys of the distance.
        training: the history of the text stage.
        refinement: metrics of each epoch of the graph stage.
        candidates: name of a table → its metrics on validation.
        selection: champion, verdicts and comparisons of the candidates.
        regression: ``regressors/metric`` → value, reference, name of the reference.
        predictions: `naics_embed.evaluation.predictions.PREDICTION_SCHEMA`.
        effects: score that the coder weighs → its weight in units of its spread.
    """

    metrics: Metrics
    configuration: Mapping[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    table: CodeTable | None = None
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    training: Training | None = None
    refinement: Sequence[Mapping[str, float]] = ()
    candidates: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    selection: Mapping[str, Any] | None = None
    regression: Metrics = field(default_factory=dict)
    predictions: pl.DataFrame | None = None
    effects: Mapping[str, float] = field(default_factory=dict)

    def value(self, key: str) -> float | None:
        """Return the value of a metric, None where there is none."""
        return self.metrics.get(key, {}).get('value')

    def setting(self, key: str) -> Any:
        """Return a value of the configuration by its dotted key, None where there is none."""
        value: Any = self.configuration
        for part in key.split('.'):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value

    @property
    def split(self) -> str:
        """The split whose queries are shown: test, or validation where nothing was tested."""
        return 'test' if self.value('test/plain_queries') or self.value('test/queries') else VALID


VALID = 'validation'
KINDS = {
    'index': 'Index entries',
    'plain': 'Plain language',
    'panel': 'Panel',
    'business': 'Business texts',
    'labelled': 'Your labelled texts',
}
"""Kind of a query → its name."""
PREFIX = {
    'index': '',
    'plain': 'plain_',
    'panel': 'panel_',
    'business': 'business_',
    'labelled': 'labelled_',
}
"""Kind of a query → prefix of its metrics."""
NAMES = {
    'class_mean': 'class mean',
    'reduced_class_mean': 'class mean, fewer dimensions',
    'logistic_regression': 'logistic regression',
    'tfidf_svm': 'TF-IDF SVM',
    'bm25': 'BM25',
    'title': 'title',
}
"""Name of a baseline → its label."""
