"""Search as you type."""

import random
import sys
import time
from pathlib import Path
from subprocess import run

import pytest

from naics_embed.search.suggest import KNOWN, TITLE, SuggestIndex, Suggestion

ROOT = Path(__file__).resolve().parents[2]


def entry(text: str, code: str, kind: str = KNOWN) -> Suggestion:
    return Suggestion(text, code, code, text, kind)


@pytest.fixture(scope='module')
def index() -> SuggestIndex:
    return SuggestIndex(
        [
            entry('Soybean Farming', '111110', TITLE),
            entry('Dog grooming services', '812910'),
            entry('Dog kennels', '812910'),
            entry('Full-Service Restaurants', '722511', TITLE),
            entry('Restaurants, full service', '722511'),
            entry('Café à la carte', '722515'),
            entry('dog kennels', '812910'),
        ]
    )


@pytest.mark.parametrize(
    ('query', 'first'),
    [
        ('soy', 'Soybean Farming'),
        ('farm soy', 'Soybean Farming'),
        ('SOYBEAN  farm', 'Soybean Farming'),
        ('groom', 'Dog grooming services'),
        ('dog k', 'Dog kennels'),
        ('restaur', 'Restaurants, full service'),
        ('cafe', 'Café à la carte'),
        ('soyban', 'Soybean Farming'),
        ('resturants', 'Full-Service Restaurants'),
        ('dog unknownword', 'Dog kennels'),
    ],
)
def test_what_is_typed_finds_its_text(index, query, first):
    assert index.suggest(query, 5)[0].text == first


@pytest.mark.parametrize('query', ['', '  ', '!?', 'zzz', 'zebra unicorn crossing'])
def test_what_fits_nothing_finds_nothing(index, query):
    assert index.suggest(query, 5) == []


def test_a_text_comes_once_and_no_more_than_asked(index):
    found = index.suggest('dog', 5)
    assert [one.text for one in found] == ['Dog kennels', 'Dog grooming services']
    assert len(index.suggest('dog', 1)) == 1


def test_a_letter_takes_less_than_twenty_milliseconds():
    rng = random.Random(0)
    words = [''.join(rng.choices('abcdeinorst', k=rng.randint(3, 11))) for _ in range(3000)]
    texts = {' '.join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(20_000)}
    index = SuggestIndex([entry(text, '812910') for text in sorted(texts)])
    queries = [query[:end] for query in words[:5] for end in range(1, len(query))]
    # A word with a letter too many begins none, so that mistakes are tried.
    queries += [word[:3] + 'q' + word[3:] for word in words[:5]]

    def seconds(query: str) -> float:
        start = time.process_time()
        index.suggest(query, 10)
        return time.process_time() - start

    slow = {query: min(seconds(query) for _ in range(3)) for query in queries}
    assert {query: taken for query, taken in slow.items() if taken > 0.02} == {}


def test_no_text_at_all():
    assert SuggestIndex([]).suggest('dog', 5) == []


def test_it_needs_no_torch():
    code = 'import sys, naics_embed.search.suggest; sys.exit("torch" in sys.modules)'
    assert run([sys.executable, '-c', code], cwd=ROOT, check=False).returncode == 0
