"""What `make clean` may and may not remove."""

import shutil
import subprocess

import pytest

from tests.docs.documents import ROOT


@pytest.fixture
def place(tmp_path):
    shutil.copy(ROOT / 'Makefile', tmp_path / 'Makefile')
    (tmp_path / 'artifacts').mkdir()
    (tmp_path / 'artifacts' / 'promoted.json').write_text('{}')
    (tmp_path / 'build').mkdir()
    return tmp_path


def make(place, *words, answer=''):
    return subprocess.run(
        ['make', *words], cwd=place, input=answer, capture_output=True, text=True, check=False
    )


def test_clean_keeps_what_was_trained_and_says_so(place):
    done = make(place, 'clean')
    assert done.returncode == 0, done.stderr
    assert not (place / 'build').exists()
    assert (place / 'artifacts' / 'promoted.json').is_file()
    assert 'artifacts is kept' in done.stdout


@pytest.mark.parametrize('answer', ['', 'no\n', 'y\n'])
def test_trained_tables_are_removed_only_after_a_yes(place, answer):
    done = make(place, 'clean-artifacts', answer=answer)
    assert done.returncode != 0
    assert 'Type yes' in done.stdout
    assert (place / 'artifacts' / 'promoted.json').is_file()


@pytest.mark.parametrize(('words', 'answer'), [((), 'yes\n'), (('YES=1',), '')])
def test_a_yes_removes_them(place, words, answer):
    assert make(place, 'clean-artifacts', *words, answer=answer).returncode == 0
    assert not (place / 'artifacts').exists()
