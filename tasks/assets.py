"""The outputs of a run as assets in Prefect: the codebook, the trained model, the bundle.

An asset is known by an address that is the same on every host; its versions are the events of the
runs that computed it. What it was made from follows from the graph of stages.
"""

from collections.abc import Mapping
from typing import Any

from prefect.assets import Asset, AssetProperties

SCHEME = 'naics'
"""Prefect takes letters and digits only."""


def _asset(name: str, description: str) -> Asset:
    properties = AssetProperties(name=f'NAICS {name}', description=description)
    return Asset(key=f'{SCHEME}://{name}', properties=properties)


CODEBOOK = _asset('codebook', 'Codes of the NAICS with titles, descriptions and exclusion texts')
MODEL = _asset('model', 'Trained query encoder and table of codes')
BUNDLE = _asset('bundle', 'What search, coding and the service load')

OF_STAGE = {'codebook': CODEBOOK, 'text_training': MODEL, 'export': BUNDLE}
"""Stage → the asset that it computes. Kept here: in a stage's own file it would be in its key."""


def describe(asset: Asset, record: Mapping[str, Any]) -> None:
    """Add to the event of an asset which content it is; no path, and nothing of a host.

    Call it inside the task that computes the asset.

    Args:
        asset: the asset.
        record: what the stage returns.
    """
    asset.add_metadata(
        {
            'key': record['key'],
            'mlflow_run': record['run_id'],
            'origin': 'fetched from the remote cache' if record['cached'] else 'computed',
            'sha256': {name: entry['sha256'] for name, entry in record['files'].items()},
        }
    )
