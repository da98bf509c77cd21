"""Roles of a user's labelled texts: drawn by group, and nothing held out occurs in training."""

from collections import Counter

import numpy as np
import pytest

from naics_embed.learning.groups import group_texts
from naics_embed.supervision.labelled_roles import LEFT_OUT, labelled_roles
from naics_embed.supervision.leakage import count_leaks

FRACTIONS = {'validation': 0.15, 'test': 0.15}
SYLLABLES = ('ba', 'do', 'fi', 'gu', 'ke', 'lo', 'mi', 'nu', 'pa', 're', 'so', 'tu')


def made_up(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [
        ' '.join(''.join(rng.choice(SYLLABLES, 3)) for _ in range(5)).upper() for _ in range(count)
    ]


def draw(texts, groups=None, training=(), held_out=(), seed=0):
    of_text = group_texts(texts, groups, 0.9)
    return labelled_roles(
        texts, of_text, training, held_out, fractions=FRACTIONS, seed=seed, jaccard=0.9
    )


def test_shares_are_about_those_of_the_index():
    counts = Counter(draw(made_up(2000)))
    assert counts['validation'] == pytest.approx(300, abs=50)
    assert counts['test'] == pytest.approx(300, abs=50)


def test_neither_order_nor_other_texts_matter():
    texts = made_up(200)
    found = dict(zip(texts, draw(texts), strict=True))
    assert found == dict(zip(texts[::-1], draw(texts[::-1]), strict=True))
    assert list(found.values())[:50] == draw(texts[:50])
    assert draw(texts, seed=1) != draw(texts)


def test_a_firm_and_its_copies_have_one_role():
    texts = made_up(300)
    copies = [text.lower() + '.' for text in texts]
    firms = [i // 3 for i in range(300)]
    roles = draw([*texts, *copies], [*firms, *[None] * 300])
    for firm in range(100):
        rows = [i for i in range(300) if firms[i] == firm]
        assert len({roles[i] for row in rows for i in (row, 300 + row)}) == 1


def test_what_training_sees_is_not_held_out():
    texts = made_up(400)
    training = [f'We also do {text.lower()} in spring' for text in texts[:200]]
    roles = draw(texts, training=training)
    assert set(roles[:200]) == {'train'}
    held = [text for text, role in zip(texts, roles, strict=True) if role != 'train']
    trained = [text for text, role in zip(texts, roles, strict=True) if role == 'train']
    assert held
    assert count_leaks(held, [*training, *trained], 0.9) == 0


def test_a_text_inside_another_firms_text_goes_where_that_is():
    short = made_up(100)
    long = [
        f'{text} and more of {other}' for text, other in zip(short, made_up(100, 1), strict=True)
    ]
    texts = [*short, *long]
    roles = draw(texts)
    trained = [text for text, role in zip(texts, roles, strict=True) if role == 'train']
    held = [text for text, role in zip(texts, roles, strict=True) if role != 'train']
    assert count_leaks(held, trained, 0.9) == 0


def test_a_held_out_query_of_the_project_is_left_out():
    texts = made_up(100)
    plain = draw(texts)
    roles = draw(texts, held_out=[text.lower() for text in texts])
    assert {role for role, before in zip(roles, plain, strict=True) if before == 'train'} == {
        LEFT_OUT
    }
