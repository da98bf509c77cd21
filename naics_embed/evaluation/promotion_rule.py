"""The rule by which one table replaces another: metrics in, a decision with reasons out.

A challenger wins against an incumbent if no metric is worse by more than a margin of
non-inferiority and one is better by more than a margin of superiority, both in units of the
metric's deviation over seeds. Everything else is a tie, and ties go to the incumbent: the simpler
of two tables of one run, the one in use between two runs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BETTER = 'better'
LEVEL = 'level'
WORSE = 'worse'
ABSENT = 'absent'


@dataclass(frozen=True)
class Criterion:
    """A metric that decides; larger is better.

    Attributes:
        metric: its key.
        deviation: its standard deviation over seeds, > 0.
    """

    metric: str
    deviation: float


@dataclass(frozen=True)
class PromotionRule:
    """The rule.

    Attributes:
        criteria: the metrics that decide.
        non_inferiority: largest loss of each, in deviations.
        superiority: gain of one of them that is needed, in deviations.
    """

    criteria: tuple[Criterion, ...]
    non_inferiority: float
    superiority: float


@dataclass(frozen=True)
class Candidate:
    """A table and its metrics on validation; a metric that was not measured is missing or None."""

    name: str
    metrics: Mapping[str, float | None]

    def metric(self, name: str) -> float | None:
        """Return a metric, None where it was not measured or is not finite."""
        value = self.metrics.get(name)
        return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class Comparison:
    """One metric of a challenger against the incumbent's.

    Attributes:
        metric: its key.
        incumbent: value; None if not measured.
        challenger: value; None if not measured.
        deviations: challenger − incumbent in deviations; None unless both were measured.
        outcome: better, level, worse or absent (measured for neither).
    """

    metric: str
    incumbent: float | None
    challenger: float | None
    deviations: float | None
    outcome: str


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger replaces the incumbent.

    Attributes:
        incumbent: its name.
        challenger: its name.
        wins: whether the challenger replaces it.
        reason: why, in words.
        comparisons: metric by metric.
    """

    incumbent: str
    challenger: str
    wins: bool
    reason: str
    comparisons: tuple[Comparison, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a metric, for a table."""
        return [
            {
                'incumbent': self.incumbent,
                'challenger': self.challenger,
                'metric': each.metric,
                'incumbent_value': each.incumbent,
                'challenger_value': each.challenger,
                'deviations': each.deviations,
                'outcome': each.outcome,
                'wins': self.wins,
            }
            for each in self.comparisons
        ]


@dataclass(frozen=True)
class Decision:
    """The champion among several candidates, and the comparisons that led to it.

    Attributes:
        champion: name of the table that stays.
        verdicts: one for each challenger, in the order in which they were tried.
    """

    champion: str
    verdicts: tuple[Verdict, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a challenger and metric."""
        return [row for verdict in self.verdicts for row in verdict.rows()]


def compare(incumbent: Candidate, challenger: Candidate, rule: PromotionRule) -> Verdict:
    """Decide between two tables.

    A metric that only one of the two has cannot be compared and decides against the challenger;
    one that neither has is left out.
    """
    comparisons = tuple(
        _compare(incumbent, challenger, comparison, rule) for comparison in rule.criteria
    )
    worse = [comparison for comparison in comparisons if comparison.outcome == WORSE]
    better = [comparison for comparison in comparisons if comparison.outcome == BETTER]
    if worse:
        reason = 'worse: ' + ', '.join(_words(comparison) for comparison in worse)
    elif better:
        reason = (
            'better: ' + ', '.join(_words(comparison) for comparison in better) + '; nothing worse'
        )
    else:
        reason = f'no metric is better by more than {rule.superiority:g} deviations'
    return Verdict(incumbent.name, challenger.name, bool(better) and not worse, reason, comparisons)


def decide(candidates: Sequence[Candidate], rule: PromotionRule) -> Decision:
    """Find the champion of several tables, the simplest first.

    Each in turn challenges the champion so far, so that a later, more complex table must beat
    the winner until then.

    Raises:
        ValueError: there is no candidate, or two have one name.
    """
    if not candidates:
        raise ValueError('there is no candidate to promote')
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names):
        raise ValueError(f'candidates need different names, not {names}')
    champion, verdicts = candidates[0], []
    for challenger in candidates[1:]:
        verdicts.append(compare(champion, challenger, rule))
        if verdicts[-1].wins:
            champion = challenger
    return Decision(champion.name, tuple(verdicts))


def _compare(
    incumbent: Candidate, challenger: Candidate, criterion: Criterion, rule: PromotionRule
) -> Comparison:
    before, after = incumbent.metric(criterion.metric), challenger.metric(criterion.metric)
    if before is None or after is None:
        outcome = ABSENT if before is None and after is None else WORSE
        return Comparison(criterion.metric, before, after, None, outcome)
    change = (after - before) / criterion.deviation
    if change < -rule.non_inferiority:
        outcome = WORSE
    else:
        outcome = BETTER if change > rule.superiority else LEVEL
    return Comparison(criterion.metric, before, after, change, outcome)


def _words(comparison: Comparison) -> str:
    if comparison.deviations is None:
        return f'{comparison.metric} was measured for one of the two only'
    return f'{comparison.metric} by {comparison.deviations:+.1f} deviations'
