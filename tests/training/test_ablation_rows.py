"""The rows of the ablation benchmark are settings that exist."""

from pathlib import Path

import pytest

from benchmarks.ablation import (
    BASE,
    CELLS,
    FULL_ROWS,
    ROWS,
    heading,
    markdown,
    stored,
    summary,
    with_section,
)
from naics_embed.config.load import load_config
from naics_embed.errors import ArtifactError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize('row', sorted(ROWS))
def test_a_row_changes_the_base(row):
    base = load_config(CONFIGS, 'ablation', []).config
    changed = load_config(CONFIGS, 'ablation', ROWS[row]).config
    assert (changed == base) == (row == BASE)


@pytest.mark.parametrize(('profile', 'rows'), [('ablation', ROWS), ('cpu', FULL_ROWS)])
def test_the_page_shows_the_cells(profile, rows):
    results = stored(CELLS, profile, list(rows), [0, 1, 2])
    section = markdown(summary(results), results, profile)
    page = (CONFIGS.parent / 'docs' / 'ablation.md').read_text(encoding='utf-8')
    assert with_section(page, section) == page


def test_a_cell_that_was_never_trained_is_named():
    with pytest.raises(ArtifactError, match=r'ablation/base-seed77\.json is not there'):
        stored(CELLS, 'ablation', ['base'], [0, 77])


@pytest.mark.parametrize('row', sorted(FULL_ROWS))
def test_a_row_at_full_budget_changes_the_default(row):
    base = load_config(CONFIGS, 'cpu', []).config
    changed = load_config(CONFIGS, 'cpu', FULL_ROWS[row]).config
    assert (changed == base) == (row == BASE)


def test_a_new_table_takes_the_place_of_its_own_profile_alone():
    old = (
        f'# Ablations\n\n{heading("ablation")}\n\n| old |\n\n{heading("cpu")}\n\n| other |\n\n'
        '## What it says\n\nMuch.\n'
    )
    assert with_section(old, f'{heading("ablation")}\n\n| new |\n') == old.replace('old', 'new')
    assert with_section(old, f'{heading("cpu")}\n\n| new |\n') == old.replace('other', 'new')
    assert with_section(old, f'{heading("gpu")}\n\n| new |\n') == (
        old + f'\n{heading("gpu")}\n\n| new |\n'
    )
    assert with_section('', f'{heading("gpu")}\n\n| new |\n') == f'{heading("gpu")}\n\n| new |\n'
