"""The rows of the ablation benchmark are settings that exist."""

from pathlib import Path

import pytest

from benchmarks.ablation import BASE, ROWS
from naics_embed.config.load import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize('row', sorted(ROWS))
def test_a_row_changes_the_base(row):
    base = load_config(CONFIGS, 'ablation', []).config
    changed = load_config(CONFIGS, 'ablation', ROWS[row]).config
    assert (changed == base) == (row == BASE)
