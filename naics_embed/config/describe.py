"""The part of a configuration that says what a model is, for exports and for the keys of stages.

Which server logs a run, where its files lie and how many threads it has say nothing about the
model; folders and addresses of the machine that built it are private.
"""

from pathlib import Path
from typing import Any

from naics_embed.config.schema import Config
from naics_embed.config.sections import to_dict

OPERATIONAL = (
    'batch',
    'tracking',
    'platform',
    'service',
    'review',
    'prior_codes',
    'population',
    'learning',
)
"""Sections that say how and where the project runs, or how a bundle is used."""
DESCRIBING = {'data': ('roles', 'plain_language'), 'runtime': ('seed',)}
"""Section → the values of it that describe the model; the source is described by its checksums."""
UNUSED = {'promotion': ('force', 'model')}
"""Section → values of it that no stage reads."""


def describing(config: Config) -> dict[str, Any]:
    """Return the values that describe the model, as nested dictionaries.

    Paths of the user's own files are given by their last name alone; what they hold counts by
    checksum, as inputs of stages.
    """
    described = {
        section: {
            name: value
            for name, value in values.items()
            if name in DESCRIBING.get(section, values) and name not in UNUSED.get(section, ())
        }
        for section, values in to_dict(config).items()
        if section not in OPERATIONAL
    }
    described['backbone']['name'] = _name(config.backbone.name)
    if config.regression.outcomes is not None:
        described['regression']['outcomes'] = Path(config.regression.outcomes).name
    return described


def _name(backbone: str) -> str:
    """Return the name of a backbone on the hub, or that of its folder."""
    folder = Path(backbone).expanduser()
    return folder.resolve().name if folder.is_dir() else backbone
