from pathlib import Path

import pytest

from naics_embed.artifacts import read_json
from naics_embed.bundle.promotion import (
    DEFAULT_ROOT,
    POINTER,
    ROOT_VARIABLE,
    artifact_root,
    promote,
    promoted_bundle,
    promotion_record,
    rollback,
)
from naics_embed.errors import ArtifactError
from naics_embed.search.searcher import Searcher


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / 'root'


def bundle_in(folder: Path) -> Path:
    """A directory that passes for a bundle where only its place matters."""
    folder.mkdir(parents=True)
    (folder / 'manifest.json').write_text('{}')
    return folder


def test_the_promoted_bundle_is_found(root):
    bundle = bundle_in(root / 'export' / 'abc' / 'bundle')
    promote(root, bundle, {'run': '7'})
    assert promoted_bundle(root) == bundle
    assert read_json(root / POINTER) == {'bundle': 'export/abc/bundle', 'run': '7'}


def test_a_later_promotion_wins(root):
    promote(root, bundle_in(root / 'first'), {'run': '1'})
    promote(root, bundle_in(root / 'second'), {})
    assert promoted_bundle(root) == root / 'second'
    assert read_json(root / POINTER) == {
        'bundle': 'second',
        'previous': {'bundle': 'first', 'run': '1'},
    }
    promote(root, bundle_in(root / 'third'), {})
    assert read_json(root / POINTER)['previous'] == {'bundle': 'second'}


def test_promoting_the_same_again_keeps_what_came_before(root):
    promote(root, bundle_in(root / 'first'), {'run': '1'})
    promote(root, bundle_in(root / 'second'), {'run': '2'})
    promote(root, root / 'second', {'run': '3'})
    assert promotion_record(root) == {
        'bundle': 'second',
        'run': '3',
        'previous': {'bundle': 'first', 'run': '1'},
    }


def test_a_rollback_can_be_undone(root):
    promote(root, bundle_in(root / 'first'), {'run': '1'})
    promote(root, bundle_in(root / 'second'), {'run': '2'})
    assert rollback(root) == {'bundle': 'first', 'run': '1'}
    assert promoted_bundle(root) == root / 'first'
    assert rollback(root) == {'bundle': 'second', 'run': '2'}
    assert promotion_record(root)['previous'] == {'bundle': 'first', 'run': '1'}


def test_there_must_be_something_to_go_back_to(root):
    with pytest.raises(ArtifactError, match='no earlier bundle'):
        rollback(root)
    promote(root, bundle_in(root / 'first'), {})
    with pytest.raises(ArtifactError, match='no earlier bundle'):
        rollback(root)
    promote(root, bundle_in(root / 'second'), {})
    (root / 'first' / 'manifest.json').unlink()
    with pytest.raises(ArtifactError, match=r'earlier bundle .*first is gone'):
        rollback(root)
    assert promoted_bundle(root) == root / 'second'


def test_an_artifact_root_can_be_moved(root, tmp_path):
    promote(root, bundle_in(root / 'export' / 'bundle'), {})
    root.rename(tmp_path / 'elsewhere')
    assert promoted_bundle(tmp_path / 'elsewhere').is_dir()


def test_a_bundle_outside_the_root_is_kept_by_its_whole_path(root, tmp_path, monkeypatch):
    bundle = bundle_in(tmp_path / 'outside')
    monkeypatch.chdir(tmp_path)
    promote(root, Path('outside'), {})
    monkeypatch.chdir('/')
    assert promoted_bundle(root) == bundle


def test_relative_paths_are_of_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    promote(Path('root'), bundle_in(Path('root') / 'bundle'), {})
    assert read_json(tmp_path / 'root' / POINTER)['bundle'] == 'bundle'


def test_what_is_no_bundle_is_not_promoted(root):
    (root / 'empty').mkdir(parents=True)
    with pytest.raises(ArtifactError, match='empty is no bundle'):
        promote(root, root / 'empty', {})
    assert not (root / POINTER).exists()


def test_the_way_out_is_told_where_nothing_was_promoted(root):
    with pytest.raises(ArtifactError, match=f'{root}.*make run.*--bundle.*{ROOT_VARIABLE}'):
        promoted_bundle(root)


@pytest.mark.parametrize('content', ['{}', '[]', '{"bundle": 3}', '{"bundle"'])
def test_a_damaged_pointer_is_named(root, content):
    root.mkdir()
    (root / POINTER).write_text(content)
    with pytest.raises(ArtifactError, match=POINTER):
        promoted_bundle(root)


@pytest.mark.parametrize(
    ('value', 'wanted'),
    [
        (None, Path(DEFAULT_ROOT)),
        ('', Path(DEFAULT_ROOT)),
        ('/data/naics', Path('/data/naics')),
        ('~/naics', Path.home() / 'naics'),
    ],
)
def test_the_root_comes_from_the_environment(monkeypatch, value, wanted):
    if value is None:
        monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(ROOT_VARIABLE, value)
    assert artifact_root() == wanted


def test_the_searcher_takes_the_promoted_bundle(root, bundle_path, monkeypatch):
    promote(root, bundle_path, {})
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    assert Searcher.load().bundle.path == bundle_path


def test_a_promoted_bundle_that_is_gone_is_named(root, monkeypatch):
    promote(root, bundle_in(root / 'bundle'), {})
    (root / 'bundle' / 'manifest.json').unlink()
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    with pytest.raises(ArtifactError, match='bundle is no bundle'):
        Searcher.load()
