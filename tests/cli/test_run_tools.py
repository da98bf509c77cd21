"""Commands that look at runs."""

import json

import pytest
from mlflow import MlflowClient

from tasks.engine.tracking import PARENT
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tools')
    client = MlflowClient(tracking_uri=f'sqlite:///{folder / "mlflow.db"}')
    experiment = client.create_experiment('runs', artifact_location=(folder / 'a').as_uri())
    for name, dim in (('small', 8), ('large', 16)):
        run = client.create_run(experiment, run_name=name).info.run_id
        client.log_param(run, 'model.dim', dim)
        client.log_param(run, 'service.port', 8722)
        client.log_metric(run, 'test/mrr', dim / 20)
        nested = client.create_run(
            experiment, run_name='training', tags={PARENT: run, 'stage': 'text_training'}
        ).info.run_id
        for step in range(3):
            client.log_metric(nested, 'train/loss', dim / (step + 1), step=step)
            client.log_metric(nested, 'validation/mrr', step / dim, step=step)
    return folder


def test_diff_for_people(cli, root):
    done = cli('diff', 'small', 'large', '--root', root)
    assert (done.status, done.err) == (0, '')
    lines = [' '.join(line.split()) for line in done.out.splitlines()]
    assert '1 setting differs' in lines
    assert '1 metric' in lines
    assert 'model.dim 8 16' in lines
    assert 'test/mrr 0.4000 0.8000 +0.4000' in lines


def test_two_names_of_one_run_are_said_to_be_one(cli, root):
    done = cli('diff', 'large', 'latest', '--root', root)
    assert (done.status, done.err) == (0, '')
    assert done.out.startswith('large and latest are one: large ')
    assert 'differ' not in done.out
    content = json.loads(cli('diff', 'large', 'latest', '--root', root, '--json').out)
    assert (content['settings'], content['metrics']) == ({}, {})
    assert 'are one' in content['note']


def test_diff_with_a_bundle(cli, root, tmp_path):
    write_tiny_bundle(tmp_path / 'bundle', write_tiny_encoder(tmp_path / 'encoder'))
    done = cli('diff', 'large', tmp_path / 'bundle', '--metrics', 'mrr', '--json', '--root', root)
    content = json.loads(done.out)
    assert content['settings'] == {'model.dim': ['16', '8']}
    assert content['metrics'] == {'test/mrr': [0.8, None], 'test/index/mrr': [None, 0.8125]}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['diff', 'small', 'none'], "no run 'none'"),
        (['diff', 'small', 'large', '--metrics', '('], 'no regular expression'),
        (['visualize', 'none'], "no run 'none'"),
        (['visualize', '--root', '/nonexistent'], 'no tracking database'),
    ],
)
def test_what_is_refused(cli, root, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = cli(*arguments, *([] if '--root' in arguments else ['--root', root]))
    assert (done.status, done.out) == (2, '')
    assert message in done.err
    assert list(tmp_path.iterdir()) == []


def test_visualize_draws_what_was_logged(cli, root, tmp_path):
    out = tmp_path / 'metrics'
    arguments = ('visualize', 'small', 'large', '-o', out, '--root', root)
    assert cli(*arguments).status == 0
    names = ['training_terms.svg', 'training_validation.svg']
    assert sorted(path.name for path in out.iterdir()) == names
    first = [(out / name).read_bytes() for name in names]
    assert b'small' in first[0]
    assert b'large' in first[0]
    cli(*arguments)
    assert [(out / name).read_bytes() for name in names] == first


def test_visualize_takes_the_latest_run(cli, root, tmp_path):
    assert cli('visualize', '-o', tmp_path, '--root', root).status == 0
    assert (tmp_path / 'training_terms.svg').read_text().startswith('<svg ')


@pytest.mark.parametrize('sound', [True, False])
def test_investigate_shows_what_was_found(cli, monkeypatch, sound):
    from naics_embed.audit import data_files, ground_truth
    from naics_embed.audit.data_checks import DataCheck

    found = [DataCheck('bad triplet', 0 if sound else 3, 9, True, [] if sound else ['11 22 33'])]
    truth = ground_truth.GroundTruth(
        [{'digits': 2, 'codes': 20, 'entries_median': None}], [], [], [], [], found
    )
    monkeypatch.setattr('flows.cli.commands.summary_of', lambda *_, **__: {'stages': {}})
    monkeypatch.setattr(data_files.DataFiles, 'read', lambda paths: None)
    monkeypatch.setattr(ground_truth, 'investigate', lambda files, **_: truth)
    done = cli('investigate')
    assert done.status == (0 if sound else 1)
    assert ('fail  bad triplet  3 of 9  11 22 33' in done.out) is not sound
    assert ('The ground truth is sound' in done.out) is sound
    content = json.loads(cli('investigate', '--json').out)
    assert content['sound'] is sound
