"""Whether a run is good: metrics against their baselines, ceilings and marks, and a verdict.

A check is met, close or missed. Against a baseline, close is a difference within the stated
number of standard errors; against a ceiling, at most twice as far from it as the mark; of errors,
at most twice the mark; of hidden codes, at least half of it. The verdict is good if no deciding
check is missed and most are met, poor if more are missed than met, and mixed otherwise. The
distance alone is shown with the coder and decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from naics_embed.config.report import ReportConfig
from naics_embed.report.contents import KINDS, NAMES, PREFIX, RunReport

MET, CLOSE, MISSED = 'met', 'close', 'missed'
GOOD, MIXED, POOR, UNKNOWN = 'good', 'mixed', 'poor', 'unknown'
CODER = 'hybrid_'
HELD_OUT = 'held_out_r2'
TABLE, ANCESTORS = 'table', 'ancestors'
"""Names of regressors: the coordinates of the codes, and a column for each code above them."""
TREE = {
    'spearman': 'Tree distances, rank correlation',
    'map_neighbours': 'Neighbours in the tree, MAP',
    'level_radius_spearman': 'Level and radius, rank correlation',
}


@dataclass(frozen=True)
class Check:
    """A metric against what it should reach.

    Attributes:
        name: what is measured.
        value: the metric.
        reference: what it is compared with.
        against: name of the reference.
        status: met, close or missed.
        decides: whether the verdict counts it.
        group: answers, space, trust or regressors.
    """

    name: str
    value: float
    reference: float
    against: str
    status: str
    decides: bool
    group: str


@dataclass(frozen=True)
class Verdict:
    """The conclusion from all checks.

    Attributes:
        status: good, mixed, poor or unknown.
        sentence: why.
        checks: all checks.
    """

    status: str
    sentence: str
    checks: Sequence[Check]

    @property
    def met(self) -> int:
        """Deciding checks that are met."""
        return sum(check.status == MET for check in self.checks if check.decides)

    @property
    def deciding(self) -> int:
        """Deciding checks."""
        return sum(check.decides for check in self.checks)


def judge(report: RunReport, marks: ReportConfig) -> Verdict:
    """Check the metrics of a run, and say whether it is good."""
    checks = [
        *_retrieval(report, marks, CODER, 'Coder', decides=True),
        *_retrieval(report, marks, '', 'Distance alone', decides=False),
        *_space(report, marks),
        *_trust(report, marks),
        *_regressors(report, marks),
    ]
    deciding = [check for check in checks if check.decides]
    missed = [check for check in deciding if check.status == MISSED]
    met = [check for check in deciding if check.status == MET]
    if not deciding:
        return Verdict(UNKNOWN, 'This run left no metrics to judge it by.', checks)
    if not missed and 2 * len(met) > len(deciding):
        status = GOOD
    else:
        status = POOR if len(missed) > len(met) else MIXED
    return Verdict(status, _sentence(checks, met, deciding), checks)


def _sentence(checks: list[Check], met: list[Check], deciding: list[Check]) -> str:
    parts = [f'{len(met)} of {len(deciding)} checks are met.']
    for status, word in ((MISSED, 'Missed'), (CLOSE, 'Close')):
        names = [check.name for check in deciding if check.status == status]
        if names:
            parts.append(f'{word}: {"; ".join(names)}.')
    behind = [check.name for check in checks if not check.decides and check.status == MISSED]
    if behind:
        parts.append(f'For information, behind the best baseline: {"; ".join(behind)}.')
    return ' '.join(parts)


def _retrieval(
    report: RunReport, marks: ReportConfig, prefix: str, who: str, *, decides: bool
) -> list[Check]:
    checks = []
    for kind, name in KINDS.items():
        key = f'{report.split}/{prefix}{PREFIX[kind]}top1'
        metric = report.metrics.get(key, {})
        value, reference = metric.get('value'), metric.get('reference')
        if value is None or reference is None:
            continue
        noise = marks.standard_errors * (report.value(f'{key}_se') or 0.0)
        ahead = value - reference
        status = MET if ahead > noise else MISSED if ahead < -noise else CLOSE
        baseline: str = metric['reference_name']
        against = NAMES.get(baseline, baseline)
        label = f'{who}, {name.lower()}: top-1'
        checks.append(Check(label, value, reference, against, status, decides, 'answers'))
    return checks


def _space(report: RunReport, marks: ReportConfig) -> list[Check]:
    checks = []
    for key, name in TREE.items():
        metric = report.metrics.get(f'tree/{key}', {})
        value, ceiling = metric.get('value'), metric.get('reference')
        if value is not None and ceiling:
            status = _least(value / ceiling, marks.ceiling_fraction)
            checks.append(Check(name, value, ceiling, 'ceiling', status, True, 'space'))
    key = f'{report.split}/holdout_parent_at_1'
    value = report.value(key)
    if value is not None:
        chance = report.metrics[key].get('reference') or 0.0
        mark = marks.hidden_parents
        status = MET if value >= mark else CLOSE if value >= mark / 2 else MISSED
        name = 'Hidden codes find their parent'
        checks.append(Check(name, value, chance, 'chance', status, True, 'space'))
    return checks


def _trust(report: RunReport, marks: ReportConfig) -> list[Check]:
    checks = []
    for kind in ('index', 'plain'):
        error = report.value(f'{report.split}/{CODER}{PREFIX[kind]}ece')
        if error is not None:
            mark = marks.calibration
            status = MET if error <= mark else CLOSE if error <= 2 * mark else MISSED
            name = f'Calibration error, {KINDS[kind].lower()}'
            checks.append(Check(name, error, mark, 'at most', status, True, 'trust'))
    for metric, setting, name in (
        ('non_finite', None, 'Points that are not finite'),
        ('fraction_at_bound', 'bound_fraction', 'Codes at the radius bound'),
    ):
        value = report.value(f'health/{metric}')
        limit = 0.0 if setting is None else report.setting(f'training.health.{setting}')
        if value is not None and limit is not None:
            status = MET if value <= limit else MISSED
            checks.append(Check(name, value, limit, 'at most', status, True, 'trust'))
    return checks


def _regressors(report: RunReport, marks: ReportConfig) -> list[Check]:
    """Compare the coordinates as regressors with columns of ancestors, their nearest rival."""
    own = report.regression.get(f'{TABLE}/{HELD_OUT}', {})
    rival = report.regression.get(f'{ANCESTORS}/{HELD_OUT}', {}).get('value')
    value = own.get('value')
    if value is None or rival is None:
        return []
    error = report.regression.get(f'{TABLE}/{HELD_OUT}_se', {}).get('value') or 0.0
    noise = marks.standard_errors * error
    status = MET if value - rival > noise else MISSED if rival - value > noise else CLOSE
    name = 'Coordinates as regressors, families held out: R²'
    return [Check(name, value, rival, 'columns of ancestors', status, True, 'regressors')]


def _least(fraction: float, mark: float) -> str:
    """Judge a fraction that should reach a mark; close is at most twice as far from 1."""
    if fraction >= mark:
        return MET
    return CLOSE if 1 - fraction <= 2 * (1 - mark) else MISSED
