"""An assessment as one HTML file: nothing in it is fetched from elsewhere."""

from typing import Any

from markupsafe import Markup

from naics_embed.assessment.assess import BINS, Assessment, LevelResult, Slice
from naics_embed.assessment.estimates import Automation, Estimate
from naics_embed.report import charts, trust_charts
from naics_embed.report.answers import RANGES, Bin, wilson
from naics_embed.report.environment import environment
from naics_embed.report.svg import limits

CALIBRATED, NEARLY = 0.05, 0.1
"""Calibration errors up to which the stated confidence can be used as it is, or with care."""

SLICES = {
    'known': (
        'Known and new',
        'whether the coder knows the text word for word; the others say more of texts to come',
    ),
    'sector': ('By sector', 'sector of the code in the file'),
    'confidence': ('By confidence', 'probability of the best code'),
    'words': ('By length', 'words of the text'),
    'familiarity': (
        'By familiarity',
        'greatest cosine with a known text; the lower, the less is known of such texts',
    ),
}
"""Kind of a slice → its title and what its rows are."""

STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares that the table beside the automation curve shows."""


def render_assessment(result: Assessment, name: str) -> str:
    """Return an assessment as HTML in the style of the report of a run.

    The page holds some of the texts that were assessed: examples of confusions, rows that look
    wrong, and rows that were left out.

    Args:
        result: from `assess`.
        name: of the file that was assessed.
    """
    leaf = result.levels[max(result.levels)]
    return (
        environment()
        .get_template('assessment.html')
        .render(
            name=name,
            result=result,
            leaf=leaf,
            sentence=_sentence(result, leaf),
            status=_calibration(leaf),
            checks=_checks(result, leaf),
            levels=[_level(result, level) for level in sorted(result.levels, reverse=True)],
            curve=_curve(result),
            steps=_steps(result),
            reliability=_reliability(result),
            slices=[
                (kind, *SLICES[kind], [_slice(row) for row in result.slices[kind]])
                for kind in SLICES
                if result.slices[kind]
            ],
            left=sum(result.left_out.values()),
        )
    )


def _sentence(result: Assessment, leaf: LevelResult) -> str:
    """Say what matters in two sentences."""
    right = leaf.top[1]
    gap = 100 * (leaf.confidence - right.value)
    claim = (
        'as it should be'
        if abs(gap) < 1
        else f'{abs(gap):.0f} points {"more" if gap > 0 else "less"} than is right'
    )
    return (
        f'The first six-digit code is right for {right.value:.1%} of the texts (95% interval '
        f'{right.low:.1%} to {right.high:.1%}); the coder states {leaf.confidence:.1%} on average, '
        f'{claim}. {_automated(result)}'
    )


def _automated(result: Assessment) -> str:
    point = result.automation
    if point is None:
        return f'No threshold on the confidence reaches an accuracy of {result.target:.0%}.'
    return (
        f'To code with an accuracy of {result.target:.0%}, accept answers from a confidence of '
        f'{point.threshold:.3f}: {point.share:.1%} of the texts, and {1 - point.share:.1%} are '
        'left for people.'
    )


def _calibration(leaf: LevelResult) -> str:
    if leaf.ece <= CALIBRATED:
        return 'good'
    return 'mixed' if leaf.ece <= NEARLY else 'poor'


def _checks(result: Assessment, leaf: LevelResult) -> list[dict[str, str]]:
    """Return what is to be seen first: status, name, what it is compared with, and value."""
    right = leaf.top[1]
    rows = [
        {
            'status': {'good': 'met', 'mixed': 'close', 'poor': 'missed'}[_calibration(leaf)],
            'name': 'Calibration error (ECE)',
            'against': f'{CALIBRATED:g} or less: the confidence can be used as it is',
            'value': f'{leaf.ece:.3f}',
        }
    ]
    if result.baselines:
        best, value = max(result.baselines.items(), key=lambda item: item[1].value)
        ahead = right.low > value.high
        behind = right.high < value.low
        rows.append(
            {
                'status': 'met' if ahead else 'missed' if behind else 'close',
                'name': 'Six-digit code right',
                'against': f'best baseline: {best} {value.value:.1%}',
                'value': f'{right.value:.1%}',
            }
        )
    point = result.automation
    rows.append(
        {
            'status': 'missed' if point is None else 'met',
            'name': f'Coded automatically at {result.target:.0%}',
            'against': 'fraction of the texts; the others are left for people',
            'value': '–' if point is None else f'{point.share:.1%}',
        }
    )
    return rows


def _level(result: Assessment, level: int) -> dict[str, Any]:
    at = result.levels[level]
    of_level = result.baselines if level == max(RANGES) else {}
    marks = {name: value.value for name, value in of_level.items()}
    words = ', '.join(f'{name} {value:.3f}' for name, value in marks.items())
    return {
        'level': level,
        'name': RANGES[level],
        'at': at,
        'picture': charts.bar(
            at.top[1].value,
            marks,
            words=f'{level} digits: {at.top[1].value:.3f}' + (f'; {words}' if words else ''),
        ),
    }


def _curve(result: Assessment) -> Markup:
    """Draw the accuracy of what is coded automatically by its share."""
    points = [(point.share, point.accuracy) for point in result.curve]
    low, high = limits([result.target, *(accuracy for _, accuracy in points)])
    across = 'fraction of texts coded automatically'
    return charts.lines(
        [
            charts.Series('accuracy', points, 0, dots=False),
            charts.Series('target', [(0.0, result.target), (1.0, result.target)], 1, dots=False),
        ],
        x_label=across,
        y_label='accuracy of these',
        words=f'Accuracy by {across}. {_automated(result)}',
        x_range=(0.0, 1.0),
        y_range=(max(0.0, low), min(1.0, high)),
        best=None if result.automation is None else result.automation.share,
    )


def _steps(result: Assessment) -> list[Automation]:
    """Return the first threshold that codes each of some shares, without repetition."""
    points = [
        next((point for point in result.curve if point.share >= step - 1e-9), result.curve[-1])
        for step in STEPS
    ]
    return list(dict.fromkeys(points))


def _reliability(result: Assessment) -> Markup:
    bins = []
    for confidence, accuracy, texts in result.reliability:
        index = min(int(confidence * BINS), BINS - 1)
        bounds = index / BINS, (index + 1) / BINS
        bins.append(Bin(*bounds, confidence, accuracy, *wilson(accuracy, texts), texts))
    words = ', '.join(f'{one.accuracy:.0%} right at {one.confidence:.0%}' for one in bins)
    return trust_charts.reliability_chart(bins, 0, f'Reliability: {words}')


def _slice(row: Slice) -> dict[str, Any]:
    right = row.accuracy
    return {
        'name': row.name,
        'right': right,
        'stated': row.confidence,
        'apart': _apart(right, row.confidence),
        'picture': charts.bar(
            right.value,
            {'stated confidence': row.confidence},
            words=f'{row.name}: {right.value:.3f} right, {row.confidence:.3f} stated',
        ),
    }


def _apart(right: Estimate, stated: float) -> str:
    """Return the class of a difference: whether the stated confidence is outside the interval."""
    if right.low <= stated <= right.high:
        return 'flat'
    return 'down' if stated > right.high else 'up'
