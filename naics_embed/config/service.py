"""The part of the schema that the HTTP service reads."""

from dataclasses import dataclass, fields

from naics_embed.config.checks import require


@dataclass(frozen=True)
class ServiceConfig:
    """The HTTP service. The defaults are those of ``configs/base.yaml``, which a wheel lacks.

    Attributes:
        host: address that it listens on.
        port: port.
        workers: threads that run the model; null for half of the cores, at least one.
        threads: torch threads of each of them.
        queue: requests that wait for a worker; one more is refused with 503.
        batch_texts: most texts of a pass of the model that several requests share; 1 for no
            sharing.
        timeout_s: seconds that a request may take, waiting included; then it gets 504.
        body_timeout_s: seconds in which a request's body must arrive; then it gets 408.
        shutdown_s: seconds that running requests get to end when the service is stopped.
        max_body_bytes: largest body; a larger one gets 413.
        max_texts: most texts in a request; more get 413.
        max_characters: longest text; a longer one gets 422.
        max_k: most codes for a text, or similar codes for a code.
        max_evidence: most known texts and words for a code.
        k: codes for a text, where the request does not say.
        confidence: least probability of the back-off code, where the request does not say.
        similar: similar codes for a code, where the request does not say.
        map_stretch: factor on the radii of the map, for a bundle that was exported without one.
    """

    host: str = '127.0.0.1'
    port: int = 8722
    workers: int | None = None
    threads: int = 1
    queue: int = 64
    batch_texts: int = 32
    timeout_s: float = 30.0
    body_timeout_s: float = 10.0
    shutdown_s: int = 10
    max_body_bytes: int = 1048576
    max_texts: int = 256
    max_characters: int = 5000
    max_k: int = 100
    max_evidence: int = 10
    k: int = 5
    confidence: float = 0.8
    similar: int = 10
    map_stretch: float = 2.0

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, 'port', self.port, 'from 0 to 65535')
        _require(0 < self.confidence <= 1, 'confidence', self.confidence, 'in (0, 1]')
        for name in ('timeout_s', 'body_timeout_s', 'map_stretch'):
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


def _require(kept: bool, name: str, value: object, wanted: str) -> None:
    require(kept, f'service.{name}', value, wanted)
