"""Where the ablation benchmark keeps the metrics of its cells."""

from pathlib import Path


def cell_file(folder: Path, profile: str, row: str, seed: int) -> Path:
    """Return where a cell's metrics are kept."""
    name = ''.join(letter if letter.isalnum() else '-' for letter in row.lower())
    return folder / profile / f'{"-".join(filter(None, name.split("-")))}-seed{seed}.json'
