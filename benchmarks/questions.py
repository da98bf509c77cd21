"""What one question brings, with an oracle that chooses the option that holds the right code.

The least gain is chosen on the validation texts of the bundle, so that a question is asked on a
fraction of them, and then used on every other set as it is.

    python -m benchmarks.questions --bundle BUNDLE --queries QUERIES --file FILE --leave-out note=…

QUERIES is ``queries.parquet`` of a run, with the columns text, code, kind and split; FILE is a
table with the columns text and code.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from naics_embed import Coder
from naics_embed.artifacts import write_json
from naics_embed.learning.examples import columns_of_codes, own_examples
from naics_embed.questions.question import KINDS, answered
from naics_embed.questions.settings import QuestionSettings

INDEX = 'index'
ANY = 1e-6
"""Least gain with which every question that brings anything is drawn."""


@dataclass(frozen=True)
class Asked:
    """What a question brings for each text.

    Attributes:
        gains: expected gain of the question; 0 where there is none.
        kinds: its kind; empty where there is none.
        before: whether the best code was right.
        after: whether it is, once the question is answered; as before where there is none.
    """

    gains: np.ndarray
    kinds: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def top1(self, least_gain: float) -> float:
        """Return the accuracy where questions of this gain are asked."""
        return float(np.where(self.gains >= least_gain, self.after, self.before).mean())

    def share(self, least_gain: float) -> float:
        """Return the fraction of texts that are asked."""
        return float((self.gains >= least_gain).mean())


def ask_all(coder: Coder, texts: Sequence[str], labels: np.ndarray) -> Asked:
    """Draw the question of each text, and answer it truthfully.

    Args:
        coder: whose questions have the least gain `ANY`.
        texts: n texts.
        labels: int ``(n,)``, columns of the right codes.
    """
    gains, kinds, before, after = [], [], [], []
    done = 0
    for scored in coder.scored(texts):
        for p, embedding in zip(scored.probabilities, scored.embeddings, strict=True):
            label = int(labels[done])
            question = coder.questioner.question(p, embedding)
            before.append(p.argmax() == label)
            gains.append(0.0 if question is None else question.gain)
            kinds.append('' if question is None else question.kind)
            if question is not None:
                option = question.option_of(coder.leaf_codes[label])
                p = answered(p, question, option, coder.leaf_codes, coder.questions)
            after.append(p.argmax() == label)
            done += 1
    return Asked(np.array(gains), np.array(kinds), np.array(before), np.array(after))


def least_gain_of(asked: Asked, share: float) -> float:
    """Return the least gain with which at most a fraction of the texts is asked."""
    ordered = np.sort(asked.gains)[::-1]
    return float(np.nextafter(ordered[int(share * len(ordered))], 1.0))


def read_sets(
    coder: Coder, queries: Path | None, files: Sequence[Path], leave_out: str | None
) -> dict[str, tuple[list[str], np.ndarray]]:
    """Return texts and labels of each set: test texts of a run by kind, and files."""
    column = columns_of_codes(coder)
    frames: dict[str, pl.DataFrame] = {}
    if queries is not None:
        test = pl.read_parquet(queries).filter(pl.col('split') == 'test')
        for (kind,), rows in test.group_by('kind', maintain_order=True):
            frames[str(kind)] = rows
    for path in files:
        rows = pl.read_csv(path, separator='\t', infer_schema=False, quote_char=None)
        if leave_out is not None:
            name, _, word = leave_out.partition('=')
            rows = rows.filter(~pl.col(name).fill_null('').str.contains(word, literal=True))
        frames[path.stem] = rows
    found = {}
    for name, rows in frames.items():
        kept = rows.filter(pl.col('code').is_in(list(column)))
        labels = np.array([column[code] for code in kept['code']], dtype=np.int64)
        found[name] = (kept['text'].to_list(), labels)
    return found


def main() -> None:
    """Print two tables: sets, and kinds of question over all sets."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--bundle', type=Path, help='the promoted one by default')
    parser.add_argument('--queries', type=Path)
    parser.add_argument('--file', type=Path, action='append', default=[])
    parser.add_argument('--leave-out', help='COLUMN=WORD: rows of the files to leave out')
    parser.add_argument('--share', type=float, default=0.2, help='of texts that are asked')
    parser.add_argument('--plainness', type=float, default=QuestionSettings().plainness)
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    settings = QuestionSettings(least_gain=ANY, examples=0, plainness=options.plainness)
    coder = Coder.load(options.bundle, questions=settings)
    own = own_examples(coder)
    index = np.flatnonzero(np.asarray(own.sets) == INDEX)
    validation = ask_all(coder, [own.texts[row] for row in index.tolist()], own.labels[index])
    least = least_gain_of(validation, options.share)
    console = Console()
    console.print(f'least gain, chosen on {len(index):,} validation entries: {least:.3f}')
    columns = ('texts', 'n', 'asked', 'top-1', 'with a question')
    sets = Table(*columns, f'the {options.share:.0%} that gain most', box=None)
    by_kind: dict[str, list[np.ndarray]] = {}
    results = []
    found = read_sets(coder, options.queries, options.file, options.leave_out)
    for name, (texts, labels) in found.items():
        asked = ask_all(coder, texts, labels)
        row = {
            'set': name,
            'texts': len(texts),
            'asked': asked.share(least),
            'top1': float(asked.before.mean()),
            'with_question': asked.top1(least),
            # The texts of the set that gain most, as if a batch were read in this order.
            'budget': asked.top1(least_gain_of(asked, options.share)),
        }
        results.append(row)
        shown = [f'{asked.share(least):.3f}', f'{asked.before.mean():.3f}']
        after = [f'{asked.top1(least):.3f}', f'{row["budget"]:.3f}']
        sets.add_row(name, f'{len(texts):,}', *shown, *after)
        for kind in KINDS:
            chosen = (asked.kinds == kind) & (asked.gains >= least)
            by_kind.setdefault(kind, []).append(
                np.stack([asked.before[chosen], asked.after[chosen]])
            )
    console.print(sets)
    kinds = Table('kind', 'asked', 'right before', 'right after', box=None)
    for kind, parts in by_kind.items():
        both = np.concatenate(parts, axis=1)
        if both.shape[1]:
            means = [f'{value:.3f}' for value in both.mean(axis=1)]
            kinds.add_row(kind, f'{both.shape[1]:,}', *means)
    console.print(kinds)
    if options.json is not None:
        write_json(options.json, {'least_gain': least, 'sets': results})


if __name__ == '__main__':
    main()
