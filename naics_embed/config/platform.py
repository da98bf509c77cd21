"""Where a run keeps its records, and where its stages run."""

import re
from dataclasses import dataclass

from naics_embed.value_checks import require

BLOCK = re.compile(r'[a-z0-9-]+/[a-z0-9-]+')
"""A kind of block of Prefect's, and a name."""
CORES_A_STAGE = 4
"""On fewer, a second stage takes time and memory from the first."""


@dataclass(frozen=True)
class TrackingConfig:
    """MLflow.

    Attributes:
        uri: tracking URI; null for MLFLOW_TRACKING_URI, else a SQLite file under the artifact root.
        experiment: name of the experiment.
    """

    uri: str | None
    experiment: str


@dataclass(frozen=True)
class RuntimeConfig:
    """The machine.

    Attributes:
        root: directory under which every stage writes; it also holds locks and results.
        seed: seed of every draw.
        threads: CPU threads; null for the number of cores.
        parallel: stages computed at a time on this machine; null for one for every
            `CORES_A_STAGE` cores.
        promote: whether the run's table becomes the one that ``naics-embed search`` uses.
    """

    root: str
    seed: int
    threads: int | None
    parallel: int | None
    promote: bool

    def __post_init__(self) -> None:
        require(self.seed >= 0, 'runtime.seed', self.seed, 'at least 0')
        threads = self.threads
        require(threads is None or threads >= 1, 'runtime.threads', threads, 'at least 1')
        parallel = self.parallel
        require(parallel is None or parallel >= 1, 'runtime.parallel', parallel, 'at least 1')

    def stages_at_a_time(self, cores: int) -> int:
        """Return how many stages a machine with so many cores computes at a time."""
        return self.parallel or max(1, cores // CORES_A_STAGE)


@dataclass(frozen=True)
class PlatformConfig:
    """Where stages run.

    Attributes:
        routes: stage → deployment that computes it, such as ``text_training: text-training/gpu``;
            the others run in the flow's own process. ``pipeline/NAME`` computes any stage.
        remote_cache: address where hosts find each other's outputs, such as ``s3://bucket/folder``,
            or ``remote-file-system/NAME``, a block of Prefect's server that has it; null where they
            share the artifact root, or nothing.
        stage_timeout_s: seconds after which a stage is stopped and the run fails; null for no
            limit.
    """

    routes: dict[str, str]
    remote_cache: str | None
    stage_timeout_s: float | None

    def __post_init__(self) -> None:
        for stage, deployment in self.routes.items():
            flows = ('pipeline', stage.replace('_', '-'))
            flow, _, name = deployment.partition('/')
            require(
                flow in flows and bool(name) and '/' not in name,
                f'platform.routes.{stage}',
                deployment,
                f'{" or ".join(f"{one}/DEPLOYMENT" for one in flows)}, such as pipeline/on-gpu',
            )
        remote_cache = self.remote_cache
        require(
            remote_cache is None
            or '://' in remote_cache
            or BLOCK.fullmatch(remote_cache) is not None,
            'platform.remote_cache',
            remote_cache,
            'null, an address that fsspec knows, such as s3://bucket/folder, or a storage block of '
            "Prefect's server: remote-file-system/NAME",
        )
        limit = self.stage_timeout_s
        require(
            limit is None or limit > 0, 'platform.stage_timeout_s', limit, 'null or seconds above 0'
        )
