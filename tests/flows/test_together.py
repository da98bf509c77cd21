"""Two pipelines started together on one artifact root."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.pipeline import STAGES
from tests.flows.test_pipeline import SMALL

ROOT = Path(__file__).resolve().parents[2]
COMMAND = 'from naics_embed.cli.main import main; main()'


@pytest.mark.slow
def test_each_stage_is_computed_once_and_both_succeed(tmp_path, miniature, tiny_backbone):
    source = miniature.write(tmp_path / 'source')
    settings = [
        *SMALL,
        'training.epochs=1',
        'evaluation.compared=[class_mean, bm25]',
        'data.source=folder',
        f'data.folder={source}',
        f'backbone.name={tiny_backbone}',
        f'runtime.root={tmp_path / "artifacts"}',
    ]
    runs = [
        subprocess.Popen(
            [sys.executable, '-c', COMMAND, 'run', '--profile', 'smoke', '--json', *settings],
            cwd=tmp_path,
            env={
                **os.environ,
                'PYTHONPATH': str(ROOT),
                'PREFECT_HOME': str(tmp_path / 'prefect'),
                'PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS': '600',
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        ended = [run.communicate(timeout=900) for run in runs]
    finally:
        for run in runs:
            run.kill()
    assert [run.returncode for run in runs] == [0, 0], [complaints for _, complaints in ended]
    first, second = (json.loads(out) for out, _ in ended)
    for stage in STAGES:
        one, other = first['stages'][stage], second['stages'][stage]
        assert (one['key'], one['files']) == (other['key'], other['files'])
        assert sorted([one['cached'], other['cached']]) == [False, True], stage
    assert first['metrics'] == second['metrics']
