"""Exact intervals for fractions of a finite population, from a sample without replacement."""

from collections.abc import Callable
from math import exp, lgamma

CONFIDENCE = 0.95


def finite_interval(
    found: int, sample: int, population: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval for the fraction of a population that has a property.

    The analogue of Clopper's and Pearson's for the hypergeometric distribution: both tails are
    inverted (Buonaccorsi, American Statistician 1987), so it covers at least as often as it says.
    A sample of the whole population gives the share itself.

    Args:
        found: how many of the sample have it.
        sample: size of the sample.
        population: size of the population.
        confidence: how often the interval has to cover.

    Example:
        >>> finite_interval(1, 4, 4)
        (0.25, 0.25)
        >>> low, high = finite_interval(0, 60, 1000)
        >>> low, round(high, 3)
        (0.0, 0.058)
    """
    if population == 0 or sample == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    least, most = found, population - (sample - found)

    def above(having: int) -> bool:
        return _at_most(population - having, sample, population, sample - found) > tail

    def below(having: int) -> bool:
        return _at_most(having, sample, population, found) > tail

    low = _first(least, most, above)
    # The last number at which the lower tail is still probable.
    high = _first(least, most + 1, lambda having: having > most or not below(having)) - 1
    return low / population, max(high, low) / population


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the first number for which something holds that holds for all after it."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _at_most(having: int, sample: int, population: int, found: int) -> float:
    """Return the probability that a sample has at most ``found`` of ``having``."""
    total = 0.0
    whole = _log_choose(population, sample)
    for count in range(max(0, sample - (population - having)), min(found, having, sample) + 1):
        ways = _log_choose(having, count) + _log_choose(population - having, sample - count)
        total += exp(ways - whole)
    return total


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
