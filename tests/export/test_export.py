import json
import os
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import safe_open

from naics_embed.bundle.storage import DISTANCE_NOTE, coordinate_names
from naics_embed.errors import UserError
from naics_embed.export.sentence_transformer import export_sentence_transformer
from naics_embed.export.table import TABLE_FORMATS
from naics_embed.geometry.lorentz import log0, pairwise_distance
from naics_embed.search.searcher import Searcher
from tests.tiny_bundle import SPACE


def read_csv(path):
    return pl.read_csv(path, schema_overrides={'official': pl.String})


TEXTS = ['corn farming', 'dental offices', 'shoe repair and other leather goods repair']


@pytest.mark.parametrize('name', TABLE_FORMATS)
def test_every_export_says_what_it_is(bundle, tmp_path, name):
    out = tmp_path / f'table.{name}'
    TABLE_FORMATS[name](bundle, out)
    manifest = out / 'manifest.json' if out.is_dir() else tmp_path / f'{out.name}.manifest.json'
    content = json.loads(manifest.read_text(encoding='utf-8'))
    assert content['space']['curvature'] == SPACE.curvature
    assert content['distance'] == DISTANCE_NOTE
    assert 'Cosine' in content['distance']
    assert content['coordinates'] == ('Poincaré ball' if out.is_dir() else 'log map at the origin')


def test_tables_hold_the_coordinates(bundle, tmp_path):
    wanted = bundle.tangents()
    codes = bundle.codes()['code'].to_list()
    names = coordinate_names(SPACE.dim)
    for ending, read in (('parquet', pl.read_parquet), ('csv', read_csv)):
        TABLE_FORMATS[ending](bundle, tmp_path / f'table.{ending}')
        table = read(tmp_path / f'table.{ending}')
        np.testing.assert_allclose(table.select(names).to_numpy(), wanted, rtol=1e-6)
    TABLE_FORMATS['npz'](bundle, tmp_path / 'table.npz')
    with np.load(tmp_path / 'table.npz', allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays['coordinates'], wanted)
        assert arrays['code'].tolist() == codes
    TABLE_FORMATS['safetensors'](bundle, tmp_path / 'table.safetensors')
    with safe_open(tmp_path / 'table.safetensors', 'np') as stored:
        np.testing.assert_allclose(stored.get_tensor('coordinates'), wanted, rtol=1e-6)
        assert stored.metadata()['codes'].split(' ') == codes


def test_the_projector_gets_the_poincare_ball(bundle, tmp_path):
    TABLE_FORMATS['projector'](bundle, tmp_path / 'projector')
    ball = np.loadtxt(tmp_path / 'projector' / 'tensors.tsv', delimiter='\t')
    tangents = bundle.tangents()
    radius = np.linalg.norm(tangents, axis=1, keepdims=True)
    root = np.sqrt(SPACE.curvature)
    # Ganea et al. 2018: the exponential map at the origin of the ball, for a metric of factor 4.
    wanted = np.tanh(root * radius / 2) / root * tangents / radius
    np.testing.assert_allclose(ball, wanted, atol=1e-6)
    lines = (tmp_path / 'projector' / 'metadata.tsv').read_text(encoding='utf-8').splitlines()
    assert len(lines) == len(ball) + 1
    assert {line.count('\t') for line in lines} == {3}
    assert any(line.startswith('31-33\t') for line in lines)


ALONE = """
import logging, sys, warnings
warnings.simplefilter('error', UserWarning)
{card}
assert 'naics_embed' not in sys.modules
"""


@pytest.fixture(scope='module')
def encoder_folder(bundle, tmp_path_factory):
    pytest.importorskip('sentence_transformers')
    folder = tmp_path_factory.mktemp('alone') / 'encoder'
    export_sentence_transformer(bundle, folder)
    return folder


def test_sentence_transformers_gives_the_bounded_coordinates(bundle, encoder_folder):
    library = pytest.importorskip('sentence_transformers')
    model = library.SentenceTransformer(str(encoder_folder), device='cpu', trust_remote_code=True)
    tangents = torch.from_numpy(model.encode(TEXTS)).double()
    points = Searcher.load(bundle.path).encode(TEXTS)
    torch.testing.assert_close(tangents, log0(points, c=SPACE.curvature), atol=1e-4, rtol=1e-4)
    assert float(tangents.norm(dim=1).max()) < SPACE.r_max
    apart = pairwise_distance(points, points, c=SPACE.curvature)
    assert apart[0, 1] > 1e-2
    manifest = json.loads((encoder_folder / 'manifest.json').read_text(encoding='utf-8'))
    assert 'codes.safetensors' in manifest['output']
    assert manifest['space']['r_max'] == SPACE.r_max
    written = b''.join(p.read_bytes() for p in encoder_folder.rglob('*') if p.is_file())
    for folder in (encoder_folder.parent, bundle.path.parent):
        assert str(folder).encode() not in written, 'no folder of this machine'


def test_the_lines_of_its_card_rank_codes_in_a_process_without_this_package(
    bundle, encoder_folder, tmp_path
):
    card = (encoder_folder / 'README.md').read_text(encoding='utf-8')
    [code] = re.findall(r'```python\n(.*?)```', card, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    done = subprocess.run(
        [sys.executable, '-I', '-c', ALONE.format(card=code)],
        cwd=encoder_folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_HOME': str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert 'newly initialized' not in done.stderr
    assert 'warn' not in done.stderr.lower()
    [wanted] = Searcher.load(bundle.path).search(['dog grooming salon'], k=5)
    lines = [line.split(' ', 1) for line in done.stdout.splitlines()]
    assert [code for code, _ in lines] == [hit.official for hit in wanted]
    assert [line[1].rsplit(' ', 1)[0] for line in lines] == [hit.title for hit in wanted]


def test_its_card_names_only_files_that_are_there_and_the_encoder_s_own_metrics(encoder_folder):
    card = (encoder_folder / 'README.md').read_text(encoding='utf-8')
    named = set(re.findall(r"[`']([a-z_]+\.(?:csv|safetensors|json|py))[`']", card))
    assert {'codes.csv', 'codes.safetensors', 'lorentz_bound.py'} <= named
    assert all((encoder_folder / name).is_file() for name in named)
    assert '| coder |' not in card


def test_without_the_package_it_says_so(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(UserError, match='needs the package sentence-transformers'):
        export_sentence_transformer(bundle, tmp_path / 'encoder')
