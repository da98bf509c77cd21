import numpy as np
import pytest

from naics_embed.evidence.gates import GATES, gate_values, without_styles


def gates_of(text, familiarity=0.9):
    return dict(zip(GATES, gate_values([text], np.array([[familiarity]]))[0], strict=True))


def test_gates_tell_long_from_short_and_near_from_far():
    near = np.array([[0.2, 0.9], [0.1, 0.3]])
    gates = gate_values(['one', 'a much longer text than the other one'], near)
    assert gates.shape == (2, len(GATES))
    assert gates[0, 1] < gates[1, 1]
    assert gates[0, 2] > gates[1, 2]
    huge = gate_values(['word ' * 100_000], near[:1])
    assert np.abs(huge).max() < 3


@pytest.mark.parametrize(
    ('text', 'capitals'),
    [
        ('roofing', 0),
        ('Roofing of Barns and Sheds', 0),
        ('ROOFING OF BARNS', 1),
        ('ROOFING, 24 H', 1),
        ('ABC CORP repairs roofs of barns', 0),
        ('ÉLECTRICITÉ', 1),
        ('24 / 7', 0),
        ('Roofing ' * 60 + 'A' * 1000, 0),
    ],
)
def test_capitals(text, capitals):
    assert gates_of(text)['capitals'] == capitals


def test_prose_and_unfamiliar():
    words = [gates_of('word ' * n)['prose'] for n in (1, 18, 24, 30, 200)]
    assert words == [0, 0, 0.5, 1, 1]
    far = [gates_of('a', familiarity)['unfamiliar'] for familiarity in (1, 0.65, 0.6, 0.55, -0.2)]
    assert far == pytest.approx([0, 0, 0.5, 1, 1])


def test_weights_do_not_depend_on_styles():
    gates = np.ones((2, len(GATES) + 1))
    assert without_styles(gates).tolist() == [[1, 1, 1, 0, 0, 0, 1]] * 2
    assert (gates == 1).all()
