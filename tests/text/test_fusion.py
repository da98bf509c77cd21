"""Fusions ignore absent channels, begin as the masked mean, and learn."""

import math

import pytest
import torch

from naics_embed.text.fusion.attention import Attention
from naics_embed.text.fusion.choice import make_fusion
from naics_embed.text.fusion.experts import Experts

KINDS = ('masked_mean', 'attention', 'experts')
WIDTH, CHANNELS, CODES = 8, 3, 20


def fusion(kind: str):
    torch.manual_seed(0)
    return make_fusion(kind, width=WIDTH, channels=CHANNELS, experts=4, top=2, hidden=6)


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(CODES, CHANNELS, WIDTH, generator=generator)
    present = torch.rand(CODES, CHANNELS, generator=generator) < 0.6
    present[:, 0] = True
    return torch.nn.functional.normalize(embeddings, dim=-1), present


def shaken(kind: str):
    """A fusion with weights that have left their start."""
    built = fusion(kind)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return built


@pytest.mark.parametrize('kind', KINDS)
def test_it_begins_as_the_mean_of_what_is_present(kind):
    embeddings, present = batch()
    got = fusion(kind)(embeddings, present).embedding
    for row in range(CODES):
        mean = embeddings[row, present[row]].mean(0)
        torch.testing.assert_close(got[row], mean / mean.norm())


@pytest.mark.parametrize('kind', KINDS)
def test_absent_channels_take_no_part(kind):
    embeddings, present = batch()
    built = shaken(kind)
    one = built(embeddings, present)
    changed = embeddings.masked_fill(~present[..., None], 1e3)
    other = built(changed, present)
    torch.testing.assert_close(one.embedding, other.embedding)
    torch.testing.assert_close(one.embedding.norm(dim=1), torch.ones(CODES))
    for name, metric in one.metrics.items():
        torch.testing.assert_close(metric, other.metrics[name])
    if one.balance is not None:
        torch.testing.assert_close(one.balance, other.balance)


@pytest.mark.parametrize('kind', KINDS[1:])
def test_every_weight_learns(kind):
    built = shaken(kind)
    embeddings, present = batch()
    fused = built(embeddings, present)
    loss = (fused.embedding * torch.randn(WIDTH)).sum()
    loss.backward()
    for name, parameter in built.named_parameters():
        assert bool((parameter.grad != 0).any()), name


def test_attention_weights_add_up_over_what_is_present():
    embeddings, present = batch()
    built = shaken('attention')
    assert isinstance(built, Attention)
    weights = built.weights(embeddings, present)
    torch.testing.assert_close(weights.sum(1), torch.ones(CODES))
    assert bool((weights[~present] == 0).all())
    entropy = built(embeddings, present).metrics['attention_entropy']
    assert 0 < float(entropy) < math.log(CHANNELS)


def test_experts_equal_a_plain_loop_over_the_two_best():
    embeddings, present = batch()
    built = shaken('experts')
    assert isinstance(built, Experts)
    got = built(embeddings, present)
    assignments = torch.zeros(4)
    probabilities = torch.zeros(4)
    for row in range(CODES):
        outs = []
        for channel in present[row].nonzero().squeeze(1).tolist():
            x = embeddings[row, channel]
            gate = (built.gate(x) + built.channel[channel]).softmax(0)
            probabilities += gate.detach()
            best = gate.topk(2).indices
            assignments[best] += 1
            out = x
            for expert in best.tolist():
                inner = torch.nn.functional.gelu(x @ built.inward[expert])
                out = out + gate[expert] / gate[best].sum() * (inner @ built.outward[expert])
            outs.append(out)
        mean = torch.stack(outs).mean(0)
        torch.testing.assert_close(got.embedding[row], mean / mean.norm())
    load = assignments / assignments.sum()
    for expert in range(4):
        assert float(got.metrics[f'load_{expert}']) == pytest.approx(float(load[expert]))
    balance = 4 * (load * probabilities / present.sum()).sum()
    assert float(got.balance.detach()) == pytest.approx(float(balance))


def test_balance_evens_the_load():
    built = fusion('experts')
    embeddings, present = batch()
    with torch.no_grad():
        built.channel[:, 0] = 4.0
    optimizer = torch.optim.Adam(built.parameters(), lr=0.1)
    before = built(embeddings, present)
    for _ in range(60):
        optimizer.zero_grad()
        built(embeddings, present).balance.backward()
        optimizer.step()
    after = built(embeddings, present)
    fractions = [torch.stack([f.metrics[f'load_{e}'] for e in range(4)]) for f in (before, after)]
    assert float(fractions[0].max()) == pytest.approx(0.5), 'every text went to the first expert'
    assert float(fractions[1].max()) < 0.4
    assert float(after.balance.detach()) < float(before.balance.detach())


def test_routes_are_shares_of_the_experts():
    embeddings, present = batch()
    routes = shaken('experts').routes(embeddings, present)
    torch.testing.assert_close(routes.sum(1), torch.ones(CODES))
    assert fusion('masked_mean').routes(embeddings, present) is None
