"""Which rows people see: those below the threshold, an audit of the others, and some twice."""

from dataclasses import dataclass

import numpy as np

from naics_embed.assessment.estimates import at_target, automation_curve


@dataclass(frozen=True)
class Division:
    """How the rows of a batch are divided.

    Attributes:
        threshold: least probability of a row that is accepted; None where none is.
        people: bool ``(n,)``: below the threshold.
        audit: bool ``(n,)``: above it, and drawn for the audit.
        double: bool ``(n,)``: for people, and to be decided by two.
    """

    threshold: float | None
    people: np.ndarray
    audit: np.ndarray
    double: np.ndarray


def divide(
    probability: np.ndarray,
    threshold: float | None,
    target: float | None,
    audit_fraction: float,
    double_fraction: float,
    seed: int,
) -> Division:
    """Divide rows by the probability of their best code.

    Args:
        probability: ``(n,)``.
        threshold: least probability of a row that is accepted.
        target: in place of a threshold, the accuracy wanted of the accepted rows: the threshold is
            the lowest one above which the mean probability reaches it.
        audit_fraction: part of the accepted rows, drawn without replacement.
        double_fraction: part of all rows that people see, drawn without replacement.
        seed: of the draws.
    """
    chosen = threshold
    if target is not None:
        curve = automation_curve(probability, probability, np.ones(len(probability)))
        point = at_target(curve, target) if len(probability) else None
        chosen = None if point is None else point.threshold
    rng = np.random.default_rng(seed)
    accepted = np.zeros(len(probability), bool) if chosen is None else probability >= chosen
    audit = _drawn(accepted, audit_fraction, rng)
    double = _drawn(~accepted | audit, double_fraction, rng)
    return Division(chosen, ~accepted, audit, double)


def interleaved(first: np.ndarray, spread: np.ndarray, seed: int) -> np.ndarray:
    """Return items in an order, with others spread among them at random places.

    Read in the order of uncertainty alone, the audit would come last, and might never be done.

    Args:
        first: items whose order is kept.
        spread: items that get random places.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    places = [(np.arange(len(first)) + 0.5) / max(len(first), 1), rng.random(len(spread))]
    order = np.argsort(np.concatenate(places), kind='stable')
    return np.concatenate([first, spread]).astype(np.int64)[order]


def _drawn(among: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    candidates = np.flatnonzero(among)
    # At least one, so that a small batch is not left without.
    count = int(np.ceil(fraction * len(candidates)))
    result = np.zeros(len(among), bool)
    result[rng.choice(candidates, count, replace=False)] = True
    return result
