"""Where an answer comes from: which bundle, which classification, which software, when."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from naics_embed import __version__
from naics_embed.artifacts import content_key
from naics_embed.bundle.storage import CODER, Bundle

CLASSIFICATION = 'NAICS'
VINTAGE = 2022
CALIBRATION_FILE = f'{CODER}/queries.parquet'
"""The labelled texts to which the weights and the calibration were fitted."""
FUSION_FILE = f'{CODER}/fusion.json'
LEARNED = 'learned'
"""Key of the manifest: the sources of labelled texts that a derived bundle has learned."""
KEY = 20
"""Characters of a key of content."""
TIME = 'time'
FIELDS = ('bundle', 'vintage', 'classification', 'version', 'calibration', TIME)


@dataclass(frozen=True)
class Provenance:
    """Where an answer comes from.

    Attributes:
        bundle: key of the content of the bundle's files.
        vintage: year of the classification.
        classification: its name.
        version: of this library.
        calibration: key of the labelled texts to which the probabilities were calibrated; None for
            a bundle that gives none.
        time: when the answer was given, UTC, to the second; None where that is not recorded.

    Example:
        >>> where = Provenance('b0', '2022', 'NAICS', '0.1.0', 'c0')
        >>> where.now().time is not None, where.to_dict()['vintage']
        (True, '2022')
    """

    bundle: str
    vintage: str
    classification: str
    version: str
    calibration: str | None
    time: str | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> 'Provenance':
        """Return what is to be said of answers by a bundle."""
        manifest = bundle.manifest
        return cls(
            content_key(manifest['files']),
            str(manifest.get('vintage', VINTAGE)),
            str(manifest.get('classification', CLASSIFICATION)),
            __version__,
            _calibration(manifest),
        )

    def now(self) -> 'Provenance':
        """Return the same with the present time."""
        return replace(self, time=datetime.now(UTC).isoformat(timespec='seconds'))

    def to_dict(self) -> dict[str, str | None]:
        """Return plain values, one for each of `FIELDS`."""
        return asdict(self)

    def lasting(self) -> dict[str, str]:
        """Return what does not change from one run to the next: all that is known but the time."""
        return {name: value for name, value in asdict(self).items() if name != TIME and value}


def _calibration(manifest: dict[str, Any]) -> str | None:
    files = manifest['files']
    digest = files.get(CALIBRATION_FILE, files.get(FUSION_FILE))
    if digest is None:
        return None
    learned = [[each['name'], each['rows']] for each in manifest.get(LEARNED, ())]
    return content_key([digest, learned]) if learned else str(digest)[:KEY]
