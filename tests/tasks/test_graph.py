"""Declarations and graphs of stages: what is refused when they are made, and what is drawn."""

import json
from pathlib import Path

import pytest

from flows.pipeline import PIPELINE
from naics_embed.config.load import load_config
from tasks.engine.declaration import Declaration, DeclarationError
from tasks.engine.graph import Graph

ROOT = Path(__file__).resolve().parents[2]


def body(out, context, **inputs):
    """Take anything."""


def stage(name: str, reads: str = '', writes: str = '', facts: str = '') -> Declaration:
    return Declaration(name, body, reads, writes, facts)


def test_a_stage_is_checked_against_its_function():
    def write(out, context, *, codebook, seed, optional=None): ...

    settings = 'seed=runtime.seed'
    assert Declaration('a', write, 'codebook', settings=settings).reads == ('codebook',)
    assert Declaration('a', write, 'codebook optional', settings=settings).reads[1] == 'optional'
    for declared, message in [
        ({'reads': 'codebook'}, "stage a: write.. needs 'seed', which the stage neither reads"),
        ({'settings': settings}, "needs 'codebook'"),
        ({'reads': 'codebook texts', 'settings': settings}, "takes no argument 'texts'"),
        ({'reads': 'codebook seed', 'settings': settings}, 'seed is both read and a setting'),
        ({'reads': 'codebook', 'settings': 'seed=runtime.sed'}, 'seed names runtime.sed, which'),
        ({'reads': 'codebook codebook', 'settings': settings}, 'stage a reads codebook twice'),
    ]:
        with pytest.raises(DeclarationError, match=message):
            Declaration('a', write, **declared)


def test_a_name_is_either_a_file_or_a_fact():
    with pytest.raises(DeclarationError, match='stage a: x is both a file and a fact'):
        stage('a', '', 'x', 'x')


def test_settings_come_from_the_configuration():
    config = load_config(ROOT / 'configs', 'smoke', ['runtime.seed=7']).config
    declared = Declaration(
        'a',
        body,
        settings='seed=runtime.seed panel=regression.without_outcomes',
        constants={'shuffle': True},
    )
    values = declared.configured(config)
    assert (values['seed'], values['shuffle'], values['panel'].outcomes) == (7, True, None)


@pytest.mark.parametrize(
    ('stages', 'message'),
    [
        ([stage('a', 'gone')], 'stage a reads gone, which nothing writes'),
        ([stage('a', '', 'x'), stage('b', '', 'x')], 'stage b writes x, and a does too'),
        ([stage('a', '', 'source')], 'stage a writes source, and the flow gives it'),
        ([stage('a'), stage('a')], 'two stages are called a'),
        (
            [stage('a', 'z', 'x'), stage('b', 'x', 'y'), stage('c', 'y', 'z')],
            'in a circle: (a → b → c → a|b → c → a → b|c → a → b → c)',
        ),
        (
            [stage('b', 'x', 'y'), stage('a', 'source', 'x')],
            'stage b depends on a, which is listed below it',
        ),
    ],
)
def test_a_graph_that_cannot_run_is_refused(stages, message):
    with pytest.raises(DeclarationError, match=message):
        Graph(*stages, given='source')


@pytest.fixture
def diamond() -> Graph[Declaration]:
    return Graph(
        stage('top', 'source', 'x', 'n'),
        stage('left', 'x', 'y'),
        stage('right', 'n source', 'z'),
        stage('end', 'y z x', 'w'),
        stage('aside', 'source', 'v'),
        given='source',
    )


def test_what_a_target_needs(diamond):
    assert diamond.needed(['end']) == ('top', 'left', 'right', 'end')
    assert diamond.needed(['right', 'aside']) == ('top', 'right', 'aside')
    assert diamond.upstream('end') == ('left', 'right', 'top')


def test_edges_carry_the_names_and_the_drawing_leaves_out_what_is_implied(diamond):
    edges = {(edge.source, edge.target): edge.names for edge in diamond.edges()}
    assert edges[('top', 'right')] == ('n',)
    assert edges[('top', 'end')] == ('x',)
    drawn = [line.strip() for line in diamond.mermaid().splitlines() if '-->' in line]
    assert drawn == ['top --> left', 'top --> right', 'left --> end', 'right --> end']
    content = json.loads(json.dumps(diamond.to_dict()))
    assert [one['name'] for one in content['stages']] == list(diamond.names)
    assert {'source': 'top', 'target': 'end', 'names': ['x']} in content['edges']


def test_a_stage_may_be_replaced_by_one_of_the_same_name_only(diamond):
    other = diamond.replaced(stage('end', 'y', 'w'))
    assert other.upstream('end') == ('left',)
    assert diamond.upstream('end') == ('left', 'right', 'top')
    with pytest.raises(DeclarationError, match='no stage gone'):
        diamond.replaced(stage('gone'))


def test_the_pipeline_is_read_from_its_declarations():
    assert PIPELINE.upstream('text_training') == (
        'codebook',
        'structure_holdout',
        'queries',
        'tokens',
        'encoding',
        'construction',
        'redirections',
    )
    readers = {edge.target for edge in PIPELINE.edges() if edge.source == 'text_training'}
    assert {'query_points', 'refinement', 'candidates', 'export', 'report'} <= readers
    assert 'baselines' not in PIPELINE.needed(['text_training'])
