"""What Prometheus may know of the service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from naics_embed import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
DIFFERENCES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        """Register them, all at zero."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            'naics_embed_requests',
            'Requests answered.',
            ('method', 'route', 'status'),
            registry=self.registry,
        )
        self.seconds = Histogram(
            'naics_embed_request_seconds',
            'Seconds from the first byte of a request to the last of its answer.',
            ('route',),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.running = Gauge(
            'naics_embed_requests_running', 'Requests not answered yet.', registry=self.registry
        )
        self.batch = Histogram(
            'naics_embed_batch_texts', 'Texts a request.', buckets=TEXTS, registry=self.registry
        )
        self.passes = Histogram(
            'naics_embed_pass_texts',
            'Texts of a pass of the model, which requests that wait together share.',
            buckets=TEXTS,
            registry=self.registry,
        )
        self.refused = Counter(
            'naics_embed_refused',
            'Requests without an answer by the model: busy, timeout, loading, size, encoding, '
            'invalid, host, origin, key, scope, rate, bug.',
            ('reason',),
            registry=self.registry,
        )
        self.connections = Gauge(
            'naics_embed_connections', 'Connections that are open.', registry=self.registry
        )
        self.dropped = Counter(
            'naics_embed_connections_dropped',
            'Connections closed by the service: header and write for a client that was too slow, '
            'replaced and refused because there were as many as there may be.',
            ('reason',),
            registry=self.registry,
        )
        self.ready = Gauge(
            'naics_embed_ready', '1 once the model is loaded.', registry=self.registry
        )
        self.bundle = Gauge(
            'naics_embed_bundle', 'The bundle in use.', ('bundle',), registry=self.registry
        )
        self.reloads = Counter(
            'naics_embed_reloads',
            'Looks for another bundle: switched, same, or refused by its test.',
            ('result',),
            registry=self.registry,
        )
        self.shadow_texts = Counter(
            'naics_embed_shadow_texts',
            'Texts that a candidate answered too: same, other_code, other_confident.',
            ('result',),
            registry=self.registry,
        )
        self.shadow_difference = Histogram(
            'naics_embed_shadow_probability_difference',
            'Difference of the probabilities of both best codes.',
            buckets=DIFFERENCES,
            registry=self.registry,
        )
        self.shadow_skipped = Counter(
            'naics_embed_shadow_skipped',
            'Texts that the candidate did not answer, for too many waited.',
            registry=self.registry,
        )
        self.shadow_failed = Counter(
            'naics_embed_shadow_failed',
            'Requests that the candidate could not answer.',
            registry=self.registry,
        )
        version = Gauge(
            'naics_embed_version', 'The version that runs.', ('version',), registry=self.registry
        )
        version.labels(__version__).set(1)

    def text(self) -> bytes:
        """Return them in Prometheus' format."""
        return generate_latest(self.registry)
