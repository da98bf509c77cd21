"""Observations from several files."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from naics_embed.errors import UserError
from naics_embed.monitoring.observations import is_observations, read_coded, read_observations
from naics_embed.search.coded_columns import PREFIX
from naics_embed.search.coder import Coder


def read_files(
    paths: Sequence[Path],
    *,
    prefix: str = PREFIX,
    text_column: str | None = None,
    time_column: str | None = None,
    coder: Coder | None = None,
) -> pl.DataFrame:
    """Read what was observed from coded tables and logged observations; folders are searched.

    Args:
        paths: files, or folders of parquet files or of the service's log.
        prefix: see `naics_embed.monitoring.observations.read_coded`, as for the others.
        text_column: of coded tables.
        time_column: of coded tables.
        coder: of coded tables.

    Raises:
        UserError: a file does not exist, or cannot be read.
    """
    frames = []
    for path in files_of(paths):
        if is_observations(path):
            frames.append(read_observations(path))
        else:
            frames.append(
                read_coded(
                    path,
                    prefix=prefix,
                    text_column=text_column,
                    time_column=time_column,
                    coder=coder,
                )
            )
    return pl.concat(frames)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return files, and those in folders. Raises UserError where there is none."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob('*.parquet'), *path.glob('*.jsonl')])
            if not inside:
                raise UserError(f'{path} has no file ending in .parquet or .jsonl')
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f'{path} does not exist')
    return found
