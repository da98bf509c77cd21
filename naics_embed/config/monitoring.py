"""The part of the schema that compares coded texts with earlier ones."""

from dataclasses import dataclass

from naics_embed.value_checks import require


@dataclass(frozen=True)
class MonitoringConfig:
    """When a change of the incoming texts is reported.

    Attributes:
        psi: least population stability index of an alarm; by convention 0.1 is a moderate change
            and 0.25 a large one.
        alpha: probability of a false alarm of one window, over all that is compared in it.
        least_rows: rows below which a window is not judged.
        bins: bins of numbers, with equal fractions of the reference.
        least_expected: least expected rows of a bin; rarer codes are counted together.
        reference_rows: labelled texts of a bundle that are coded where no reference is given.
        audit_fraction: part of the automatic codes of the last window that the scheduled flow
            queues in the review, drawn at random; 0 for none.
        audit_seed: of the draw.
    """

    psi: float = 0.1
    alpha: float = 0.001
    least_rows: int = 200
    bins: int = 10
    least_expected: float = 5.0
    reference_rows: int = 4000
    audit_fraction: float = 0.0
    audit_seed: int = 0

    def __post_init__(self) -> None:
        require(self.psi >= 0, 'monitoring.psi', self.psi, 'at least 0')
        require(0 < self.alpha < 1, 'monitoring.alpha', self.alpha, 'above 0 and below 1')
        for name in ('least_rows', 'reference_rows'):
            value = getattr(self, name)
            require(value >= 1, f'monitoring.{name}', value, 'at least 1')
        fraction = self.audit_fraction
        require(0 <= fraction <= 1, 'monitoring.audit_fraction', fraction, 'from 0 to 1')
        require(self.bins >= 2, 'monitoring.bins', self.bins, 'at least 2')
        require(
            self.least_expected >= 1, 'monitoring.least_expected', self.least_expected, 'at least 1'
        )
