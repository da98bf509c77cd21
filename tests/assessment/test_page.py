import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from naics_embed.assessment.assess import Assessment, assess
from naics_embed.assessment.confusions import Confusion
from naics_embed.assessment.page import render_assessment
from tests.report.conftest import CUNNING

VOID = {'meta', 'link', 'br'}


@pytest.fixture(scope='module')
def result(coder) -> Assessment:
    from naics_embed.learning.labelled import label_texts

    texts = ['Corn Farming', f'Rice Farming {CUNNING}', 'Corn Farming', CUNNING, 'none']
    codes = ['111150', '541110', '541110', CUNNING, '111150']
    labelled = label_texts(texts, codes, coder.searcher.codes, max_unknown=1)
    found = assess(coder, labelled)
    hostile = Confusion('1', CUNNING, '2', CUNNING, 3, (CUNNING,), (CUNNING,), CUNNING * 9)
    return replace(found, confusions=[hostile])


class Balanced(HTMLParser):
    """Checks that every element is closed, and gathers addresses and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.scripts = 0
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given['id']] if 'id' in given else []
        self.scripts += tag == 'script'
        self.fetched += [
            value
            for name, value in attrs
            if name in ('src', 'href') and value and not value.startswith(('#', 'data:'))
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(result):
    page = Balanced()
    page.feed(render_assessment(result, 'firms.csv'))
    page.close()
    assert page.open == []
    assert page.fetched == []
    assert page.scripts == 1
    assert len(page.ids) == len(set(page.ids))
    sections = ('glance', 'levels', 'automation', 'reliability', 'slices', 'confusions')
    assert {*sections, 'doubtful', 'left-out'} <= set(page.ids)


def test_texts_are_shown_and_not_run(result):
    html = render_assessment(result, CUNNING)
    assert '<script>alert' not in html
    assert html.count('&lt;script&gt;alert') > 5


def test_what_is_stated_and_what_is_right(result):
    html = render_assessment(result, 'firms.csv')
    leaf = result.levels[6]
    assert f'{leaf.top[1].value:.1%} right, {leaf.confidence:.1%} stated' in html
    assert 'frozen class mean' in html
    assert 'no text' in html, 'a reason to leave a row out'
    regions = re.findall(r'role="region" aria-label="([^"]+)"', html)
    assert len(regions) == len(set(regions)) > 7


def test_the_target_is_named_where_nothing_reaches_it(result):
    html = render_assessment(replace(result, automation=None), 'firms.csv')
    assert 'No threshold on the confidence reaches an accuracy of 95%.' in html
    assert 'no threshold reaches the target' in html


def test_parts_may_be_empty(coder, label):
    result = assess(coder, label(('Corn Farming', '111150')))
    html = render_assessment(result, 'one.csv')
    assert 'Every row could be used.' in html
    assert 'No text with one six-digit code got another one.' in html
    unsure = assess(coder, label(('zzz xyzzy', '111150')), confidence=1.0)
    assert 'No text has a code of enough confidence.' in render_assessment(unsure, 'one.csv')
