"""Settings of prior codes, see `naics_embed.evidence.reliability`."""

from dataclasses import dataclass

from naics_embed.errors import ConfigError

SHARES = ('other_sector', 'sector', 'subsector', 'group', 'industry', 'right')
"""How near a prior code is to the right one, from far to near."""


@dataclass(frozen=True)
class PriorCodeSettings:
    """What is expected of prior codes before the rows of a file say more.

    Attributes:
        right: fraction of codes that are right; a code of fewer than six digits is right where the
            right code is below it.
        industry: share whose first five digits are right.
        group: share whose first four digits are right, and no more.
        subsector: share whose first three digits are right, and no more.
        sector: share whose sector is right, and no more.
        other_sector: share that have nothing in common with the right code.
        strength: rows that these shares count for.
        fitted_rows: most rows of a file from which the shares are estimated.
        fewest: fewest rows from which they are.
        seed: seed of the sample of rows.
    """

    right: float = 0.70
    industry: float = 0.04
    group: float = 0.06
    subsector: float = 0.06
    sector: float = 0.06
    other_sector: float = 0.08
    strength: float = 20.0
    fitted_rows: int = 1000
    fewest: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in SHARES:
            self._require(getattr(self, name) > 0, name, 'above 0')
        total = sum(getattr(self, name) for name in SHARES)
        if abs(total - 1) > 1e-9:
            raise ConfigError(f'prior_codes: the shares must add up to 1, not to {total:g}')
        self._require(self.strength > 0, 'strength', 'above 0')
        for name in ('fitted_rows', 'fewest'):
            self._require(getattr(self, name) >= 1, name, 'at least 1')

    def _require(self, kept: bool, key: str, requirement: str) -> None:
        if not kept:
            raise ConfigError(
                f'prior_codes.{key} must be {requirement}, not {getattr(self, key)!r}'
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares, in the order of `SHARES`."""
        return tuple(getattr(self, name) for name in SHARES)
