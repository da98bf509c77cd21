"""How common each code is where texts come from, as evidence beside the text."""

from dataclasses import dataclass

import numpy as np

from naics_embed.errors import ConfigError


@dataclass(frozen=True)
class PopulationSettings:
    """How much the population counts.

    Attributes:
        weight: exponent on the fractions of codes, 0 … 1: below 1 as the texts of a file are seldom
            drawn from the whole population.
        smoothing: establishments, or what is counted, that the expectation counts for in each
            code with children.
        improbable: logits taken off codes that private firms cannot have.
    """

    weight: float = 0.3
    smoothing: float = 5.0
    improbable: float = 4.0

    def __post_init__(self) -> None:
        self._require(0 < self.weight <= 1, 'weight', 'above 0 and at most 1')
        self._require(self.smoothing > 0, 'smoothing', 'above 0')
        self._require(self.improbable >= 0, 'improbable', 'at least 0')

    def _require(self, kept: bool, key: str, requirement: str) -> None:
        if not kept:
            raise ConfigError(f'population.{key} must be {requirement}, not {getattr(self, key)!r}')


@dataclass(frozen=True)
class Population:
    """Logits that are added to those of the text.

    The training texts are spread evenly over the codes, so the probabilities of a text are its
    likelihoods up to a factor, and those of codes are multiplied in.

    Attributes:
        name: what it is, for records.
        logits: float64 ``(leaves,)``.

    Example:
        >>> rare = Population('rare', np.log([1.0, 0.25]))
        >>> rare.applied(np.array([[0.5, 0.5]])).round(2).tolist()
        [[0.8, 0.2]]
    """

    name: str
    logits: np.ndarray

    def applied(self, probabilities: np.ndarray) -> np.ndarray:
        """Return probabilities given text and population, float64 ``(q, leaves)``.

        Args:
            probabilities: given the text alone; rows add up to 1.
        """
        p = probabilities * np.exp(self.logits - self.logits.max())
        result: np.ndarray = p / p.sum(axis=1, keepdims=True)
        return result
