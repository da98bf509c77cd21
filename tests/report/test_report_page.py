"""The page as a browser would read it: complete, escaped, alone, and legible without eyes."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from naics_embed.report.contents import RunReport
from naics_embed.report.render import PLACEHOLDERS, complete, render
from naics_embed.report.verdict import judge

SECTIONS = (
    'glance',
    'metrics',
    'training',
    'curriculum',
    'shape',
    'coder',
    'confusion',
    'errors',
    'tables',
    'regression',
    'provenance',
)
VOID = {'meta', 'link', 'br', 'hr', 'img', 'input'}
FETCHING = {'src', 'href', 'data', 'action', 'srcset', 'poster'}


class Page(HTMLParser):
    """Tags with their attributes and the text of the page; it insists on closed tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ('script', 'style'):
            self.text.append(data)

    @property
    def words(self) -> str:
        return ' '.join(' '.join(self.text).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope='module')
def html(whole, config) -> str:
    return render(whole, judge(whole, config.report), config.report)


@pytest.fixture(scope='module')
def page(html) -> Page:
    return Page(html)


def test_every_section_is_there_and_linked(page):
    assert [section['id'] for section in page.of('section')] == list(SECTIONS)
    targets = [a['href'] for a in page.of('a')]
    assert [f'#{name}' for name in SECTIONS] == targets[1:]
    assert {name for name, _ in page.tags if re.fullmatch('h[1-6]', name)} == {'h1', 'h2', 'h3'}


def test_a_whole_run_leaves_nothing_out(page):
    assert 'available' not in page.words
    for shown in ('Good', '0.800', 'BM25', 'D*', 'Reliability: panel', 'hgcn', 'abc123'):
        assert shown in page.words


def test_texts_are_shown_and_never_run(html, page):
    assert '<script>alert' not in html
    assert page.words.count('<script>alert("x")</script> & \'quoted\'') == 2, 'error and warning'
    assert len(page.of('script')) == 1


def test_nothing_is_fetched(html, page):
    assert not re.search(r'(?i)https?:|//cdn|@import|@font-face|\bfetch\(|XMLHttpRequest', html)
    for tag, attributes in page.tags:
        for name in FETCHING & set(attributes):
            assert attributes[name].startswith(('#', 'data:')), (tag, attributes)


def test_it_can_be_read_without_eyes(page):
    assert page.of('html') == [{'lang': 'en'}]
    for picture in page.of('svg'):
        named = picture.get('role') == 'img' and picture.get('aria-label')
        assert named or picture.get('aria-hidden') == 'true'
    assert len(page.of('svg')) > 20
    for head in page.of('th'):
        assert head.get('scope') in {'col', 'row', 'rowgroup'}
    for attributes in page.of('div'):
        if attributes.get('class') == 'scroll':
            assert attributes['tabindex'] == '0'
            assert attributes['aria-label']
    ids = [attributes['id'] for _, attributes in page.tags if attributes.get('id')]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    labelled = [section['aria-labelledby'] for section in page.of('section')]
    assert set(labelled) <= set(ids)


def test_what_became_of_the_table_and_the_map_are_filled_in_later(html):
    assert all(html.count(place) == 1 for place in PLACEHOLDERS)
    rows = [
        {
            'metric': 'validation/mrr',
            'incumbent_value': 0.8,
            'challenger_value': None,
            'deviations': None,
            'outcome': 'worse',
        }
    ]
    promotion = {'promoted': False, 'reason': 'worse: <b>', 'rows': rows}
    done = complete(html, promotion=promotion, map_href='atlas.html')
    page = Page(done)
    assert 'not promoted worse: <b>' in page.words
    assert 'atlas.html' in [a['href'] for a in page.of('a')]
    bare = Page(complete(html))
    assert 'atlas.html' not in [a['href'] for a in bare.of('a')]
    assert not any(place in complete(html) for place in PLACEHOLDERS)


def test_a_run_that_left_nothing_says_so_everywhere(config):
    empty = RunReport(metrics={})
    verdict = judge(empty, config.report)
    page = Page(render(empty, verdict, config.report))
    assert verdict.status == 'unknown'
    assert 'Not judged' in page.words
    missing = [p for p in page.of('p') if p.get('class') == 'missing']
    assert len(missing) == len(SECTIONS) - 1, 'all but the glance and the provenance; two curricula'
    assert page.of('svg') == []


@pytest.mark.parametrize(
    ('part', 'absent'),
    [
        ('table', 'No table of codes'),
        ('predictions', 'No answers to single queries'),
        ('training', 'No training history'),
        ('selection', 'No candidate tables'),
    ],
)
def test_one_missing_part_does_not_take_others_with_it(whole, config, part, absent):
    less = replace(whole, **{part: None})
    page = Page(render(less, judge(less, config.report), config.report))
    assert absent in page.words
    assert '0.800' in page.words


def test_what_is_off_is_called_off(whole, config):
    settings = dict(whole.configuration)
    settings |= {'curriculum': {**settings['curriculum'], 'enabled': False}}
    settings |= {'model': {**settings['model'], 'fusion': {'kind': 'masked_mean'}}}
    bare = [
        {key: value for key, value in epoch.items() if 'curriculum/' not in key}
        for epoch in whole.training.history
    ]
    off = replace(whole, configuration=settings, training=replace(whole.training, history=bare))
    words = Page(render(off, judge(off, config.report), config.report)).words
    assert 'Off: curriculum.enabled is false' in words
    assert 'Off: model.fusion.kind is masked_mean' in words
    on = Page(render(whole, judge(whole, config.report), config.report)).words
    assert 'Off:' not in on
    assert 'Phase 2 (geometric refinement): epochs 3 to 4.' in on
    assert 'in 4 epochs, at most 25.0% of negatives' in on
    assert 'It never acted.' in on
    assert 'Load of the experts' in on


def test_validation_stands_in_where_nothing_was_tested(whole, config):
    metrics = {key.replace('test/', 'validation/'): metric for key, metric in whole.metrics.items()}
    less = replace(whole, metrics=metrics)
    assert less.split == 'validation'
    page = Page(render(less, judge(less, config.report), config.report))
    assert 'Answers to validation queries' in page.words
    assert page.words.count('<script>alert') == 1, 'the warning alone: the query is a test query'


def test_where_files_lay_on_the_machine_that_made_it_is_not_told(whole, config):
    configuration = {
        **whole.configuration,
        'data': {'folder': '/home/ada/secret files/census', 'cache': '.cache/census'},
        'runtime': {'root': '/home/ada/artifacts'},
        'tracking': {'uri': 'sqlite:////home/ada/artifacts/mlflow.db'},
        'backbone': {'name': 'sentence-transformers/all-MiniLM-L6-v2'},
    }
    warning = '/home/ada/census/index.xlsx is another file'
    source = {'kind': 'folder', 'warnings': [warning], 'files': {}}
    provenance = replace(whole.provenance, source=source)
    report = replace(whole, configuration=configuration, provenance=provenance)
    text = render(report, judge(report, config.report), config.report)
    assert '/home' not in text
    for kept in ('…/census', '…/artifacts', '…/mlflow.db', '…/index.xlsx', '.cache/census'):
        assert kept in text
    assert 'sentence-transformers/all-MiniLM-L6-v2' in text


def test_what_decides_nothing_has_a_block_of_its_own_without_crosses(html):
    before, _, block = html.partition('<h3>For information</h3>')
    assert 'Distance alone, index entries: top-1' in block
    block = block.partition('</section>')[0]
    assert '✕' not in block
    assert 'class="missed"' not in before.partition('id="glance"')[2]
