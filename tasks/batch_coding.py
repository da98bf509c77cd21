"""Task: code one partition of a data set; runs in any process of a Dask cluster."""

import threading
from pathlib import Path

import torch
from prefect import task
from prefect.cache_policies import NO_CACHE

from naics_embed.search.coder import Coder
from naics_embed.search.partitions import (
    Partition,
    PartitionReport,
    PartitionSettings,
    code_partition,
)

_coders: dict[tuple[str, str, str], Coder] = {}
_loading = threading.Lock()


def process_coder(path: Path, key: str, precision: str) -> Coder:
    """Return the coder of a bundle, loaded once a process; one is kept at a time.

    Args:
        path: directory of the bundle.
        key: hash of its content, so that a bundle that is exported again is loaded again.
        precision: of the encoder.
    """
    identity = (str(path), key, precision)
    with _loading:
        if identity not in _coders:
            _coders.clear()
            _coders[identity] = Coder.load(path, precision=precision)
        return _coders[identity]


@task(
    name='code-partition',
    task_run_name='code-{partition.name}',
    persist_result=False,
    cache_policy=NO_CACHE,
)
def code_one(
    partition: Partition,
    out: Path,
    settings: PartitionSettings,
    bundle: Path,
    key: str,
    threads: int,
) -> PartitionReport:
    """Code a partition, unless it is coded already.

    Args:
        partition: what to code.
        out: folder of the output.
        settings: how.
        bundle: directory of the bundle.
        key: hash of its content.
        threads: threads that texts are encoded with.
    """

    def load() -> Coder:
        torch.set_num_threads(threads)
        return process_coder(bundle, key, settings.precision)

    return code_partition(partition, out, settings, key, load)
