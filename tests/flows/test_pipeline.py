"""The real pipeline, from workbooks to a promoted table, on a miniature of everything."""

import json
import logging
import math
import re
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pytest
import torch
import yaml
from mlflow import MlflowClient
from prefect.artifacts import Artifact
from safetensors.torch import load_file

from benchmarks.miniature import SETTINGS
from flows.controls import controls
from flows.pipeline import STAGES, TARGETS, pipeline
from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.bundle.storage import Bundle
from naics_embed.config.load import from_dict
from naics_embed.config.sections import to_dict
from naics_embed.errors import ArtifactError, ConfigError
from naics_embed.evaluation.candidates import METRICS
from naics_embed.search.coder import Coder
from naics_embed.search.searcher import Searcher
from tasks.registry.promotion import roll_back

pytestmark = pytest.mark.slow

SMALL = list(SETTINGS)


class Workshop:
    """Runs the pipeline on one source and one artifact root."""

    def __init__(self, root: Path, folder: Path, backbone: Path, uri: str) -> None:
        self.root = root
        self.uri = uri
        self.overrides = [
            *SMALL,
            'data.source=folder',
            f'data.folder={folder}',
            f'data.cache={root.parent / "cache"}',
            f'backbone.name={backbone}',
            f'runtime.root={root}',
            f'tracking.uri={uri}',
        ]

    def run(self, *overrides: str, **options: Any) -> dict[str, Any]:
        return pipeline('smoke', [*self.overrides, *overrides], **options)

    def nested(self, summary: dict[str, Any]) -> dict[str, Any]:
        """MLflow runs of the stages, by stage."""
        client = MlflowClient(self.uri)
        experiment = client.get_run(summary['run_id']).info.experiment_id
        found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{summary['run_id']}'")
        return {run.data.tags['stage'].replace('-', '_'): run for run in found}


@pytest.fixture(scope='module')
def workshop(tmp_path_factory, miniature, tiny_backbone, mlflow_uri, prefect_server):
    base = tmp_path_factory.mktemp('pipeline')
    return Workshop(base / 'artifacts', miniature.write(base / 'source'), tiny_backbone, mlflow_uri)


@pytest.fixture(scope='module')
def first(workshop) -> dict[str, Any]:
    return workshop.run()


@pytest.fixture(scope='module')
def second(workshop, first) -> dict[str, Any]:
    return workshop.run()


def computed(summary: dict[str, Any]) -> set[str]:
    return {name for name, stage in summary['stages'].items() if not stage['cached']}


def test_every_stage_ran_and_left_its_files(first, workshop):
    assert tuple(first['stages']) == STAGES
    assert computed(first) == set(STAGES)
    assert first['source'] == 'folder'
    for name, stage in first['stages'].items():
        folder = workshop.root / name / stage['key']
        assert stage['files'], name
        for path in stage['files'].values():
            assert Path(path).exists()
            assert Path(path).is_relative_to(folder)


def test_no_held_out_entry_leaks(first):
    metrics = first['stages']['index_roles']['metrics']
    assert metrics['leaks_after_draw'] == 0
    assert min(metrics['entries_validation'], metrics['entries_test']) > 10


def test_queries_come_from_every_origin(first, miniature):
    queries = pl.read_parquet(first['stages']['queries']['files']['queries'])
    kinds = {
        'index',
        'example',
        'title',
        'description',
        'redirection',
        'plain',
        'panel',
        'business',
        'group',
    }
    assert set(queries['kind']) == kinds
    assert set(queries['code']) <= set(miniature.taxonomy.codes)
    assert first['stages']['queries']['metrics']['plain_language_of_other_codes'] > 1000


def test_metrics_have_values_and_references(first):
    metrics = first['metrics']
    for name in ('mrr', 'top1', 'plain_mrr', 'panel_mrr', 'plain_level4_mrr'):
        for split in ('validation', 'test'):
            assert 0 <= metrics[f'{split}/{name}']['value'] <= 1
    for split in ('validation', 'test'):
        for name in ('mrr', 'strict_mrr', 'plain_mrr', 'panel_mrr'):
            metric = metrics[f'{split}/{name}']
            assert 0 < metric['reference'] <= 1
            assert metric['reference_name'] in {
                'title',
                'class_mean',
                'logistic_regression',
                'tfidf_svm',
                'bm25',
            }
        assert metrics[f'{split}/holdout_parent_at_1']['reference_name'] == 'chance'
    assert metrics['tree/spearman']['reference_name'] == 'ceiling'
    assert metrics['tree/supervised_spearman']['value'] > 0.5
    assert metrics['tree/map_neighbours']['reference'] == 1
    assert metrics['health/non_finite']['value'] == 0
    # A standard error of one query is unknown; nothing else may be.
    unknown = {name for name, metric in metrics.items() if metric['value'] is None}
    assert all(name.endswith('_se') for name in unknown)
    assert all(math.isfinite(metrics[name]['value']) for name in set(metrics) - unknown)


def test_a_text_that_shares_its_word_with_training_is_found_by_words(first):
    # Each industry has a word of its own in the miniature, so the lexical baselines must do well;
    # were labels and texts out of step, they would guess.
    reference = first['metrics']['test/mrr']
    assert reference['reference_name'] in {'bm25', 'tfidf_svm'}
    assert reference['reference'] > 0.9


def test_mlflow_has_a_run_for_the_pipeline_and_one_for_each_stage(first, workshop):
    client = MlflowClient(workshop.uri)
    parent = client.get_run(first['run_id'])
    assert parent.info.status == 'FINISHED'
    assert parent.data.tags['source'] == 'folder'
    assert len(parent.data.tags['source.codes.sha256']) == 64
    assert parent.data.params['model.dim'] == '8'
    assert parent.data.metrics['test/mrr'] == pytest.approx(first['metrics']['test/mrr']['value'])
    assert 'metrics.json' in {file.path for file in client.list_artifacts(first['run_id'])}

    nested = workshop.nested(first)
    drawn = client.list_artifacts(nested['atlas'].info.run_id)
    assert 'atlas.html' in {file.path for file in drawn}
    assert set(nested) == set(STAGES)
    for name, run in nested.items():
        assert run.info.status == 'FINISHED'
        assert run.data.tags['cached'] == 'false'
        assert run.data.params['key'] == first['stages'][name]['key']
        assert run.info.run_id == first['stages'][name]['run_id']
    history = client.get_metric_history(nested['text_training'].info.run_id, 'train/loss')
    assert [metric.step for metric in history] == [0, 1, 2], 'one head-only epoch and two more'


def test_a_second_run_finds_everything_ready(first, second, workshop):
    assert computed(second) == set()
    assert second['metrics'] == first['metrics']
    for name, stage in second['stages'].items():
        for part in ('key', 'files', 'metrics', 'run_id'):
            # As text, since the standard error of one query is NaN, which equals nothing.
            assert json.dumps(stage[part]) == json.dumps(first['stages'][name][part]), (name, part)
    assert second['run_id'] != first['run_id']
    for name, run in workshop.nested(second).items():
        assert run.data.tags['cached'] == 'true'
        assert run.data.tags['computed_by'] == first['stages'][name]['run_id']


def test_the_bundle_is_promoted_and_searchable(first, workshop, miniature):
    assert first['promoted']
    assert promoted_bundle(workshop.root) == Path(first['bundle'])
    bundle = Bundle.load(Path(first['bundle']))
    assert tuple(bundle.codes()['code']) == miniature.taxonomy.codes
    assert bundle.metrics() == first['metrics']
    assert bundle.manifest['source']['kind'] == 'folder'
    assert bundle.disk().shape == (len(miniature.taxonomy), 2)
    hidden = bundle.codes().filter(~pl.col('supervised'))['code'].to_list()
    holdout = pl.read_parquet(first['stages']['structure_holdout']['files']['structure_holdout'])
    assert hidden == holdout.filter(pl.col('split') != 'supervised')['code'].to_list()
    (hits,) = Searcher.load(bundle.path).search(['electric power to homes'], k=3)
    assert len(hits) == 3
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    assert {hit.code for hit in hits} <= set(miniature.taxonomy.codes)


def test_candidates_are_compared_and_one_is_picked(first, workshop):
    files = first['stages']['candidates']['files']
    candidates = json.loads(Path(files['candidates']).read_text())
    assert set(candidates) == {'text', 'smoothing', 'hgcn'}
    for metrics in candidates.values():
        assert not any(key.startswith('test/') for key in metrics), 'test is for the champion only'
        for metric in METRICS.values():
            assert metrics[metric] is not None, metric
    assert candidates['smoothing'] != candidates['text']
    chosen = json.loads(Path(first['stages']['selection']['files']['selection']).read_text())
    assert chosen['champion'] == first['table']
    assert {row['challenger'] for row in chosen['comparisons']} == {'smoothing', 'hgcn'}
    bundle = Bundle.load(Path(first['bundle']))
    assert bundle.manifest['table'] == first['table']
    table = load_file(first['stages']['selection']['files']['table'])['tangents']
    assert torch.allclose(torch.from_numpy(bundle.tangents()), table, atol=1e-5)
    client = MlflowClient(workshop.uri)
    assert 'table-selection.json' in {file.path for file in client.list_artifacts(first['run_id'])}
    assert client.get_run(first['run_id']).data.tags['table'] == first['table']


def test_the_table_is_compared_as_regressors(first):
    metrics = json.loads(Path(first['stages']['regression']['files']['regression']).read_text())
    assert {name.partition('/')[0] for name in metrics} == {
        'table',
        'one_hot',
        'ancestors',
        'frozen_text',
    }
    assert metrics['one_hot/seen_r2']['value'] > metrics['one_hot/held_out_r2']['value']
    assert 0 < metrics['table/held_out_r2']['reference'] < 1


def test_the_report_tells_what_the_run_did(first, workshop, tmp_path):
    assert Path(first['report']) == workshop.root / 'report.html'
    client = MlflowClient(workshop.uri)
    # The last run's lies under the root; each run's own in MLflow.
    logged = Path(client.download_artifacts(first['run_id'], 'report.html', str(tmp_path)))
    html = logged.read_text(encoding='utf-8')
    assert 'nothing was in use before' in html, 'the promotion is filled in'
    stage = Path(first['stages']['report']['files']['report']).read_text(encoding='utf-8')
    assert 'nothing was in use before' not in stage, 'which the cached file cannot know'
    assert 'No answers to single queries' not in html
    assert 'href="atlas.html"' in html
    logged = {file.path for file in client.list_artifacts(first['run_id'])}
    assert {'report.html', 'atlas.html'} <= logged
    assert (workshop.root / 'atlas.html').is_file()
    assert 'frozen embeddings' in html, 'one head-only epoch, then two more'
    assert first['stages']['text_training']['key'] in html
    assert 'Mixed' in html or 'Poor' in html or 'Good' in html
    predictions = pl.read_parquet(first['stages']['coder']['files']['predictions'])
    for kind, prefix in (('index', ''), ('plain', 'plain_'), ('panel', 'panel_')):
        rows = predictions.filter(
            (pl.col('split') == 'test') & (pl.col('kind') == kind) & ~pl.col('hidden')
        )
        assert len(rows) == first['metrics'][f'test/hybrid_{prefix}queries']['value']
        top = first['metrics'][f'test/hybrid_{prefix}top1']['value']
        assert rows['right_6'].mean() == pytest.approx(top, abs=0.02), 'but for ties'
    verdict = client.get_run(first['run_id']).data.tags['verdict']
    assert first['verdict'].startswith(f'{verdict}: ')


def test_prefect_links_to_the_report(first):
    link = Artifact.get('report')
    assert link.type == 'markdown'
    assert f'{Path(first["report"]).as_uri()}' in link.data
    checks = Artifact.get('report-checks')
    assert first['verdict'].partition(': ')[2] in checks.data


def test_prefect_shows_the_progress_of_the_epochs(first):
    bar = Artifact.get('text-training')
    assert (bar.type, bar.data) == ('progress', 100.0)


def test_own_outcomes_are_regressed_upon(first, workshop, miniature, tmp_path):
    codes = [miniature.taxonomy.codes[i] for i in miniature.taxonomy.at_level(6)]
    values = [float(code[0]) for code in codes]
    path = tmp_path / 'outcomes.parquet'
    pl.DataFrame({'code': codes, 'value': values}).write_parquet(path)
    summary = workshop.run(f'regression.outcomes={path}', target='regression')
    assert computed(summary) == {'regression'}
    metrics = json.loads(Path(summary['stages']['regression']['files']['regression']).read_text())
    assert metrics['ancestors/held_out_r2']['value'] > 0.5
    assert not any('seen' in name for name in metrics), 'one row a code'


def test_the_champion_is_registered_and_a_level_run_leaves_it(first, second, workshop):
    client = MlflowClient(workshop.uri)
    name = 'naics-embed'
    version = client.get_model_version_by_alias(name, 'champion')
    assert version.run_id == first['run_id']
    assert version.tags['table'] == first['table']
    assert first['promotion'] == 'nothing was in use before'
    assert second['promotion'] == 'it is in use already'
    margins = ['promotion.non_inferiority=1000', 'promotion.superiority=1000']
    other = workshop.run('model.adapter_alpha=3', *margins)
    assert other['table'] == 'text'
    assert not other['promoted']
    assert 'no metric is better' in other['promotion']
    assert promoted_bundle(workshop.root) == Path(first['bundle'])
    assert client.get_model_version_by_alias(name, 'champion').version == version.version
    shown = {file.path for file in client.list_artifacts(other['run_id'])}
    assert 'promotion.json' in shown

    forced = workshop.run('model.adapter_alpha=3', *margins, 'promotion.force=true')
    assert forced['promoted']
    assert promoted_bundle(workshop.root) == Path(forced['bundle'])
    newer = client.get_model_version_by_alias(name, 'champion')
    assert newer.run_id == forced['run_id']
    assert client.get_model_version_by_alias(name, 'previous').version == version.version
    record = roll_back(workshop.root)
    assert record['run'] == first['run_id']
    assert promoted_bundle(workshop.root) == Path(first['bundle'])
    assert client.get_model_version_by_alias(name, 'champion').version == version.version
    assert client.get_model_version_by_alias(name, 'previous').version == newer.version

    model = mlflow.pyfunc.load_model(f'models:/{name}@champion')
    texts = pd.DataFrame({'text': ['electric power to homes', 'school']})
    found = model.predict(texts, params={'k': 3})
    assert list(found['rank']) == [1, 2, 3, 1, 2, 3]
    (answer,) = Coder.load(Path(first['bundle'])).search(['school'], k=3)
    assert list(found['code'][3:]) == [hit.official for hit in answer.hits]


def test_a_changed_setting_computes_only_what_depends_on_it(first, workshop):
    changed = workshop.run('model.adapter_alpha=4', target='evaluation')
    after = {'query_points', 'refinement', 'candidates', 'selection', 'evaluation'}
    assert computed(changed) == {'text_training', *after}
    assert 'export' not in changed['stages']
    assert not changed['promoted']
    assert changed['metrics'] != first['metrics']
    same = {
        name for name in changed['metrics'] if changed['metrics'][name] == first['metrics'][name]
    }
    assert 'test/queries' in same


def test_controls_of_the_graph_stage_come_from_one_flow(first, workshop):
    result = controls('smoke', workshop.overrides, seeds=[0], extra_epochs=1)
    cells = {(cell['control'], cell['metric']): cell['mean'] for cell in result['table']}
    assert {control for control, _ in cells} == set('ABCDEF')
    assert all(cells[control, 'validation/mrr'] is not None for control in 'ABCDEF')
    candidates = json.loads(Path(first['stages']['candidates']['files']['candidates']).read_text())
    assert cells['A', 'validation/mrr'] == pytest.approx(candidates['text']['validation/mrr'])
    assert cells['D', 'validation/mrr'] == pytest.approx(candidates['hgcn']['validation/mrr'])
    assert cells['B', 'validation/mrr'] != cells['A', 'validation/mrr']
    assert cells['F', 'tree/supervised_spearman'] > cells['E', 'tree/supervised_spearman']
    assert len(result['sentences']) == 3
    for file in (workshop.root / 'checkpoints' / 'miniature').glob('*/settings.json'):
        settings = json.loads(file.read_text())
        whole = to_dict(from_dict(yaml.safe_load(file.with_name('config.yaml').read_text())))
        for section in ('model', 'objective', 'curriculum', 'training'):
            assert settings[section] == whole[section], (
                'each training has a configuration of its own'
            )
        assert settings['seed'] == whole['runtime']['seed']
    # Trainings are taken up where the pipeline's experiment keeps its checkpoints.
    assert not (workshop.root / 'checkpoints' / 'default').exists()
    with pytest.raises(ConfigError, match="refresh: no stage 'text_trainng'"):
        controls('smoke', workshop.overrides, refresh=['text_trainng'])
    assert json.loads((workshop.root / 'refinement_controls.json').read_text()) == result


def test_a_lost_model_is_trained_again_from_its_checkpoint(first, workshop):
    model = Path(first['stages']['text_training']['files']['text_model'])
    (model / 'head.safetensors').unlink()
    repaired = workshop.run()
    assert 'text_training' in computed(repaired)
    assert (model / 'head.safetensors').exists()
    assert repaired['metrics'] == first['metrics']
    assert computed(repaired) == {'text_training'}, 'the same content: nothing after it runs again'


def test_a_kind_of_query_that_is_switched_off_is_left_out(first, workshop):
    summary = workshop.run('training.queries.redirections=false', target='queries')
    assert list(summary['stages']) == [
        *('codebook', 'redirections', 'labelled', 'index_roles', 'queries')
    ]
    assert computed(summary) == {'queries'}
    kinds = set(pl.read_parquet(summary['stages']['queries']['files']['queries'])['kind'])
    own = {'plain', 'panel', 'business', 'group'}
    assert kinds == {'index', 'example', 'title', 'description', *own}


def test_the_data_target_stops_after_the_data(second, workshop):
    data = workshop.run(target='data')
    assert tuple(data['stages']) == TARGETS['data']
    assert computed(data) == set()
    assert data['metrics'] == {}
    assert data['bundle'] is None


def test_the_log_says_which_of_how_many_stages_is_done(workshop, caplog):
    with caplog.at_level(logging.INFO, logger='naics_embed.pipeline'):
        data = workshop.run(target='data')
    lines = [record.getMessage() for record in caplog.records]
    told = [found for line in lines if (found := re.match(r'stage (\d+) of (\d+), (\w+): ', line))]
    names = set(data['stages'])
    assert [int(one[1]) for one in told] == list(range(1, len(names) + 1))
    assert {int(one[2]) for one in told} == {len(names)}
    assert {one[3] for one in told} == names


def test_resuming_without_a_checkpoint_is_a_clear_error(first, workshop):
    with pytest.raises(ArtifactError, match=r'no checkpoint .*last\.ckpt to resume from'):
        workshop.run('training.lr_head=0.002', target='text_training', resume='last')
    # Also where the stage is cached and nothing would be resumed.
    with pytest.raises(ArtifactError, match=r'no checkpoint nowhere\.ckpt to resume from'):
        workshop.run(target='text_training', resume='nowhere.ckpt')


def test_unknown_names_are_refused_before_anything_runs(workshop):
    with pytest.raises(ConfigError, match=r"target: no stage 'everything'; choose from all, data"):
        workshop.run(target='everything')
    with pytest.raises(ConfigError, match=r"refresh: no stage 'trian'"):
        workshop.run(refresh=['trian'])
    with pytest.raises(ConfigError, match=r'did you mean model\.dim'):
        workshop.run('model.dims=3')


def test_codes_alone_are_enough(tmp_path, miniature, tiny_backbone, mlflow_uri, prefect_server):
    bare = Workshop(
        tmp_path / 'artifacts',
        miniature.write(tmp_path / 'source', 'codes'),
        tiny_backbone,
        mlflow_uri,
    )
    summary = bare.run(
        'training.epochs=1', 'evaluation.compared=[class_mean, bm25]', target='evaluation'
    )
    assert sum('has no' in warning for warning in summary['warnings']) == 3
    queries = pl.read_parquet(summary['stages']['queries']['files']['queries'])
    assert set(queries['kind']) == {'title', 'plain', 'panel', 'business', 'group'}
    channels = pl.read_parquet(summary['stages']['queries']['files']['channels'])
    assert channels['description'].null_count() == len(channels)
    assert channels['examples'].null_count() < len(channels), 'own texts stand in for examples'
    assert 'test/mrr' not in summary['metrics']
    assert summary['metrics']['test/plain_mrr']['reference'] > 0


def test_no_texts_to_train_on_is_a_clear_error(
    tmp_path, miniature, tiny_backbone, mlflow_uri, prefect_server
):
    bare = Workshop(
        tmp_path / 'artifacts',
        miniature.write(tmp_path / 'source', 'codes'),
        tiny_backbone,
        mlflow_uri,
    )
    off = 'data.plain_language={train: false, examples: false, validation: false, test: false}'
    with pytest.raises(ConfigError, match=r'no validation queries'):
        bare.run(off, target='text_training')


def test_checkpoints_lie_by_experiment_and_key(first, workshop):
    key = first['stages']['text_training']['key']
    folder = workshop.root / 'checkpoints' / 'miniature' / key
    assert (folder / 'last.ckpt').is_file()
    best = json.loads(
        (Path(first['stages']['text_training']['files']['text_model']) / 'history.json').read_text()
    )
    # The head-only epoch, one in SMALL, has checkpoints of its own.
    metrics = [epoch['validation/selection'] for epoch in best[1:]]
    (named,) = folder.glob('best-*.ckpt')
    assert named.name.endswith(f'selection={max(metrics):.4f}.ckpt')
    assert json.loads((folder / 'settings.json').read_text())['model']['dim'] == 8
    whole = from_dict(yaml.safe_load((folder / 'config.yaml').read_text(encoding='utf-8')))
    assert whole.model.dim == 8
    assert Path(whole.runtime.root) == workshop.root


def test_the_channels_have_adapters_of_their_own(first):
    model = Path(first['stages']['text_training']['files']['text_model'])
    names = {path.stem for path in (model / 'adapters').iterdir()}
    assert names == {
        'query_text',
        'title_channel',
        'description_channel',
        'examples_channel',
    }


def test_other_geometries_are_not_exported(workshop):
    with pytest.raises(ConfigError, match=r'benchmarks/ablation\.py'):
        workshop.run('model.geometry=euclidean', target='text_training')


def test_ablation_cells_are_kept(first, workshop, tmp_path, monkeypatch):
    from benchmarks.ablation import cell_file, stored, summary
    from benchmarks.ablation_cells import ablation

    overrides = [*workshop.overrides, 'training.epochs=1', 'model.mode=frozen']
    rows = {'base': [], 'Euclidean!': ['model.geometry=euclidean']}
    results = ablation(rows, [0], overrides, 'smoke', str(tmp_path))
    assert [result['row'] for result in results] == ['base', 'Euclidean!']
    assert cell_file(tmp_path, 'smoke', 'Euclidean!', 0).name == 'euclidean-seed0.json'
    assert cell_file(tmp_path, 'smoke', 'Euclidean!', 0).is_file()
    assert results[0]['metrics']['tree/supervised_spearman'] > 0
    assert 'tree/supervised_spearman' not in results[1]['metrics']
    assert not any(name.startswith('test/') for name in results[0]['metrics'])

    def never(*_, **__):
        raise AssertionError('a cell that is there is not trained again')

    monkeypatch.setattr('naics_embed.training.fit.train_text', never)
    elsewhere = [*overrides, 'service.port=9999', 'regression.rows=3']
    again = ablation(rows, [0], elsewhere, 'smoke', str(tmp_path))
    assert again == results
    assert stored(tmp_path, 'smoke', list(rows), [0]) == results
    table = summary(again)
    assert table['choice'].to_list() == ['base', 'Euclidean!']
    assert table['Spearman'].to_list()[1] == '–'
