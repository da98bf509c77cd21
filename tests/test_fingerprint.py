"""What of the source code takes part in keys, and what does not."""

import shutil
import subprocess
import sys
import textwrap

import pytest

from naics_embed.errors import ArtifactError
from naics_embed.fingerprint import imported_files, source_fingerprint

FILES = {
    'library/__init__.py': '',
    'library/top.py': 'from library.inner.middle import work\nimport json\n',
    'library/inner/__init__.py': '',
    'library/inner/middle.py': 'def work():\n    from library import bottom\n    bottom\n',
    'library/bottom.py': 'VALUE = 1\n',
    'library/aside.py': 'VALUE = 1\n',
}


@pytest.fixture
def package(tmp_path):
    """top → inner.middle → bottom, and a module that none of them imports."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / 'library'


def of(package, *modules: str, skipped: tuple[str, ...] = ()) -> str:
    return source_fingerprint(modules or ['library.top'], {'library': package}, skipped)


@pytest.mark.parametrize('changed', ['top.py', 'inner/middle.py', 'bottom.py'])
def test_it_follows_imports(package, changed):
    before = of(package)
    (package / changed).write_text((package / changed).read_text() + 'MORE = 1\n')
    assert of(package) != before


def test_it_leaves_out_what_is_not_imported(package):
    before = of(package)
    (package / 'aside.py').write_text('VALUE = 2\n')
    assert of(package) == before
    assert of(package, 'library.top', 'library.aside') != before


def test_it_leaves_out_what_is_skipped_and_what_that_alone_imports(package):
    before = of(package, skipped=('library.inner.middle',))
    (package / 'bottom.py').write_text('VALUE = 2\n')
    assert of(package, skipped=('library.inner.middle',)) == before


def test_it_depends_neither_on_order_nor_on_place(package, tmp_path):
    before = of(package, 'library.top', 'library.aside')
    assert of(package, 'library.aside', 'library.top') == before
    moved = tmp_path / 'elsewhere' / 'library'
    shutil.copytree(package, moved)
    assert of(moved, 'library.top', 'library.aside') == before


def test_it_sees_a_renamed_module(package):
    before = of(package, 'library.bottom')
    (package / 'bottom.py').rename(package / 'floor.py')
    assert of(package, 'library.floor') != before


def test_a_new_import_is_followed(package):
    of(package)
    (package / 'top.py').write_text('from library import aside\n')
    with_aside = of(package)
    (package / 'aside.py').write_text('VALUE = 3\n')
    assert of(package) != with_aside


def test_an_import_for_type_checkers_does_not_count(package):
    text = 'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from library import aside\n'
    (package / 'top.py').write_text(text)
    before = of(package)
    (package / 'aside.py').write_text('VALUE = 3\n')
    assert of(package) == before
    assert 'library.aside' not in imported_files(['library.top'], {'library': package})


def test_a_missing_module_is_named(package):
    with pytest.raises(ArtifactError, match=r'no module library\.gone'):
        of(package, 'library.gone')


BODY = '''
    """A module."""
    import logging
    log = logging.getLogger('a')

    class Space:
        """A space."""
        name = 'lorentz'

        def distance(self, x, y=1.0):
            """Return it."""
            assert x > 0, 'x is negative'
            if y < 0:
                raise ValueError(f'y must be positive, not {y}')
            log.info('distance of %s', x)
            return x * y + 0.5
'''
SAME = [
    ('"""A module."""', '"""Another text."""'),
    ('"""Return it."""', '"""Return the distance."""'),
    ('            """Return it."""\n', ''),
    ('            return x', '            # the product\n            return  x'),
    ("'x is negative'", "'x must not be negative'"),
    ("f'y must be positive, not {y}'", "f'y: {y} is negative; give a positive number'"),
    ("'distance of %s'", "'the distance of %s'"),
]
OTHER = [
    ('0.5', '0.25'),
    ('x * y', 'x / y'),
    ('y < 0', 'y <= 0'),
    ('x > 0,', 'x >= 0,'),
    ('ValueError', 'TypeError'),
    ("'lorentz'", "'poincare'"),
    ('y=1.0', 'y=2.0'),
    ('log.info', 'print'),
    ('y=1.0', 'y=None'),
]


@pytest.mark.parametrize(('old', 'new'), SAME)
def test_words_do_not_count(package, old, new):
    (package / 'top.py').write_text(textwrap.dedent(BODY))
    before = of(package)
    assert old in BODY
    (package / 'top.py').write_text(textwrap.dedent(BODY.replace(old, new)))
    assert of(package) == before


@pytest.mark.parametrize(('old', 'new'), OTHER)
def test_what_the_code_does_counts(package, old, new):
    (package / 'top.py').write_text(textwrap.dedent(BODY))
    before = of(package)
    assert old in BODY
    (package / 'top.py').write_text(textwrap.dedent(BODY.replace(old, new)))
    assert of(package) != before


def test_processes_agree(package):
    (package / 'top.py').write_text(textwrap.dedent(BODY))
    code = (
        'import sys; from pathlib import Path; from naics_embed.fingerprint import '
        "source_fingerprint as f; print(f(['library.top'], {'library': Path(sys.argv[1])}))"
    )
    answers = {
        subprocess.run(
            [sys.executable, '-X', f'utf8={n}', '-c', code, str(package)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for n in (0, 1)
    }
    assert answers == {of(package)}
