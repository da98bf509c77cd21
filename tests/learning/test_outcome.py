"""The rule by which a bundle that has learned replaces the one before."""

import pytest

from naics_embed.learning.outcome import Outcome, SetOutcome


def theirs(before: float, after: float, ece_before: float = 0.1, ece: float = 0.1) -> SetOutcome:
    return SetOutcome('firms', 100, True, before, after, ece_before, ece)


def own(before: float, after: float) -> SetOutcome:
    return SetOutcome('index', 1000, False, before, after, 0.02, 0.02)


@pytest.mark.parametrize(
    ('rows', 'accepted'),
    [
        ((theirs(0.6, 0.65), own(0.8, 0.795)), True),
        ((theirs(0.6, 0.65), own(0.8, 0.785)), False),
        ((theirs(0.6, 0.59, 0.2, 0.01), own(0.8, 0.8)), False),
        ((theirs(0.6, 0.6, 0.2, 0.05), own(0.8, 0.8)), True),
        ((theirs(0.6, 0.6), own(0.8, 0.8)), False),
    ],
)
def test_the_users_texts_gain_and_no_other_set_loses_more_than_the_margin(rows, accepted):
    assert Outcome(rows, 90).accepted(0.01) is accepted
