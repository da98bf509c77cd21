"""What of a configuration takes part in exports and keys."""

import dataclasses
import functools
import json
from pathlib import Path

import pytest

from naics_embed.config.describe import DESCRIBING, OPERATIONAL, UNUSED, describing
from naics_embed.config.load import load_config
from naics_embed.config.schema import Config
from naics_embed.config.sections import flat, to_dict

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@functools.cache
def load(*overrides: str) -> Config:
    return load_config(CONFIGS, 'cpu', overrides).config


@pytest.mark.parametrize(
    'override',
    [
        'tracking.uri=http://elsewhere:5000',
        'tracking.experiment=other',
        'platform.remote_cache=s3://bucket/folder',
        'platform.stage_timeout_s=60',
        'runtime.root=/elsewhere',
        'runtime.threads=3',
        'runtime.promote=false',
        'service.port=9000',
        'batch.workers=3',
        'batch.scheduler=tcp://10.0.0.5:8786',
        'data.folder=/home/someone/census',
        'data.cache=/home/someone/cache',
        'data.base_url=https://mirror.example/naics',
        'data.http.retries=9',
        'promotion.force=true',
        'promotion.model=other',
    ],
)
def test_how_and_where_a_run_runs_is_not_described(override):
    assert load(override) != load()
    assert describing(load(override)) == describing(load())


@pytest.mark.parametrize(
    'override', ['runtime.seed=1', 'data.roles.jaccard=0.8', 'model.dim=32', 'report.bins=5']
)
def test_what_makes_the_model_is_described(override):
    assert describing(load(override)) != describing(load())


def test_everything_else_is_described_as_it_is():
    config = load()
    whole, described = to_dict(config), describing(config)
    sections = {field.name for field in dataclasses.fields(Config)}
    assert {*OPERATIONAL, *DESCRIBING, *UNUSED} <= sections
    assert set(described) == sections - set(OPERATIONAL)
    for section in set(described) - set(DESCRIBING) - set(UNUSED):
        assert described[section] == whole[section]
    assert set(described['promotion']) == set(whole['promotion']) - {'force', 'model'}
    assert described['backbone']['name'] == 'sentence-transformers/all-MiniLM-L6-v2'


def test_paths_of_the_users_files_are_last_names_only(tmp_path):
    (tmp_path / 'my-backbone').mkdir()
    described = describing(
        load(
            f'backbone.name={tmp_path}/my-backbone/',
            f'regression.outcomes={tmp_path}/wages.parquet',
            f'data.folder={tmp_path}',
            f'data.cache={tmp_path}',
            f'runtime.root={tmp_path}',
        )
    )
    assert described['backbone']['name'] == 'my-backbone'
    assert described['regression']['outcomes'] == 'wages.parquet'
    assert str(tmp_path) not in json.dumps(described)


def test_no_value_of_the_files_is_a_path_that_would_be_described():
    paths = {
        key
        for key, value in flat(load()).items()
        if isinstance(value, str) and ('/' in value or value.startswith(('.', '~')))
    }
    assert paths == {'backbone.name', 'data.cache'}
