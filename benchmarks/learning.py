"""Learning curves: accuracy and calibration after some labels, on texts that were not drawn."""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import write_json
from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.config.learning import LearnSettings
from naics_embed.learning.derive import derive_bundle
from naics_embed.learning.examples import own_examples
from naics_embed.learning.groups import group_texts
from naics_embed.learning.labelled import PART_ROWS, Columns, LabelledTexts, read_labelled
from naics_embed.learning.outcome import BINS
from naics_embed.learning.sources import LabelSource
from naics_embed.metrics.calibration import expected_calibration_error
from naics_embed.search.bulk import texts_of
from naics_embed.search.coder import Coder
from naics_embed.tabular.open import open_table

SIZES = (0, 20, 300, 1000, 3000)
DRAWS = 5
MOST_TESTED = 3000
THEIRS = 'texts not drawn'

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """One draw.

    Attributes:
        labels: how many texts were learned.
        draw: number of the draw.
        top1: set → accuracy.
        ece: set → expected calibration error of the top-1 answer.
    """

    labels: int
    draw: int
    top1: dict[str, float]
    ece: dict[str, float]


def measure_draw(
    coder: Coder, labelled: LabelledTexts, groups: np.ndarray, labels: int, draw: int
) -> Measured:
    """Learn some of the texts, and code some whose groups were not drawn.

    The sets of the bundle itself are what `derive_bundle` says of them, by weights that were
    fitted without the text.

    Args:
        coder: of the bundle to start from.
        labelled: texts with one code each.
        groups: of each text.
        labels: how many to learn.
        draw: seed of the draw.
    """
    order = np.random.default_rng(draw).permutation(len(labelled))
    drawn = order[:labels]
    rest = order[labels:]
    rest = rest[~np.isin(groups[rest], groups[drawn])][:MOST_TESTED]
    top1: dict[str, float] = {}
    ece: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        learned = coder
        if labels:
            out = Path(folder) / 'bundle'
            add = [LabelSource('drawn', labelled.chosen(np.sort(drawn)))]
            outcome = derive_bundle(coder, out, add=add)
            learned = Coder.load(out, verify=False)
            for row in outcome.sets:
                if not row.learned:
                    top1[row.name], ece[row.name] = row.top1, row.ece
        else:
            own = own_examples(coder)
            sets = np.asarray(own.sets)
            for name in dict.fromkeys(own.sets):
                rows = np.flatnonzero(sets == name)
                texts = [own.texts[row] for row in rows.tolist()]
                top1[name], ece[name] = _quality(coder, texts, own.labels[rows])
        texts = [labelled.texts[row] for row in rest.tolist()]
        top1[THEIRS], ece[THEIRS] = _quality(learned, texts, labelled.labels[rest])
    return Measured(labels, draw, top1, ece)


def learning_curve(
    bundle: Path,
    file: Path,
    columns: Columns,
    sizes: Sequence[int],
    draws: int,
    leave_out: tuple[str, str] | None = None,
) -> list[Measured]:
    """Measure all sizes and draws.

    Args:
        bundle: directory of the bundle to start from.
        file: a table with texts and their codes.
        columns: of it.
        sizes: how many labels to learn.
        draws: of each size.
        leave_out: column and word; rows with this word there are left out.
    """
    coder = Coder.load(bundle)
    labelled = read_labelled(file, columns, coder.searcher.codes)
    chosen = labelled.labels >= 0
    if leave_out is not None:
        chosen &= ~_with_word(file, *leave_out)[labelled.rows - 1]
    labelled = labelled.chosen(np.flatnonzero(chosen))
    groups = group_texts(labelled.texts, labelled.groups, LearnSettings().similarity)
    measured = []
    for labels in sizes:
        for draw in range(draws):
            measured.append(measure_draw(coder, labelled, groups, labels, draw))
            log.warning('%d labels, draw %d: %s', labels, draw, measured[-1].top1)
    return measured


def _with_word(file: Path, column: str, word: str) -> np.ndarray:
    """Return the rows of a table with a word in a column, bool ``(rows,)``."""
    values = [
        value for part in open_table(file).parts(PART_ROWS) for value in texts_of(part, column)
    ]
    return np.array([word in str(value or '').split() for value in values])


def print_curve(measured: Sequence[Measured], console: Console) -> None:
    """Print means and standard deviations over draws."""
    sets = list(dict.fromkeys(name for each in measured for name in each.top1))
    heads = [f'{name}, {metric}' for name in sets for metric in ('top-1', 'ECE')]
    table = Table('labels', 'draws', *heads, box=None)
    for labels in dict.fromkeys(each.labels for each in measured):
        rows = [each for each in measured if each.labels == labels]
        cells = [
            _cell([each[name] for each in values])
            for name in sets
            for values in ([row.top1 for row in rows], [row.ece for row in rows])
        ]
        table.add_row(f'{labels:,}', str(len(rows)), *cells)
    console.print(table)


def _cell(values: Sequence[float]) -> str:
    spread = f' ± {np.std(values, ddof=1):.3f}' if len(values) > 1 else ''
    return f'{np.mean(values):.3f}{spread}'


def _quality(coder: Coder, texts: Sequence[str], labels: np.ndarray) -> tuple[float, float]:
    best, confidence = [], []
    for scored in coder.scored(texts):
        best.append(scored.probabilities.argmax(axis=1))
        confidence.append(scored.probabilities.max(axis=1))
    right = np.concatenate(best) == labels
    stated = torch.from_numpy(np.concatenate(confidence))
    error = expected_calibration_error(stated, torch.from_numpy(right), bins=BINS)
    return float(right.mean()), float(error)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', type=Path, help='a table with texts and their codes')
    parser.add_argument('--text-column', default='text')
    parser.add_argument('--code-column', default='code')
    parser.add_argument('--group-column')
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--labels', type=int, nargs='+', default=list(SIZES))
    parser.add_argument('--draws', type=int, default=DRAWS)
    parser.add_argument('--leave-out', metavar='COLUMN=WORD', help='rows to leave out')
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    columns = Columns(options.text_column, options.code_column, options.group_column)
    bundle = options.bundle or promoted_bundle()
    leave_out = None
    if options.leave_out is not None:
        column, _, word = options.leave_out.partition('=')
        leave_out = (column, word)
    measured = learning_curve(
        bundle, options.file, columns, options.labels, options.draws, leave_out
    )
    print_curve(measured, Console())
    if options.json:
        write_json(options.json, [asdict(each) for each in measured])


if __name__ == '__main__':
    main()
