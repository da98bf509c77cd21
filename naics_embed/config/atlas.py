"""The part of the schema that draws the table."""

from dataclasses import dataclass

from naics_embed.config.checks import require


@dataclass(frozen=True)
class AtlasConfig:
    """The map of all codes in the Poincaré disk.

    Attributes:
        stretch: factor on the table's radii; more parts the leaves, and presses them to the rim.
    """

    stretch: float

    def __post_init__(self) -> None:
        require(0 < self.stretch <= 4, 'atlas.stretch', self.stretch, 'in (0, 4]')
