"""Two processes with half of the batch each give the loss and gradients of one with all of it."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from naics_embed.objective.gather import gather_rows
from naics_embed.training import data
from naics_embed.training.build import make_data, make_model, make_module
from naics_embed.training.data import StepDataset, StepSampler
from naics_embed.training.fit import train_text
from naics_embed.training.module import TrainingSchedule

WORLD = 2
# Without noise on embeddings: it would fall on rows in another order.
OVERRIDES = (
    'model.dropout=0',
    'model.embedding_dropout=0',
    'training.head_only.embedding_dropout=0',
    'training.head_only.embedding_noise=0',
    'objective.dcl.weight=0.3',
    'objective.anchor.weight=0.2',
    'objective.retrieval.ancestor_credit=0.3',
    'model.code_points=text+offset',
)


class Loss(torch.nn.Module):
    """A module whose forward pass is the loss of a step, as data-parallel training wants it."""

    def __init__(self, module) -> None:
        super().__init__()
        self.model = module.model
        self.step = module

    def forward(self, batch) -> torch.Tensor:
        return self.step.terms(batch, 0.5).total


def first_batch(inputs, settings):
    built = make_data(inputs, settings)
    sampler: StepSampler = built.train_dataloader().sampler
    return StepDataset(inputs.corpus, inputs.train, built.settings)[next(iter(sampler))]


def prepared(inputs, settings):
    torch.manual_seed(0)
    module = make_module(make_model(inputs, settings), inputs, settings, 10, TrainingSchedule())
    with torch.no_grad():
        for name, parameter in module.model.encoder.named_parameters():
            if 'lora_B' in name:
                parameter.normal_(std=0.1)
    return module


def worker(rank: int, port: int, inputs, settings, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    dist.init_process_group('gloo', rank=rank, world_size=WORLD)
    rows = torch.full((rank + 1, 2), float(rank), requires_grad=True)
    gathered = gather_rows(rows)
    assert gathered[:, 0].tolist() == [0.0, 1.0, 1.0], 'unequal shares, in order of rank'
    (gathered * torch.arange(3.0)[:, None]).sum().backward()
    # Both processes ask; row i of the whole has gradient i from each of them.
    assert rows.grad[:, 0].tolist() == [[0.0], [2.0, 4.0]][rank]

    lone = torch.full((1, 2), 1.0, requires_grad=True) if rank == 0 else torch.empty(0, 2)
    (3 * gather_rows(lone)).sum().backward()
    assert rank or lone.grad.tolist() == [[6.0, 6.0]], 'a process without rows takes part'

    module = prepared(inputs, settings)
    # The name keeps the wrapper alive until the backward pass.
    parallel = DistributedDataParallel(Loss(module), find_unused_parameters=True)
    loss = parallel(first_batch(inputs, settings))
    loss.backward()
    result = {n: p.grad for n, p in module.model.named_parameters() if p.grad is not None}
    torch.save({'loss': loss.detach(), 'gradients': result}, folder / f'step-{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(make_inputs, step_settings, of_two):
    settings, inputs = step_settings, make_inputs()
    module = prepared(inputs, settings)
    batch = first_batch(inputs, settings)
    whole = Loss(module)(batch)
    whole.backward()
    expected = {n: p.grad for n, p in module.model.named_parameters() if p.grad is not None}
    assert sum('_channel' in name for name in expected) > 0
    for rank in range(WORLD):
        result = torch.load(of_two / f'step-{rank}.pt', weights_only=True)
        torch.testing.assert_close(result['loss'], whole.detach())
        for name, gradient in expected.items():
            torch.testing.assert_close(
                result['gradients'][name], gradient, atol=1e-5, rtol=1e-4, msg=name
            )


def torchrun(rank: int, port: int, inputs, settings, folder: Path) -> None:
    """One process of a training as torchrun starts it."""
    torch.set_num_threads(1)
    os.environ |= {
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port),
        'TORCHELASTIC_RUN_ID': 'test',
        'RANK': str(rank),
        'LOCAL_RANK': str(rank),
        'GROUP_RANK': '0',
        'WORLD_SIZE': str(WORLD),
        'LOCAL_WORLD_SIZE': str(WORLD),
    }
    trained = train_text(inputs, settings, folder / 'shared')
    torch.save({'history': trained.history, 'state': trained.state}, folder / f'{rank}.pt')


def step_then_training(rank: int, ports, inputs, settings, folder: Path) -> None:
    """Do both in one process: what costs is to start it."""
    for job, *its in zip((worker, torchrun), ports, inputs, settings, strict=True):
        job(rank, *its, folder)


@pytest.fixture(scope='module')
def step_settings(settings_with):
    return settings_with(*OVERRIDES)


@pytest.fixture(scope='module')
def training_settings(settings_with, make_inputs):
    """With a last step of one query, and a placed code, of which one process gets none."""
    last = len(make_inputs().train) - 1
    return settings_with(
        *OVERRIDES,
        'training.epochs=2',
        'training.head_only.epochs=1',
        f'training.batch={next(size for size in range(32, last) if last % size == 0)}',
        'objective.placed_codes=1',
    )


@pytest.fixture(scope='module')
def of_two(tmp_path_factory, make_inputs, step_settings, training_settings) -> Path:
    """What each of two processes got: ``step-RANK.pt`` and ``RANK.pt``."""
    folder = tmp_path_factory.mktemp('two')
    here = ('127.0.0.1', 0)
    with socket.create_server(here) as one, socket.create_server(here) as two:
        ports = [listening.getsockname()[1] for listening in (one, two)]
    mp.start_processes(
        step_then_training,
        (ports, [make_inputs(), make_inputs()], [step_settings, training_settings], folder),
        nprocs=WORLD,
        start_method='spawn',
    )
    return folder


@pytest.mark.slow
def test_a_training_of_two_processes_equals_one_of_one(
    make_inputs, training_settings, of_two, tmp_path
):
    whole = train_text(make_inputs(), training_settings, tmp_path / 'alone')
    for rank in range(WORLD):
        result = torch.load(of_two / f'{rank}.pt', weights_only=True)
        for epoch, expected in zip(result['history'], whole.history, strict=True):
            # A process without rows would not take part in them.
            assert not any(name.startswith('gradient/') for name in epoch)
            assert 'gradient/retrieval' in expected
            for name in ('train/loss', 'train/retrieval', 'train/dcl', 'train/placement'):
                assert epoch[name] == pytest.approx(expected[name], rel=1e-3), name
        for name, value in whole.state.items():
            torch.testing.assert_close(result['state'][name], value, atol=2e-3, rtol=1e-2)


def test_one_process_gathers_nothing():
    rows = torch.randn(3, 2, requires_grad=True)
    assert gather_rows(rows) is rows


def test_shares_of_a_step_are_of_one_draw(monkeypatch, make_inputs, settings_with):
    inputs, settings = make_inputs(), settings_with()
    whole = first_batch(inputs, settings)
    targets = []
    for rank in range(WORLD):
        monkeypatch.setattr(data, 'world', lambda rank=rank: (rank, WORLD))
        part = first_batch(replace(inputs), settings)
        targets += part.target.tolist()
        assert torch.equal(part.drawn, whole.drawn)
    assert sorted(targets) == sorted(whole.target.tolist())
