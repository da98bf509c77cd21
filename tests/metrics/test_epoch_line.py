"""Lines of epochs have few, plain names."""

from naics_embed.metrics.epoch_line import epoch_line

RAW = {
    'train/loss': 2.3456,
    'train/retrieval': 1.0,
    'validation/index_mrr': 0.81,
    'validation/index_top1': 0.7,
    'validation/plain_mrr': 0.9,
    'validation/panel_mrr': 0.95,
    'validation/business_mrr': 0.93,
    'validation/spearman': 0.88,
    'validation/selection': 0.85,
    'health/radius_q95': 3.0,
    'gradient/head': 0.2,
    'curriculum/phase': 1.0,
}


def test_an_epoch_is_told_by_six_plain_names():
    line = epoch_line(RAW)
    assert line == (
        'loss 2.346, MRR of index entries 0.810, of plain language 0.900, of the panel 0.950, '
        'of business texts 0.930, tree distances, rank correlation 0.880'
    )
    assert '_' not in line
    assert '/' not in line


def test_an_epoch_without_validation_has_its_loss_and_the_graph_stage_the_same_words():
    assert epoch_line({'train/loss': 2.0, 'train/placement': 1.0}) == 'loss 2.000'
    graph = {'train_loss': 1.5, 'index_mrr': 0.5, 'step_0_0': 0.1, 'weight_radius': 1.0}
    assert epoch_line(graph) == 'loss 1.500, MRR of index entries 0.500'
