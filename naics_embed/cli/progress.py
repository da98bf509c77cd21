"""Progress of a long command: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

EVERY_S = 30.0
Report = Callable[[int], None]
"""Called with the number of rows that are done, again and again; the first gives no rate."""


@contextmanager
def rows_done(total: int | None, every: float = EVERY_S) -> Iterator[Report]:
    """Yield a function that shows how many rows are done, how fast, and how long it will take.

    Args:
        total: rows in all, or about as many; None where that is not known.
        every: seconds between two lines where standard error is no terminal; 0 for none.
    """
    if not sys.stderr.isatty():
        yield _Lines(total, every)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = (SpinnerColumn(), BarColumn(), TextColumn('{task.fields[said]}'), TimeElapsedColumn())
    start = _Start()
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task('coding', total=total, said=_counted(0, total))

        def report(rows: int) -> None:
            bar.update(task, completed=rows, said=start.said(rows, total))

        yield report


class _Start:
    """Rows and time of the first report, so that what an earlier run did makes no rate."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.rows = 0

    def said(self, rows: int, total: int | None) -> str:
        """Return rows, rate, and the time that is left, in words."""
        now = time.monotonic()
        if self.at is None:
            self.at, self.rows = now, rows
        rate = (rows - self.rows) / (now - self.at) if now > self.at else 0.0
        words = [_counted(rows, total)]
        if rate > 0:
            words.append(f'{rate:,.0f} a second')
            if total and total > rows:
                words.append(f'{duration((total - rows) / rate)} left')
        return ', '.join(words)


class _Lines:
    def __init__(self, total: int | None, every: float) -> None:
        self.total = total
        self.every = every
        self.start = _Start()
        self.last = time.monotonic()

    def __call__(self, rows: int) -> None:
        said = self.start.said(rows, self.total)
        now = time.monotonic()
        if self.every > 0 and now - self.last >= self.every:
            self.last = now
            typer.echo(f'naics-embed: {said}', err=True)


def _counted(rows: int, total: int | None) -> str:
    return f'{rows:,} of about {total:,} rows' if total else f'{rows:,} rows'


def duration(seconds: float) -> str:
    """Return a duration in words: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'
