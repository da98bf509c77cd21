"""The section of the configuration that says when a run report calls a metric good."""

from dataclasses import dataclass

from naics_embed.value_checks import require


@dataclass(frozen=True)
class ReportConfig:
    """Marks of the run report, and how much it shows.

    Attributes:
        standard_errors: by how many a retrieval metric must lie above the best baseline.
        ceiling_fraction: fraction of its ceiling that a metric of the tree should reach.
        calibration: greatest expected calibration error of the coder.
        hidden_parents: fraction of hidden codes whose parent should be the nearest code above.
        bins: bins of the reliability diagrams.
        errors: errors shown in words.
    """

    standard_errors: float
    ceiling_fraction: float
    calibration: float
    hidden_parents: float
    bins: int
    errors: int

    def __post_init__(self) -> None:
        errors = self.standard_errors
        require(errors >= 0, 'report.standard_errors', errors, 'at least 0')
        for name in ('ceiling_fraction', 'calibration', 'hidden_parents'):
            fraction = getattr(self, name)
            require(0 < fraction <= 1, f'report.{name}', fraction, 'in (0, 1]')
        for name, least in (('bins', 2), ('errors', 0)):
            count = getattr(self, name)
            require(count >= least, f'report.{name}', count, f'at least {least}')
