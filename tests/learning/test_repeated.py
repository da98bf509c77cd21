"""How far the label of a text is trusted where the same text comes again."""

import numpy as np
import pytest

from naics_embed.config.learning import LearnSettings
from naics_embed.config.load import load_config
from naics_embed.learning.repeated import repeated_reliability
from naics_embed.search.exact import DECIDED
from tests.test_architecture import ROOT


def reliability(texts, codes):
    return repeated_reliability(
        texts, np.array(codes), ['mine'] * len(texts), expected=0.9, strength=10
    )['mine']


def test_a_source_without_repeated_texts_gets_what_is_expected():
    assert reliability(['a', 'b', 'c'], [1, 1, 2]) == pytest.approx(0.9)


def test_texts_that_are_coded_differently_lower_it():
    # 40 rows, of which each agrees with one of three others.
    codes = [1, 1, 2, 2] * 10
    texts = [f'Shop no {i // 4}!' for i in range(40)]
    assert reliability(texts, codes) == pytest.approx((40 / 3 + 9) / 50)


def test_texts_that_are_coded_alike_raise_it_up_to_what_a_title_has():
    assert reliability(['CORN', 'corn.'] * 20, [3] * 40) == pytest.approx((40 + 9) / 50)
    assert reliability(['CORN'] * 40_000, [3] * 40_000) == DECIDED


def test_sources_are_measured_apart():
    found = repeated_reliability(
        ['x'] * 40,
        np.array([1] * 20 + [2, 3] * 10),
        ['a'] * 20 + ['b'] * 20,
        expected=0.9,
        strength=10,
    )
    assert found['a'] > 0.9 > found['b']


def test_the_settings_of_the_configuration_are_the_defaults():
    assert load_config(ROOT / 'configs').config.learning == LearnSettings()
