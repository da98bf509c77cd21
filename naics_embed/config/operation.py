"""The parts of the section ``service`` that are off unless they are asked for."""

from dataclasses import dataclass

from naics_embed.value_checks import require


@dataclass(frozen=True)
class KeysConfig:
    """API keys.

    Attributes:
        file: file of the hashed keys; null for a service without keys.
        reread_s: seconds after which a change of the file is noticed.
    """

    file: str | None = None
    reread_s: float = 1.0

    def __post_init__(self) -> None:
        require(self.reread_s > 0, 'service.keys.reread_s', self.reread_s, 'positive')


@dataclass(frozen=True)
class ReloadConfig:
    """A new bundle without a restart.

    Attributes:
        watch_s: seconds between looks at what is promoted; null for none.
        self_test_texts: known texts that a new bundle must answer before it is used.
        self_test_accuracy: least fraction of them that must get their own code.
    """

    watch_s: float | None = 5.0
    self_test_texts: int = 64
    self_test_accuracy: float = 0.9

    def __post_init__(self) -> None:
        watch, texts, least = self.watch_s, self.self_test_texts, self.self_test_accuracy
        require(watch is None or watch > 0, 'service.reload.watch_s', watch, 'positive, or null')
        require(texts >= 1, 'service.reload.self_test_texts', texts, 'at least 1')
        require(0 <= least <= 1, 'service.reload.self_test_accuracy', least, 'from 0 to 1')


@dataclass(frozen=True)
class ShadowConfig:
    """A candidate that answers too, and whose answers are only compared.

    Attributes:
        bundle: directory of the candidate; null for none.
        fraction: fraction of requests that it answers too.
        queue: requests that wait for it; more are left out.
    """

    bundle: str | None = None
    fraction: float = 1.0
    queue: int = 16

    def __post_init__(self) -> None:
        require(0 < self.fraction <= 1, 'service.shadow.fraction', self.fraction, 'in (0, 1]')
        require(self.queue >= 1, 'service.shadow.queue', self.queue, 'at least 1')


@dataclass(frozen=True)
class JobsConfig:
    """Files that are coded for clients.

    Attributes:
        folder: where files and results are kept; null for a service without jobs.
        max_bytes: largest file.
        upload_timeout_s: seconds in which a file must arrive.
        max_waiting: jobs that run or wait; one more is refused.
        part_rows: rows coded and saved at a time.
        keep_hours: hours after its end for which a job and its result are kept.
        large_rows: rows from which a file is coded by the deployment, where there is one.
        deployment: deployment of the flow ``code-batch``, as FLOW/NAME; null for none. The address
            of its server is ``PREFECT_API_URL``.
        poll_s: seconds between looks at its run.
    """

    folder: str | None = None
    max_bytes: int = 104857600
    upload_timeout_s: float = 600.0
    max_waiting: int = 20
    part_rows: int = 512
    keep_hours: float = 24.0
    large_rows: int = 50000
    deployment: str | None = None
    poll_s: float = 5.0

    def __post_init__(self) -> None:
        for name in ('upload_timeout_s', 'keep_hours', 'poll_s'):
            value = getattr(self, name)
            require(0 < value < float('inf'), f'service.jobs.{name}', value, 'positive')
        for name in ('max_bytes', 'max_waiting', 'part_rows', 'large_rows'):
            count = getattr(self, name)
            require(count >= 1, f'service.jobs.{name}', count, 'at least 1')
        deployment = self.deployment
        parts = [] if deployment is None else deployment.split('/')
        require(
            deployment is None or (len(parts) == 2 and all(parts)),
            'service.jobs.deployment',
            deployment,
            'FLOW/NAME, such as code-batch/cpu, or null',
        )


@dataclass(frozen=True)
class SuggestConfig:
    """Search as you type.

    Attributes:
        limit: suggestions, where the request does not say.
        max_limit: most suggestions.
        max_characters: longest query.
    """

    limit: int = 10
    max_limit: int = 50
    max_characters: int = 100

    def __post_init__(self) -> None:
        for name in ('limit', 'max_limit', 'max_characters'):
            count = getattr(self, name)
            require(count >= 1, f'service.suggest.{name}', count, 'at least 1')


@dataclass(frozen=True)
class LogsConfig:
    """What the service says of itself.

    Attributes:
        json: whether each line of the log is a JSON object.
        requests: whether each request has a line: route, status and time, never its text.
        traces: whether spans are sent by OTLP; where to is in the variables of OpenTelemetry, such
            as ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        answers: folder for a line an answer, which ``naics-embed monitor`` reads; null for none.
        answer_texts: whether these lines hold the texts.
    """

    json: bool = False
    requests: bool = False
    traces: bool = False
    answers: str | None = None
    answer_texts: bool = False
