"""An assessment as lines for a terminal."""

from naics_embed.assessment.assess import VERBATIM, Assessment, Slice
from naics_embed.assessment.estimates import Estimate

LISTED = 8
"""Slices and confusions shown."""


def summary_lines(result: Assessment) -> list[str]:
    """Return an assessment as lines of text."""
    lines = [f'{result.texts:,} texts in {result.groups:,} groups']
    if result.translated:
        lines.append(
            f'{result.translated:,} codes are of an earlier vintage; {result.several:,} of them '
            'became several codes, each of which counts as right'
        )
    lines += [
        '',
        f'{"digits":8} {"top-1 (95 %)":>22} {"top-3":>7} {"top-10":>7} {"MRR":>7} {"ECE":>7}',
    ]
    for level, at in sorted(result.levels.items(), reverse=True):
        lines.append(
            f'{level:<8} {_interval(at.top[1]):>22} {at.top[3].value:7.3f} '
            f'{at.top[10].value:7.3f} {at.mrr.value:7.3f} {at.ece:7.3f}'
        )
    for name, value in result.baselines.items():
        lines.append(f'{name}, six digits: {_interval(value)}')
    leaf = result.levels[max(result.levels)]
    lines += [
        '',
        f'stated confidence: {leaf.confidence:.3f}, right: {leaf.top[1].value:.3f}',
        f'confident codes: {_interval(result.confident)} right, for '
        f'{result.confident_coverage.value:.1%} of the texts, {result.confident_digits:.1f} digits',
    ]
    if result.automation is None:
        lines.append(f'no threshold reaches an accuracy of {result.target:.0%}')
    else:
        point = result.automation
        lines.append(
            f'for an accuracy of {result.target:.0%}: code automatically from a confidence of '
            f'{point.threshold:.3f}, {point.share:.1%} of the texts; {1 - point.share:.1%} are '
            'left for people'
        )
        if result.automation_accuracy is not None:
            lines.append(f'of these, {_interval(result.automation_accuracy)} are right')
    lines += _known(result.slices['known'])
    for name in ('sector', 'words', 'familiarity'):
        lines += ['', *_slices(name, result.slices[name])]
    if result.confusions:
        lines += ['', 'most often confused']
    for one in result.confusions[:LISTED]:
        cues = f' (words: {", ".join(one.for_found)})' if one.for_found else ''
        lines.append(
            f'{one.texts:5} {one.stated} {one.stated_title} → {one.found} {one.found_title}{cues}'
        )
    if result.doubtful:
        lines += ['', f'{len(result.doubtful)} rows whose code looks wrong, such as']
    for row in result.doubtful[:3]:
        lines.append(f'  row {row.row}: {row.text[:60]!r}: {row.stated}, or rather {row.found}?')
    return lines


def _known(rows: list[Slice]) -> list[str]:
    """Say how many texts the coder knows, for which it is better than for texts to come."""
    of_name = {row.name: row for row in rows}
    if VERBATIM not in of_name:
        return []
    line = f'{of_name[VERBATIM].accuracy.texts:,} texts are {VERBATIM}'
    new = [row for name, row in of_name.items() if name != VERBATIM]
    more = [f'of the others {_interval(row.accuracy)} are right' for row in new]
    return [', '.join([line, *more])]


def _interval(value: Estimate) -> str:
    return f'{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]'


def _slices(name: str, rows: list[Slice]) -> list[str]:
    lines = [f'{name:44} {"texts":>7} {"right":>7} {"stated":>7}']
    lines += [
        f'{row.name[:44]:44} {row.accuracy.texts:7,} {row.accuracy.value:7.3f} '
        f'{row.confidence:7.3f}'
        for row in rows[:LISTED]
    ]
    return lines
