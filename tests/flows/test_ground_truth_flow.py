"""The ground truth of the miniature, built by the real flow, is sound."""

from pathlib import Path

import pytest

from flows.pipeline import TARGETS, pipeline
from naics_embed.audit.data_files import DataFiles
from naics_embed.audit.ground_truth import investigate

pytestmark = pytest.mark.slow


def test_what_the_data_stages_write_is_sound(
    tmp_path, miniature, tiny_backbone, mlflow_uri, prefect_server
):
    summary = pipeline(
        'smoke',
        [
            'data.source=folder',
            f'data.folder={miniature.write(tmp_path / "source")}',
            f'data.cache={tmp_path / "cache"}',
            f'backbone.name={tiny_backbone}',
            f'runtime.root={tmp_path / "root"}',
            f'tracking.uri={mlflow_uri}',
        ],
        target='ground_truth',
    )
    assert set(summary['stages']) == {*TARGETS['data'], 'queries'}
    files = [stage['files'] for stage in summary['stages'].values()]
    paths = {name: Path(path) for stage in files for name, path in stage.items()}
    truth = investigate(DataFiles.read(paths), sample=5000, seed=0)
    assert truth.sound, [check for check in truth.data_checks if check.found]
    assert sum(row['codes'] for row in truth.levels) == len(miniature.taxonomy)
    assert {row['kind'] for row in truth.labels} >= {'index', 'title', 'redirection'}
    assert any(row['hidden'] for row in truth.levels)
