import json

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


@pytest.mark.filterwarnings('ignore::UserWarning')
def test_sentence_transformers_encodes_as_the_searcher_does(bundle, tmp_path):
    library = pytest.importorskip('sentence_transformers')
    export_sentence_transformer(bundle, tmp_path / 'encoder')
    model = library.SentenceTransformer(str(tmp_path / 'encoder'), device='cpu')
    free = torch.from_numpy(model.encode(TEXTS)).double()
    norm = free.norm(dim=1, keepdim=True)
    tangents = SPACE.r_max * torch.tanh(norm / SPACE.r_max) * free / norm
    points = Searcher.load(bundle.path).encode(TEXTS)
    torch.testing.assert_close(tangents, log0(points, c=SPACE.curvature), atol=1e-4, rtol=1e-4)
    apart = pairwise_distance(points, points, c=SPACE.curvature)
    assert apart[0, 1] > 1e-2
    manifest = json.loads((tmp_path / 'encoder' / 'manifest.json').read_text(encoding='utf-8'))
    assert 'tanh' in manifest['output']
    assert manifest['space']['r_max'] == SPACE.r_max
    written = b''.join(p.read_bytes() for p in (tmp_path / 'encoder').rglob('*') if p.is_file())
    for folder in (tmp_path, bundle.path.parent):
        assert str(folder).encode() not in written, 'no folder of this machine'


def test_without_the_package_it_says_so(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(UserError, match='needs the package sentence-transformers'):
        export_sentence_transformer(bundle, tmp_path / 'encoder')
