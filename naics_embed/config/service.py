"""The part of the schema that the HTTP service reads."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields

from naics_embed.config.addresses import parse_authority, parse_origin
from naics_embed.config.operation import (
    JobsConfig,
    KeysConfig,
    LogsConfig,
    ReloadConfig,
    ShadowConfig,
    SuggestConfig,
)
from naics_embed.questions.settings import QuestionSettings
from naics_embed.value_checks import require

ANY = '*'
"""In a list of hosts or origins: all of them."""


@dataclass(frozen=True)
class ServiceConfig:
    """The HTTP service. The defaults are those of ``configs/base.yaml``, which a wheel lacks.

    Attributes:
        host: address that it listens on.
        port: port.
        allowed_hosts: what the header ``Host`` may name besides the loopback addresses, ``host``
            and the address that a connection came to; without a port for any; ``*`` for all.
        allowed_origins: pages of other origins that may use the service, such as
            ``https://example.org``; ``*`` for all.
        max_connections: most connections at a time; fewer where the process may not open so many
            files.
        workers: threads that run the model; null for half of the cores, at least one.
        threads: torch threads of each of them.
        queue: requests that wait for a worker; one more is refused with 503.
        batch_texts: most texts of a pass of the model that several requests share; 1 for no
            sharing.
        timeout_s: seconds that a request may take, waiting included; then it gets 504.
        body_timeout_s: seconds in which a request's body must arrive; then it gets 408.
        header_timeout_s: seconds in which the headers of a request must arrive, from the opening of
            the connection or the first byte of a further request; then the connection is closed.
        keep_alive_s: seconds that a connection may rest between requests.
        write_timeout_s: seconds in which a client must take what is sent; then the connection is
            closed.
        shutdown_s: seconds that running requests get to end when the service is stopped.
        max_body_bytes: largest body; a larger one gets 413.
        max_texts: most texts in a request; more get 413.
        max_rows: most rows of a table that the page reads or writes; more get 413.
        max_characters: longest text; a longer one gets 422.
        max_k: most codes for a text, or similar codes for a code.
        max_evidence: most training texts and matching terms for a code.
        k: codes for a text, where the request does not say.
        confidence: least probability of the confident code, where the request does not say.
        similar: similar codes for a code, where the request does not say.
        map_stretch: factor on the radii of the map, for a bundle that was exported without one.
        questions: when questions are asked, and how reliable their answers are.
        keys: who may use it.
        reload: how a new bundle takes the place of the one in use.
        shadow: a candidate that answers too.
        jobs: files that are coded for clients.
        suggest: search as you type.
        logs: what it says of itself.
    """

    host: str = '127.0.0.1'
    port: int = 8722
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_connections: int = 1000
    workers: int | None = None
    threads: int = 1
    queue: int = 64
    batch_texts: int = 32
    timeout_s: float = 30.0
    header_timeout_s: float = 10.0
    body_timeout_s: float = 10.0
    write_timeout_s: float = 60.0
    keep_alive_s: float = 5.0
    shutdown_s: int = 10
    max_body_bytes: int = 1048576
    max_texts: int = 256
    max_rows: int = 2000
    max_characters: int = 5000
    max_k: int = 100
    max_evidence: int = 10
    k: int = 5
    confidence: float = 0.8
    similar: int = 10
    map_stretch: float = 2.0
    questions: QuestionSettings = field(default_factory=QuestionSettings)
    keys: KeysConfig = field(default_factory=KeysConfig)
    reload: ReloadConfig = field(default_factory=ReloadConfig)
    shadow: ShadowConfig = field(default_factory=ShadowConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)
    suggest: SuggestConfig = field(default_factory=SuggestConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, 'port', self.port, 'from 0 to 65535')
        _require(0 < self.confidence <= 1, 'confidence', self.confidence, 'in (0, 1]')
        for name, parse, expected in (
            ('allowed_hosts', parse_authority, 'hosts such as naics.example.org or 10.0.0.5:8722'),
            ('allowed_origins', parse_origin, 'origins such as https://example.org'),
        ):
            value = getattr(self, name)
            _require(_all_parsed(value, parse), name, value, f"a list of {expected}, or ['{ANY}']")
        seconds = {f.name for f in fields(self) if f.name.endswith('_s')} - {'shutdown_s'}
        for name in sorted({'map_stretch', *seconds}):
            value = getattr(self, name)
            _require(0 < value < float('inf'), name, value, 'positive')
        for name in ('queue', 'shutdown_s', 'max_evidence', 'similar'):
            count = getattr(self, name)
            _require(count >= 0, name, count, 'at least 0')
        positive = {f.name for f in fields(self) if f.name.startswith('max_')} - {'max_evidence'}
        for name in sorted({'workers', 'threads', 'batch_texts', 'k', *positive}):
            count = getattr(self, name)
            _require(count is None or count >= 1, name, count, 'at least 1')
        for name in ('k', 'similar'):
            count = getattr(self, name)
            _require(count <= self.max_k, name, count, f'at most service.max_k, {self.max_k}')


def _all_parsed(values: object, parse: Callable[[str], object]) -> bool:
    return isinstance(values, tuple) and all(
        value == ANY or (isinstance(value, str) and parse(value) is not None) for value in values
    )


def _require(kept: bool, name: str, value: object, expected: str) -> None:
    require(kept, f'service.{name}', value, expected)
