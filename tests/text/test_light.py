"""Encoding by numpy against that by torch, and a search that never imports torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from naics_embed.bundle.storage import HEAD
from naics_embed.errors import ArtifactError
from naics_embed.geometry import arrays, lorentz
from naics_embed.search.coder_parts import read_parts
from naics_embed.search.storage import FROZEN
from naics_embed.text.inference import light
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

TEXTS = ['corn farming', 'a', 'dental offices and clinics, and more of them', 'shoe repair']


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('light')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(params=['same', 'upper layer', 'embeddings'])
def parts(bundle, tmp_path, request):
    """The parts of a coder whose frozen transformer differs from the trained one in a place."""
    parts = read_parts(bundle, verify=False, precision='float32')
    name = {
        'same': None,
        'upper layer': 'encoder.layer.1.output.dense.weight',
        'embeddings': 'embeddings.LayerNorm.bias',
    }[request.param]
    frozen = bundle / 'coder' / FROZEN
    if name is not None:
        frozen = tmp_path / FROZEN
        weight = load_file(bundle / 'encoder' / 'model.safetensors')[name]
        save_file({name: weight + 0.1 * torch.randn_like(weight)}, frozen)
    return parts, frozen


def reader(parts, frozen):
    searcher = parts.searcher
    space = searcher.space
    return light.LightEncoder.read(
        searcher.bundle.encoder,
        frozen,
        searcher.bundle.encoder / HEAD,
        searcher.tokenizer,
        curvature=space.curvature,
        r_max=space.r_max,
    )


def test_embeddings_points_and_distances_are_those_of_torch(parts):
    from naics_embed.text.inference.frozen import read_frozen
    from naics_embed.text.inference.packed import encoder_pair

    parts, frozen = parts
    searcher = parts.searcher
    encoder = reader(parts, frozen)
    origin = read_frozen(frozen, searcher.backbone)
    pair = encoder_pair(searcher.tokenizer, searcher.backbone, origin, 'float32')
    expected = pair.embed(TEXTS, 64)
    found = encoder.embed(TEXTS)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=2e-6)
    points = searcher.points_of(expected[0])
    np.testing.assert_allclose(encoder.points(found[0]), points.numpy(), rtol=1e-4, atol=1e-4)
    curvature = searcher.space.curvature
    codes = searcher.point_array
    np.testing.assert_allclose(codes, searcher.points.numpy(), rtol=1e-12)
    np.testing.assert_allclose(
        arrays.pairwise_distance(points.numpy(), codes, curvature),
        lorentz.pairwise_distance(points, searcher.points, c=curvature).numpy(),
        atol=1e-8,
    )


def test_gelu_is_that_of_torch():
    x = np.linspace(-12, 12, 4001, dtype=np.float32)
    expected = torch.nn.functional.gelu(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(light.gelu(x), expected, atol=1e-6)


def test_a_damaged_file_is_named(parts, tmp_path):
    parts, _ = parts
    broken = tmp_path / 'broken.safetensors'
    broken.write_bytes(b'no weights')
    with pytest.raises(ArtifactError, match='is damaged'):
        reader(parts, broken)


SEARCH = """
import sys
from naics_embed import Coder
coder = Coder.load(sys.argv[1])
few = coder.probabilities(['corn farming', 'shoe repair'])
coder.search('corn farming', evidence=1, ask=True)
print(sorted({'torch', 'pandas', 'sympy'} & set(sys.modules)))
many = coder.probabilities(['corn farming', 'shoe repair'] * 9)
print('torch' in sys.modules, abs(few - many[:2]).max() < 1e-5)
"""


def test_a_few_texts_are_coded_without_torch_and_many_with_it(bundle):
    done = subprocess.run(
        [sys.executable, '-c', SEARCH, str(bundle)], check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ['[]', 'True True']
