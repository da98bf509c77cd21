"""Lines of a concordance."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """One line of a concordance.

    Attributes:
        source: code of the one classification.
        source_title: its title; empty where the sources have none.
        target: code of the other.
        target_title: its title.
        official: official spelling of the target.
        fraction: part of the source that is in the target; 1 where it is the only one.
        fraction_method: ``exact`` where there is one target, ``given`` by the user's counts,
            ``fitted`` to totals, ``estimate (text)`` or ``estimate (equal)``.
    """

    source: str
    source_title: str
    target: str
    target_title: str
    official: str
    fraction: float
    fraction_method: str


@dataclass(frozen=True)
class StepLink(Link):
    """A line of one step of a chain.

    Attributes:
        source_classification: of the source.
        target_classification: of the target.
    """

    source_classification: str
    target_classification: str
