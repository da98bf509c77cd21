"""The rows of the ablation benchmark are settings that exist."""

from pathlib import Path

import pytest

from benchmarks.ablation import BASE, ROWS, with_comments
from naics_embed.config.load import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize('row', sorted(ROWS))
def test_a_row_changes_the_base(row):
    base = load_config(CONFIGS, 'ablation', []).config
    changed = load_config(CONFIGS, 'ablation', ROWS[row]).config
    assert (changed == base) == (row == BASE)


def test_a_new_table_keeps_what_people_wrote_below_the_old_one():
    old = '# Ablations\n\n| old |\n\n## What it says\n\nMuch.\n\n## More\n'
    new = '# Ablations\n\n| new |\n'
    assert with_comments(new, old) == new + '\n## What it says\n\nMuch.\n\n## More\n'
    assert with_comments(new, '') == new
