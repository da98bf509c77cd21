"""How often `monitor` is wrong about real answers: alarms without a change, changes without one.

    python -m benchmarks.drift --bundle BUNDLE

The bundle codes the business texts that it was calibrated with. A part of them is the reference;
weeks are resampled from the others, which have changed in nothing. A day is one of these weeks'
rows with a planted change: of the texts themselves, which are coded again, or of how often they
come. Nothing is tuned on the result.
"""

import argparse
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import write_json
from naics_embed.config.monitoring import MonitoringConfig
from naics_embed.monitoring.compare import monitor
from naics_embed.monitoring.observations import observe
from naics_embed.search.coder import Coder

START = datetime(2026, 1, 5)
WEEKS = 20
ROWS = 400
SETTINGS = MonitoringConfig()


def at_week(frame: pl.DataFrame, rows: np.ndarray, week: int) -> pl.DataFrame:
    """Return rows of a table as those of a week."""
    return frame[rows].with_columns(time=pl.lit(START + timedelta(weeks=week)))


def unchanged(
    reference: pl.DataFrame, pool: pl.DataFrame, draws: int, rng: np.random.Generator
) -> int:
    """Return how many of ``draws`` times twenty resampled weeks have an alarm."""
    found = 0
    for _ in range(draws):
        weeks = [at_week(pool, rng.integers(len(pool), size=ROWS), week) for week in range(WEEKS)]
        result = monitor(pl.concat(weeks), reference, SETTINGS)
        found += sum(bool(window.alarms) for window in result.windows)
    return found


def planted(
    coder: Coder, texts: list[str], others: list[str], pool: pl.DataFrame
) -> dict[str, tuple[pl.DataFrame, np.ndarray | None]]:
    """Return the pool after each change, with how often its rows come (None: equally)."""
    sectors = pool['code'].str.slice(0, 2)
    common, _ = Counter(sectors.to_list()).most_common(1)[0]
    weights = np.where((sectors == common).to_numpy(), 4.0, 1.0)
    return {
        'entries of an index in place of sentences': (observe(coder, others), None),
        'the first three words only': (
            observe(coder, [' '.join(text.split()[:3]) for text in texts]),
            None,
        ),
        f'sector {common} four times as often': (pool, weights / weights.sum()),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--bundle', type=Path, required=True)
    parser.add_argument('--draws', type=int, default=10, help='of twenty weeks, and of days')
    parser.add_argument('--reference', type=int, default=1100, help='texts of the reference')
    parser.add_argument('--json', type=Path)
    given = parser.parse_args()
    coder = Coder.load(given.bundle)
    rng = np.random.default_rng(0)
    queries = pl.read_parquet(given.bundle / 'coder' / 'queries.parquet')
    texts = queries.filter(pl.col('set') == 'business')['text'].unique(maintain_order=True)
    order = rng.permutation(len(texts))
    coded = observe(coder, [texts[at] for at in order.tolist()])
    reference, pool = coded[: given.reference], coded[given.reference :]
    own = [texts[at] for at in order[given.reference :].tolist()][: 2 * ROWS]
    others = queries.filter(pl.col('set') == 'index')['text'].unique(maintain_order=True)
    sample = others.sample(2 * ROWS, seed=0).to_list()

    alarms = unchanged(reference, pool, given.draws, rng)
    found: dict[str, object] = {
        'reference': len(reference),
        'pool': len(pool),
        'weeks': WEEKS * given.draws,
        'weeks with an alarm': alarms,
    }
    table = Table('planted', 'days found', 'by', title=f'{ROWS} texts a day')
    for name, (changed, weights) in planted(coder, own, sample, pool).items():
        days, by = 0, Counter[str]()
        for _ in range(given.draws):
            rows = rng.choice(len(changed), ROWS, p=weights)
            result = monitor(at_week(changed, rows, 0), reference, SETTINGS, every='day')
            days += bool(result.alarms)
            by.update(drift.name for _, drift in result.alarms)
        found[name] = {'days': given.draws, 'found': days, 'by': dict(by)}
        said = ', '.join(f'{quantity} ({count})' for quantity, count in by.most_common())
        table.add_row(name, f'{days} of {given.draws}', said)
    console = Console()
    console.print(f'{alarms} of {WEEKS * given.draws} resampled weeks have an alarm')
    console.print(table)
    if given.json is not None:
        write_json(given.json, found)


if __name__ == '__main__':
    main()
