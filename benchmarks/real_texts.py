"""How good the coder is on a folder of labelled files, beside its baselines.

Each file is a table with texts and codes. A column can mark rows to be reported apart, such as
those whose label a second reader found plausible.

    python -m benchmarks.real_texts FOLDER --mark note=plausible --leave-out note=index_verbatim
"""

import argparse
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from naics_embed import Coder
from naics_embed.assessment.assess import Assessment, assess
from naics_embed.assessment.estimates import Estimate
from naics_embed.errors import UserError
from naics_embed.learning.labelled import Columns, LabelledTexts, read_labelled
from naics_embed.tabular.open import READABLE, open_table
from naics_embed.taxonomy import LEAF_LEVEL

log = logging.getLogger(__name__)
PART_ROWS = 8192


def main() -> None:
    """Print a table, and write it as JSON if wanted."""
    arguments = _arguments()
    coder = Coder.load(arguments.bundle)
    columns = Columns(arguments.text_column, arguments.code_column)
    results: dict[str, Assessment] = {}
    for path in sorted(arguments.folder.iterdir()):
        if path.suffix not in READABLE:
            continue
        try:
            labelled = read_labelled(path, columns, coder.searcher.codes)
        except UserError as error:
            log.warning('%s is left out: %s', path.name, error)
            continue
        left_out = _marked(path, labelled, arguments.leave_out)
        if left_out is not None:
            labelled = labelled.chosen(np.flatnonzero(~left_out))
        results[path.stem] = assess(coder, labelled)
        marked = _marked(path, labelled, arguments.mark)
        if marked is not None and marked.any():
            chosen = labelled.chosen(np.flatnonzero(marked))
            results[f'{path.stem}, {arguments.mark.partition("=")[2]}'] = assess(coder, chosen)
    print(_table(results))
    if arguments.json is not None:
        plain: dict[str, Any] = {name: asdict(result) for name, result in results.items()}
        for result in plain.values():
            # Texts of a user's files have no place in a results file.
            result.pop('confusions'), result.pop('doubtful'), result.pop('examples')
        arguments.json.write_text(json.dumps(plain, indent=2) + '\n', encoding='utf-8')


def _marked(path: Path, labelled: LabelledTexts, mark: str | None) -> np.ndarray | None:
    """Return which labelled rows a column marks, bool ``(n,)``; None where there is no column."""
    if mark is None:
        return None
    column, _, word = mark.partition('=')
    table = open_table(path)
    if column not in table.names:
        return None
    values = [value for part in table.parts(PART_ROWS) for value in part.column(column)]
    return np.array([word in (values[row - 1] or '') for row in labelled.rows.tolist()])


def _table(results: dict[str, Assessment]) -> pl.DataFrame:
    rows = []
    for name, result in results.items():
        leaf = result.levels[LEAF_LEVEL]
        baselines = {key: f'{value.value:.3f}' for key, value in result.baselines.items()}
        rows.append(
            {
                'texts': name,
                'n': result.texts,
                'right': _interval(leaf.top[1]),
                'states': f'{leaf.confidence:.3f}',
                'ECE': f'{leaf.ece:.3f}',
                'in the first ten': f'{leaf.top[10].value:.3f}',
                **baselines,
            }
        )
    pl.Config.set_tbl_rows(-1).set_tbl_cols(-1).set_tbl_width_chars(160).set_fmt_str_lengths(60)
    return pl.DataFrame(rows)


def _interval(value: Estimate) -> str:
    return f'{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]'


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--text-column', default='text')
    parser.add_argument('--code-column', default='code')
    parser.add_argument('--mark', help='COLUMN=WORD: rows to report apart')
    parser.add_argument('--leave-out', help='COLUMN=WORD: rows to leave out')
    parser.add_argument('--json', type=Path)
    return parser.parse_args()


if __name__ == '__main__':
    logging.basicConfig(level=logging.INFO)
    main()
