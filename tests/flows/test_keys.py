"""Which stages a change of the source code computes again, on a copy of the real packages."""

import shutil
from pathlib import Path

import pytest

from flows.pipeline import PIPELINE
from naics_embed.artifacts import Artifact
from tasks.engine import stage as stage_module

CHANGES = {
    'a formula of D*': (
        'naics_embed/supervision/distances.py',
        'taxonomy.tree_distance[i, j]',
        'taxonomy.tree_distance[i, j] + 1',
        {'distances'},
    ),
    'a loss of text training': (
        'naics_embed/losses/anchor.py',
        '(1 - (embeddings',
        '(2 - (embeddings',
        {'text_training'},
    ),
    'a loss of both trainings': (
        'naics_embed/losses/stress.py',
        'tree_distance).square()',
        'tree_distance).abs()',
        {'text_training', 'refinement'},
    ),
    'how a stage calls the library': (
        'tasks/triplets.py',
        '!= SUPERVISED',
        '== SUPERVISED',
        {'triplets'},
    ),
    'the page of the report': (
        'naics_embed/report/render.py',
        'def render(',
        'MORE = 1\n\n\ndef render(',
        {'report'},
    ),
    'a template of the report': (
        'naics_embed/report/templates/report.html',
        '</footer>',
        '<hr></footer>',
        {'report'},
    ),
}
NO_CHANGE = {
    'the text of an error': (
        'naics_embed/geometry/lorentz.py',
        'r_max must be positive, got',
        'r_max must be above 0, not',
    ),
    'the docstring of an error': (
        'naics_embed/errors.py',
        'class ConfigError(UserError):\n    """',
        'class ConfigError(UserError):\n    """Words. ',
    ),
    'a comment': ('naics_embed/taxonomy.py', 'class Taxonomy', '# a comment\nclass Taxonomy'),
    'a line of the log': ('naics_embed/training/fit.py', "log.info('", "log.info('now: "),
    'a picture': ('naics_embed/report/curves.py', 'COLUMNS = 3', 'COLUMNS = 4'),
    'what is published': ('tasks/publishing.py', "MAP = 'atlas.html'", "MAP = 'map.html'"),
    'how stages are scheduled': (
        'tasks/engine/execution.py',
        'class Execution',
        'X = 1\n\nclass Execution',
    ),
    'the flow': ('flows/pipeline.py', 'def check_names', 'X = 1\n\ndef check_names'),
}


def keys() -> dict[str, str]:
    """Keys of all stages, each on the same inputs."""
    return {
        stage.name: stage.key({name: Artifact('there', name, 1) for name in stage.reads}, {})
        for stage in PIPELINE
    }


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Copy the packages, and have keys made from the copy."""
    root = stage_module.TASKS_ROOT.parent
    for name in ('tasks', 'naics_embed', 'flows'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(root / name, tmp_path / name, ignore=ignored)
    for name in stage_module.PACKAGES:
        monkeypatch.setitem(stage_module.PACKAGES, name, tmp_path / name)
    for stage in PIPELINE:
        copied = tuple(tmp_path / path.relative_to(root) for path in stage.resources)
        monkeypatch.setitem(stage.__dict__, 'resources', copied)
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding='utf-8')
    assert old in text, f'{file.name} has changed; give this test another line of it'
    file.write_text(text.replace(old, new), encoding='utf-8')


@pytest.mark.parametrize('change', CHANGES)
def test_a_change_computes_again_what_depends_on_it_and_nothing_else(copy, change):
    file, old, new, expected = CHANGES[change]
    before = keys()
    replace(copy / file, old, new)
    after = keys()
    assert {name for name in before if before[name] != after[name]} == expected


@pytest.mark.parametrize('change', NO_CHANGE)
def test_words_pictures_and_scheduling_compute_nothing_again(copy, change):
    file, old, new = NO_CHANGE[change]
    before = keys()
    replace(copy / file, old, new)
    assert keys() == before
