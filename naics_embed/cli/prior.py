"""The option ``--prior``: how common each code is."""

from pathlib import Path
from typing import Any

from naics_embed.errors import UserError


def prior_options(prior: str | None) -> dict[str, Any]:
    """Return what `Coder.load` needs for it.

    Raises:
        UserError: it is neither a file nor ``firms``.
    """
    if prior is None:
        return {}
    from naics_embed.cli.checkout import section
    from naics_embed.evidence.population import PopulationSettings
    from naics_embed.search.populations import FIRMS

    if prior != FIRMS and not Path(prior).is_file():
        raise UserError(
            f'--prior: there is no file {prior}; give a table with the columns code and weight, '
            f'or {FIRMS}'
        )
    return {'prior': prior, 'population': section('population', PopulationSettings)}
