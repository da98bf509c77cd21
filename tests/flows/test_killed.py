"""A pipeline that is killed in the middle of training, and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.flows.test_pipeline import SMALL

ROOT = Path(__file__).resolve().parents[2]
COMMAND = 'from naics_embed.cli.main import main; main()'
PATIENCE_S = 900


@pytest.mark.slow
def test_training_goes_on_from_its_checkpoint_in_the_same_run(
    tmp_path, miniature, tiny_backbone, prefect_server
):
    source = miniature.write(tmp_path / 'source')
    root = tmp_path / 'artifacts'
    settings = [
        *SMALL,
        'training.epochs=40',
        'training.patience=40',
        'data.source=folder',
        f'data.folder={source}',
        f'backbone.name={tiny_backbone}',
        f'runtime.root={root}',
        f'tracking.uri=sqlite:///{root / "mlflow.db"}',
    ]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, '-c', COMMAND, 'train', '--profile', 'smoke', '--json', *settings],
            cwd=tmp_path,
            env={
                **os.environ,
                'PYTHONPATH': str(ROOT),
                'PREFECT_API_URL': prefect_server,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    killed = start()
    end = time.monotonic() + PATIENCE_S
    while not list((root / 'checkpoints').rglob('last.ckpt')):
        assert killed.poll() is None, killed.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    client = MlflowClient(f'sqlite:///{root / "mlflow.db"}')
    (experiment,) = [e for e in client.search_experiments() if e.name == 'miniature']
    running = [
        run
        for run in client.search_runs([experiment.experiment_id])
        if run.data.tags.get('stage') == 'text_training'
    ]
    (left,) = running
    assert left.info.status == 'RUNNING'
    before = len(client.get_metric_history(left.info.run_id, 'validation/selection'))
    assert 0 < before < 40
    assert list((root / 'text_training').glob('.*')), 'the killed process left its half behind'

    again = start()
    out, complaints = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, complaints
    stages = json.loads(out)['stages']
    assert {name for name, stage in stages.items() if not stage['cached']} == {'text_training'}
    assert stages['text_training']['run_id'] == left.info.run_id
    assert client.get_run(left.info.run_id).info.status == 'FINISHED'
    history = client.get_metric_history(left.info.run_id, 'validation/selection')
    steps = sorted(metric.step for metric in history)
    assert sorted(set(steps)) == list(range(steps[-1] + 1)), 'no epoch is missing'
    assert steps[-1] >= 39
    repeated = len(steps) - len(set(steps))
    assert repeated <= 1, 'at most the epoch in which it was killed is trained twice'
    assert list((root / 'text_training').glob('.*')) == []
