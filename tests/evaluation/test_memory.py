"""Scores by a memory against a plain computation, and a fit that finds what is useful."""

import math

import torch

from naics_embed.evaluation.evaluate import Table, retrieval_metrics
from naics_embed.evaluation.memory import (
    SHARPNESS,
    KnownPoints,
    Memory,
    MemoryWeights,
    fit_memory,
    memory_metrics,
)
from naics_embed.evaluation.queries import query_groups
from naics_embed.geometry.construction import construct
from naics_embed.geometry.lorentz import distance, exp0


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def small(texts: int = 30, c: float = 0.7) -> Memory:
    codes, known = exp0(draw(4, 3, seed=0), c=c), exp0(draw(texts, 3, seed=1), c=c)
    return Memory(codes, known, torch.arange(texts) % 3, c, nearest=12)


def test_scores_are_linear_in_both_distances_and_the_number_of_texts():
    memory, weights = small(), MemoryWeights(3.0, 2.0, 0.5)
    queries = exp0(draw(5, 3, seed=2), c=0.7)
    found = memory.scores(queries, weights)
    for i, query in enumerate(queries):
        away = [float(distance(query, text, c=0.7)) for text in memory.texts]
        kept = sorted(range(30), key=away.__getitem__)[:12]
        far = max(away[t] for t in kept)
        for code in range(4):
            own = [away[t] for t in kept if t % 3 == code and code < 3]
            total = sum(math.exp(-SHARPNESS * (d - far)) for d in own) + 1
            near = far - math.log(total) / SHARPNESS
            expected = -3 * float(distance(query, memory.codes[code], c=0.7)) - 2 * near
            expected += 0.5 * math.log(10) if code < 3 else 0.0
            assert math.isclose(float(found[i, code]), expected, abs_tol=1e-4)


def test_the_fit_weighs_what_tells_the_codes_apart():
    features = draw(400, 5, 3, seed=3).float()
    right = features @ torch.tensor([2.0, 0.0, 1.0]) + 0.1 * draw(400, 5, seed=4).float()
    weights = fit_memory([features[:200], features[200:]], [*right.argmax(-1).split(200)])
    assert weights.code > 5 * abs(weights.texts)
    assert 0.4 < weights.number / weights.code < 0.6


def test_metrics_of_a_run_are_fitted_on_validation_and_stand_beside_the_best_baseline(
    taxonomy, structure, tree, frame_of
):
    tangents = construct(taxonomy.parent, dim=12, tau=1.5, spread=0.75, seed=0, c=1.0)
    table = Table(tangents, 1.0, 9.0, tuple(structure))
    leaves = [int(i) for i in taxonomy.at_level(6) if structure[i] == 'supervised']
    rows = [
        (f'{split} {taxonomy.codes[leaf]}', taxonomy.codes[leaf], 'index', split)
        for split in ('validation', 'test')
        for leaf in leaves
    ]
    groups = query_groups(frame_of(*rows), taxonomy, structure, jaccard=0.9)
    # Each text lies at the code before its own, and the known texts lie there too.
    before = {leaf: leaves[i - 1] for i, leaf in enumerate(leaves)}
    moved = [table.points[[before[int(leaf)] for leaf in group.target]] for group in groups]
    known = KnownPoints(
        table.points[[before[leaf] for leaf in leaves]] * 1.001, torch.tensor(leaves)
    )
    alone = retrieval_metrics(table, groups, moved, tree, {})
    baselines = {'bm25': {'test/top1': 0.4}, 'class_mean': {'test/top1': 0.6}}
    metrics = memory_metrics(table, groups, moved, known, tree, baselines)
    assert alone['test/top1'].value == 0
    assert metrics['test/memory_top1'].value == 1
    assert metrics['test/memory_top1'].reference_name == 'class_mean'
    assert metrics['memory/weight_texts'].value > metrics['memory/weight_code'].value
    assert metrics['memory/texts'].value == len(leaves)
    test_only = [group for group in groups if group.split == 'test']
    assert memory_metrics(table, test_only, moved[-1:], known, tree, baselines) == {}
