"""The part of the schema that codes data sets at scale."""

from dataclasses import dataclass

from naics_embed.text.inference.precisions import PRECISIONS
from naics_embed.value_checks import one_of, require


@dataclass(frozen=True)
class BatchConfig:
    """Coding of partitioned data sets on Dask.

    Attributes:
        scheduler: address of a Dask scheduler, such as ``tcp://10.0.0.5:8786``; null for a cluster
            of this machine that lives as long as the run.
        workers: processes of that cluster; null for one a core.
        threads: threads that a partition is encoded with; workers code one partition at a time.
        memory: bytes that a worker of that cluster may use, such as 4GB; Dask pauses it at 80 %
            and restarts it at 95 %.
        partition_rows: rows of a partition, where the input is a single file.
        part_rows: rows of a partition in memory at a time.
        worker_deaths: workers that may die over a partition before it is given up.
        precision: number format of the encoder: float32, or bfloat16, which is faster where the
            processor supports it and changes the answers to a few texts.
    """

    scheduler: str | None
    workers: int | None
    threads: int
    memory: str
    partition_rows: int
    part_rows: int
    worker_deaths: int
    precision: str

    def __post_init__(self) -> None:
        workers = self.workers
        require(workers is None or workers >= 1, 'batch.workers', workers, 'at least 1, or null')
        for name in ('threads', 'partition_rows', 'part_rows'):
            value = getattr(self, name)
            require(value >= 1, f'batch.{name}', value, 'at least 1')
        one_of('batch.precision', self.precision, PRECISIONS)
        require(self.worker_deaths >= 0, 'batch.worker_deaths', self.worker_deaths, 'at least 0')
