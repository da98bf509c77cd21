"""A progress bar for downloads, on a terminal only."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from naics_embed.census.request import Progress as Report


@contextmanager
def download_progress() -> Iterator[Report | None]:
    """Yield what reports (name, bytes so far, bytes in all) to a bar; None off a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn('{task.description}'), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        rows: dict[str, TaskID] = {}

        def report(name: str, done: int, total: int | None) -> None:
            if name not in rows:
                rows[name] = bar.add_task(name, total=total)
            bar.update(rows[name], completed=done, total=total)

        yield report
