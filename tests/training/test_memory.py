"""The batch size that fits a device."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from naics_embed.cli.gpu import gpu
from naics_embed.config.edit import write_batch
from naics_embed.config.load import load_config
from naics_embed.errors import ConfigError
from naics_embed.text.backbone import load_transformer
from naics_embed.text.encoder import AdapterSettings, SentenceEncoder
from naics_embed.training.memory import (
    encoder_step,
    measure_batch,
    plan_batch,
    saved_bytes,
    weight_bytes,
)

GIB = 2**30
CPU = torch.device('cpu')
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def encoder(folder, **options) -> SentenceEncoder:
    return SentenceEncoder(load_transformer(folder), AdapterSettings(2, 4.0, 0.0, 1, **options))


def test_a_line_through_two_measurements():
    plan = plan_batch((8, 180.0), (16, 260.0), 1000, fraction=0.9, step=8, measured=True)
    assert (plan.fixed, plan.per_query) == (100, 10)
    assert plan.batch == 80, 'from (900 − 100) / 10'
    with pytest.raises(ConfigError, match=r'a batch of 8 needs.*model\.checkpointing'):
        plan_batch((8, 180.0), (16, 260.0), 150, fraction=0.9, step=8, measured=True)


def test_what_autograd_keeps_is_counted_once():
    x = torch.randn(100, 10, requires_grad=True)
    assert saved_bytes(lambda: x.exp().sum()) == 4000
    y = torch.randn(100, 10, requires_grad=True)
    assert saved_bytes(lambda: (x * y + y * x).sum()) == 8000, 'x and y, once each'


def test_memory_grows_with_the_batch_and_falls_with_recomputation(tiny_backbone):
    plain = encoder(tiny_backbone).train()
    less = encoder(tiny_backbone, checkpointing=True).train()
    kept = {
        (name, size): saved_bytes(encoder_step(built, size, 20, CPU))
        for name, built in (('plain', plain), ('less', less))
        for size in (4, 8, 16)
    }
    grown = [kept['plain', 8] - kept['plain', 4], kept['plain', 16] - kept['plain', 8]]
    assert grown[1] == pytest.approx(2 * grown[0], rel=0.05), 'in proportion to the batch'
    assert kept['less', 16] < 0.5 * kept['plain', 16]


def test_advice_without_a_gpu(tiny_backbone):
    options = {'tokens': 20, 'sizes': (4, 8), 'fraction': 0.8, 'step': 8, 'precision': '32-true'}
    plan = measure_batch(encoder(tiny_backbone), memory=GIB // 8, **options)
    if torch.cuda.is_available():
        assert plan.measured
        return
    assert not plan.measured
    assert plan.batch % 8 == 0
    twice = measure_batch(encoder(tiny_backbone), memory=GIB // 4, **options)
    assert twice.batch == pytest.approx(2 * plan.batch, rel=0.1)
    used = saved_bytes(encoder_step(encoder(tiny_backbone).train(), 16, 20, CPU))
    predicted = plan.fixed - weight_bytes(encoder(tiny_backbone)) + 16 * plan.per_query
    assert predicted == pytest.approx(used, rel=0.05)
    less = measure_batch(encoder(tiny_backbone, checkpointing=True), memory=GIB // 8, **options)
    step = encoder_step(encoder(tiny_backbone, checkpointing=True).train(), 16, 20, CPU)
    kept_only = (saved_bytes(step)) / 16
    assert kept_only < less.per_query < plan.per_query, 'a layer at a time is held as well'
    with pytest.raises(ConfigError, match='no GPU here'):
        measure_batch(encoder(tiny_backbone), memory=None, **options)


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        (
            '# A.\ntraining:\n  accelerator: gpu\n  batch: 1024   # guessed\nmodel:\n  dim: 8\n',
            '# A.\ntraining:\n  accelerator: gpu\n  batch: 512  # guessed\nmodel:\n  dim: 8\n',
        ),
        (
            'training:\n  epochs: 2\nmodel:\n  batch: 3\n',
            'training:\n  batch: 512\n  epochs: 2\nmodel:\n  batch: 3\n',
        ),
        ('model:\n  dim: 8\n', 'model:\n  dim: 8\ntraining:\n  batch: 512\n'),
        (
            'training:  # of a GPU\n  epochs: 2\n',
            'training:  # of a GPU\n  batch: 512\n  epochs: 2\n',
        ),
        ('', 'training:\n  batch: 512\n'),
    ],
)
def test_a_profile_is_changed_in_one_line(tmp_path, before, after):
    profile = tmp_path / 'gpu.yaml'
    profile.write_text(before, encoding='utf-8')
    write_batch(profile, 512)
    assert profile.read_text(encoding='utf-8') == after


@pytest.mark.parametrize(
    'content',
    [
        'training: {accelerator: gpu, epochs: 3}\n',
        '{training: {epochs: 3}}\n',
        'training:\n    epochs: 3\n',
        '"training":\n  epochs: 3\n',
    ],
)
def test_a_profile_of_another_layout_is_left_alone(tmp_path, content):
    profile = tmp_path / 'gpu.yaml'
    profile.write_text(content, encoding='utf-8')
    with pytest.raises(ConfigError, match=r'gpu\.yaml has a section training .*batch: 512'):
        write_batch(profile, 512)
    assert profile.read_text(encoding='utf-8') == content


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'memory': float('nan')}, 'memory must be a number of GiB'),
        ({'memory': float('inf')}, 'memory must be a number of GiB'),
        ({'fraction': float('nan')}, r'fraction in \(0, 1\]'),
        ({'fraction': 5.0}, r'fraction in \(0, 1\]'),
        ({'fraction': -1.0}, r'fraction in \(0, 1\]'),
        ({'profile': '../base'}, r"no profile '\.\./base'"),
        ({'overrides': ['backbone.window=5000']}, r'window=5000, but .* reads'),
        ({'overrides': ['model.mode=frozen']}, 'trains no transformer'),
    ],
)
def test_the_command_refuses_what_makes_no_sense(tiny_backbone, changed, words):
    arguments = {
        'overrides': ['backbone.window=20'],
        'profile': 'gpu',
        'memory': 1.0,
        'fraction': 0.8,
        'config_folder': CONFIGS,
        'apply': False,
        'as_json': True,
    } | changed
    arguments['overrides'] = [f'backbone.name={tiny_backbone}', *arguments['overrides']]
    with pytest.raises(ConfigError, match=words):
        gpu(**arguments)


def test_the_command_writes_its_advice_into_the_profile(tiny_backbone, tmp_path, capsys):
    folder = tmp_path / 'configs'
    shutil.copytree(CONFIGS, folder)
    arguments = {
        'overrides': [f'backbone.name={tiny_backbone}', 'backbone.window=20'],
        'profile': 'gpu',
        'memory': 0.25,
        'fraction': 0.8,
        'config_folder': folder,
    }
    gpu(**arguments, apply=False, as_json=True)
    advised = json.loads(capsys.readouterr().out)
    assert advised['batch'] >= 8
    assert load_config(folder, 'gpu').config.training.batch == 1024
    gpu(**arguments, apply=True, as_json=False)
    assert f'training.batch={advised["batch"]} for 0.2 GiB' in capsys.readouterr().out
    assert load_config(folder, 'gpu').config.training.batch == advised['batch']


def test_a_profile_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match='does not exist'):
        write_batch(tmp_path / 'none.yaml', 8)
