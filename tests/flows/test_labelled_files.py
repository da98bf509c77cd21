"""Labelled files of the user as a source of the whole pipeline."""

import csv

import numpy as np
import polars as pl
import pytest

from naics_embed.artifacts import read_json
from naics_embed.errors import UserError
from tests.flows.test_exports import Builder
from tests.flows.test_pipeline import computed

pytestmark = pytest.mark.slow
FIRMS = 300


@pytest.fixture(scope='module')
def run(tmp_path_factory, miniature, tiny_backbone, prefect_server):
    """A run with a file of firms, made up: two texts each, in words that only their code has."""
    builder = Builder(tmp_path_factory.mktemp('labelled'), miniature, tiny_backbone)
    codes = [code for code in miniature.taxonomy.codes if len(code) == 6]
    rng = np.random.default_rng(0)
    file = builder.home / 'firms.csv'
    with file.open('w', newline='', encoding='utf-8') as stream:
        rows = csv.writer(stream)
        rows.writerow(['what', 'naics', 'firm'])
        for firm in range(FIRMS):
            code = codes[firm % len(codes)]
            for _ in range(2):
                letters = ' '.join(''.join(rng.choice(list('aeiourst'), 6)) for _ in range(4))
                rows.writerow([f'{letters} firm', code, firm])
        rows.writerow(['no code at all', '999999', ''])
    settings = (
        f'data.labelled.files=[{file}]',
        'data.labelled.text_column=what',
        'data.labelled.code_column=naics',
        'data.labelled.group_column=firm',
    )
    return builder, settings, builder.run(*settings)


def output(builder, name):
    [found] = builder.root.glob(f'{name}/*/{name}.parquet')
    return pl.read_parquet(found)


def test_texts_train_the_encoder_and_firms_stay_together(run):
    builder, _, _ = run
    queries = output(builder, 'queries').filter(pl.col('kind') == 'labelled')
    assert len(queries) == 2 * FIRMS
    counts = dict(queries.group_by('split').len().rows())
    assert counts['train'] > FIRMS
    assert counts['validation'] > 20
    assert counts['test'] > 20
    firms = pl.read_csv(builder.home / 'firms.csv', schema_overrides={'naics': pl.String})
    split = firms.join(queries, left_on='what', right_on='text')
    assert split.group_by('firm').agg(pl.col('split').n_unique())['split'].max() == 1


def test_they_are_scored_and_are_evidence(run):
    builder, _, summary = run
    metrics = summary['metrics']
    assert metrics['test/labelled_queries']['value'] > 20
    [texts] = builder.root.glob('export/*/bundle/coder/texts.parquet')
    known = pl.read_parquet(texts)['text'].to_list()
    assert sum(text.endswith(' firm') for text in known) > FIRMS


def test_no_text_or_path_of_theirs_is_in_the_manifest(run):
    builder, _, summary = run
    manifest = str(read_json(builder.root.parent / summary['bundle'] / 'manifest.json'))
    assert 'firms.csv' not in manifest


def test_the_same_file_elsewhere_computes_nothing_again(run):
    builder, settings, _ = run
    moved = builder.home / 'moved.csv'
    moved.write_bytes((builder.home / 'firms.csv').read_bytes())
    assert computed(builder.run(f'data.labelled.files=[{moved}]', *settings[1:])) == set()


def test_a_missing_file_is_told_before_any_work(run):
    builder, settings, _ = run
    with pytest.raises(UserError, match=r'gone\.csv does not exist'):
        builder.run(f'data.labelled.files=[{builder.home}/gone.csv]', *settings[1:])
