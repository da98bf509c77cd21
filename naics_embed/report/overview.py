"""The headline metrics: each with its baselines or its ceiling."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from naics_embed.report.charts import bar
from naics_embed.report.contents import KINDS, NAMES, PREFIX, RunReport
from naics_embed.report.verdict import CODER

METRICS = {'top1': 'top-1', 'mrr': 'MRR'}
SPACE = {
    'spearman': 'Tree distances, rank correlation',
    'spearman_within_sectors': 'The same within sectors',
    'map_neighbours': 'Neighbours in the tree, MAP',
    'parent_at_1': 'Parent is nearest one level up',
    'level_radius_spearman': 'Level and radius, rank correlation',
}


@dataclass(frozen=True)
class Headline:
    """A metric with its baselines or its ceiling.

    Attributes:
        name: of the metric.
        value: the metric; of the coder, where there is one.
        queries: how many it is over; None for metrics of the table.
        second: the same metric of the distance alone.
        baselines: name → value.
        ceiling: the best value that is possible.
    """

    name: str
    value: float
    queries: int | None = None
    second: float | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    ceiling: float | None = None

    @property
    def best(self) -> tuple[str, float] | None:
        """The best baseline, else the ceiling."""
        if self.baselines:
            name = max(self.baselines, key=lambda one: self.baselines[one])
            return name, self.baselines[name]
        return None if self.ceiling is None else ('ceiling', self.ceiling)

    @property
    def picture(self) -> Markup:
        """The metric as a bar."""
        words = [f'{self.name}: {self.value:.3f}']
        if self.second is not None:
            words.append(f'distance alone {self.second:.3f}')
        words += [f'{name} {value:.3f}' for name, value in self.baselines.items()]
        if self.ceiling is not None:
            words.append(f'ceiling {self.ceiling:.3f}')
        return bar(
            max(0.0, self.value),
            self.baselines,
            second=self.second,
            ceiling=self.ceiling,
            words=', '.join(words),
        )


def answers(report: RunReport) -> list[Headline]:
    """Return the retrieval metrics of each kind of query."""
    headlines = []
    for kind, kind_name in KINDS.items():
        for metric, metric_name in METRICS.items():
            plain = f'{report.split}/{PREFIX[kind]}{metric}'
            distance = report.value(plain)
            coder = report.value(f'{report.split}/{CODER}{PREFIX[kind]}{metric}')
            value = distance if coder is None else coder
            if value is None:
                continue
            queries = report.value(f'{report.split}/{PREFIX[kind]}queries')
            headlines.append(
                Headline(
                    f'{kind_name}, {metric_name}',
                    value,
                    None if queries is None else int(queries),
                    None if coder is None else distance,
                    _baselines(report, plain),
                )
            )
    return headlines


def space(report: RunReport) -> list[Headline]:
    """Return the metrics of the table, with their ceilings."""
    headlines = []
    for key, name in SPACE.items():
        metric = report.metrics.get(f'tree/{key}', {})
        if metric.get('value') is not None:
            headlines.append(Headline(name, metric['value'], ceiling=metric.get('reference')))
    key = f'{report.split}/holdout_parent_at_1'
    value = report.value(key)
    if value is not None:
        chance = report.metrics[key].get('reference')
        chains = report.value(f'{report.split}/holdout_chains')
        headlines.append(
            Headline(
                'Hidden codes find their parent',
                value,
                None if chains is None else int(chains),
                baselines={} if chance is None else {'chance': chance},
            )
        )
    return headlines


def _baselines(report: RunReport, key: str) -> dict[str, float]:
    baselines = {
        NAMES.get(name, name): metrics[key]
        for name, metrics in report.baselines.items()
        if key in metrics
    }
    metric = report.metrics.get(key, {})
    if not baselines and metric.get('reference') is not None:
        name: str = metric['reference_name']
        return {NAMES.get(name, name): metric['reference']}
    return baselines
