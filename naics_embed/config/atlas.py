"""The part of the schema that draws the table."""

from dataclasses import dataclass

from naics_embed.value_checks import require


@dataclass(frozen=True)
class AtlasConfig:
    """The map of all codes in the Poincaré disk.

    Attributes:
        stretch: factor on the table's radii; more parts the leaves, and presses them to the rim.
        steps: of the fit of the sectors' widths; 0 gives every leaf the same.
        sample: codes drawn a step, whose distances to all others enter the stress.
        rate: learning rate of the fit, falling to 0.
        seed: of the draws.
    """

    stretch: float
    steps: int
    sample: int
    rate: float
    seed: int

    def __post_init__(self) -> None:
        require(0 < self.stretch <= 4, 'atlas.stretch', self.stretch, 'in (0, 4]')
        require(self.steps >= 0, 'atlas.steps', self.steps, 'at least 0')
        require(self.sample >= 1, 'atlas.sample', self.sample, 'at least 1')
        require(self.rate > 0, 'atlas.rate', self.rate, 'above 0')
