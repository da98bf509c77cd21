"""Where a run keeps its records, and where its stages run."""

from dataclasses import dataclass

from naics_embed.config.checks import require


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
        promote: whether the run's table becomes the one that ``naics-embed search`` uses.
    """

    root: str
    seed: int
    threads: int | None
    promote: bool

    def __post_init__(self) -> None:
        require(self.seed >= 0, 'runtime.seed', self.seed, 'at least 0')
        threads = self.threads
        require(threads is None or threads >= 1, 'runtime.threads', threads, 'at least 1')


@dataclass(frozen=True)
class PlatformConfig:
    """Where stages run.

    Attributes:
        text_training: deployment that trains, such as ``text-training/gpu``; null for this process.
        share: address where hosts find each other's outputs, such as ``s3://bucket/folder``; null
            where they share the artifact root, or nothing.
        stage_timeout_s: seconds after which a stage is stopped and the run fails; null for no
            limit.
    """

    text_training: str | None
    share: str | None
    stage_timeout_s: float | None

    def __post_init__(self) -> None:
        name = self.text_training
        require(
            name is None or len([part for part in name.split('/') if part]) == 2,
            'platform.text_training',
            name,
            'null or FLOW/DEPLOYMENT, such as text-training/gpu',
        )
        share = self.share
        require(
            share is None or '://' in share,
            'platform.share',
            share,
            'null or an address that fsspec knows, such as s3://bucket/folder',
        )
        limit = self.stage_timeout_s
        require(
            limit is None or limit > 0, 'platform.stage_timeout_s', limit, 'null or seconds above 0'
        )
