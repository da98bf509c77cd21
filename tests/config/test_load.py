"""The real files, composed and then changed."""

import copy
import dataclasses
import re
import shutil
import traceback
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from naics_embed.config.load import from_dict, load_config
from naics_embed.config.schema import Config
from naics_embed.config.sections import flat, to_dict
from naics_embed.errors import ConfigError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PROFILES = sorted(path.stem for path in (CONFIGS / 'profiles').glob('*.yaml'))


@pytest.fixture
def folder(tmp_path):
    """A copy of the real configuration that a test may change."""
    return shutil.copytree(CONFIGS, tmp_path / 'configs')


def change_base(folder: Path, key: str, value: object) -> None:
    """Set a dotted key of base.yaml, or take it out where the value is ``...``."""
    path = folder / 'base.yaml'
    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    *sections, last = key.split('.')
    place = content
    for section in sections:
        place = place[section]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    path.write_text(yaml.safe_dump(content), encoding='utf-8')


def leaves(mapping: dict, prefix: str = '') -> set[str]:
    found = set()
    for name, value in mapping.items():
        section = isinstance(value, dict) and value
        found |= leaves(value, f'{prefix}{name}.') if section else {prefix + name}
    return found


def test_a_key_that_stands_twice_is_named(tmp_path):
    (tmp_path / 'base.yaml').write_text('model:\n  dim: 8\nmodel:\n  dim: 9\n', encoding='utf-8')
    with pytest.raises(ConfigError, match=r"base\.yaml .*'model' stands twice(.|\n)*line 3"):
        load_config(tmp_path)


def test_there_are_the_documented_profiles():
    assert {'smoke', 'cpu', 'gpu'} <= set(PROFILES)


@pytest.mark.parametrize('profile', [None, *PROFILES])
def test_real_profiles_compose(profile):
    loaded = load_config(CONFIGS, profile)
    assert isinstance(loaded.config, Config)
    assert loaded.profile == profile
    assert set(loaded.origins) == set(flat(loaded.config))


def test_base_gives_every_key_of_the_schema_and_no_other():
    base = yaml.safe_load((CONFIGS / 'base.yaml').read_text(encoding='utf-8'))
    assert leaves(base) == set(flat(load_config(CONFIGS).config))


@pytest.mark.parametrize('profile', PROFILES)
def test_a_profile_changes_something_it_names(profile):
    path = CONFIGS / 'profiles' / f'{profile}.yaml'
    named = leaves(yaml.safe_load(path.read_text(encoding='utf-8')))
    loaded = load_config(CONFIGS, profile)
    assert {key for key, origin in loaded.origins.items() if profile in origin} == named
    before = flat(load_config(CONFIGS).config)
    after = flat(loaded.config)
    assert {key for key in after if after[key] != before[key]} <= named


def test_later_layers_win_and_are_named():
    loaded = load_config(CONFIGS, 'smoke', ['model.dim=24', 'model.dim=32'])
    assert loaded.config.model.dim == 32
    assert loaded.origins['model.dim'] == 'override'
    assert loaded.origins['model.adapter_rank'] == 'profiles/smoke.yaml'
    assert loaded.origins['model.curvature'] == 'base.yaml'


@pytest.mark.parametrize(
    ('override', 'key', 'value'),
    [
        ('training.lr_head=1e-3', 'training.lr_head', 1e-3),
        ('construction.tau=1', 'construction.tau', 1.0),
        ('model.channels=[title, excluded]', 'model.channels', ['title', 'excluded']),
        ('training.max_queries=null', 'training.max_queries', None),
        ('training.max_queries=', 'training.max_queries', None),
        ('data.folder=/tmp/a=b', 'data.folder', '/tmp/a=b'),
        ('runtime.promote=false', 'runtime.promote', False),
        ('training.queries={titles: false}', 'training.queries.titles', False),
        ('tracking.experiment=2022', 'tracking.experiment', '2022'),
    ],
)
def test_overrides_are_read_as_yaml(override, key, value):
    values = flat(load_config(CONFIGS, 'smoke', [override]).config)
    assert values[key] == value
    assert type(values[key]) is type(value)


def test_sequences_become_immutable():
    assert load_config(CONFIGS).config.model.channels == ('title', 'description', 'examples')


@pytest.mark.parametrize(
    ('override', 'near'),
    [
        ('training.epoch=3', 'training.epochs'),
        ('model.dims=3', 'model.dim'),
        ('epochs=3', 'training.epochs'),
        ('objectives.stress=1', 'objective.stress'),
        ('data.role.train=.5', 'data.roles.train'),
    ],
)
def test_an_unknown_key_names_the_nearest(override, near):
    with pytest.raises(ConfigError, match=rf'did you mean {near}') as error:
        load_config(CONFIGS, None, [override])
    assert override.split('=')[0] in str(error.value)
    assert 'override' in str(error.value)


def test_an_unknown_key_in_a_file_names_the_file(folder):
    (folder / 'profiles' / 'own.yaml').write_text('model:\n  dimension: 3\n', encoding='utf-8')
    with pytest.raises(ConfigError, match=r'model\.dimension.*profiles/own\.yaml.*model\.dim'):
        load_config(folder, 'own')


@pytest.mark.parametrize(
    'override',
    [
        'training.epochs=many',
        'training.epochs=2.5',
        'training.epochs=null',
        'training.epochs=[1]',
        'training.epochs=true',
        'training.epochs.first=1',
        'model.curvature=flat',
        'runtime.promote=perhaps',
        'model.channels=title',
        'model.channels={title: 1}',
        'training.max_queries=few',
        'tracking.experiment=[a]',
    ],
)
def test_a_value_of_the_wrong_type_names_key_value_and_layer(override):
    with pytest.raises(ConfigError, match='is not of type') as error:
        load_config(CONFIGS, None, [override])
    key = '.'.join(override.split('=')[0].split('.')[:2])
    assert str(error.value).startswith(key)
    assert 'in override' in str(error.value)


OUT_OF_RANGE = [
    'data.source=disk',
    'data.source=folder',
    'data.roles.train=0.7',
    'data.roles={examples: 0.4, train: 0.7, validation: -0.2, test: 0.1}',
    'data.roles={examples: 0.7, train: 0, validation: 0.2, test: 0.1}',
    'data.roles.jaccard=0',
    'data.roles.jaccard=1.5',
    'data.roles.structure_holdout=1',
    'triplets.positives=0',
    'triplets.margin_scale=-1',
    'backbone.window=2',
    'backbone.frozen_layers=-1',
    'backbone.batch_tokens=0',
    'construction.tau=0',
    'construction.spread=1.5',
    'construction.turn=2',
    'construction.shrink=0',
    'model.dim=2',
    'model.curvature=0',
    'model.curvature=.nan',
    'model.r_max=0',
    'model.r_max=.inf',
    'model.adapter_rank=0',
    'model.adapter_dropout=1',
    'model.dropout=-0.1',
    'model.channels=[]',
    'model.channels=[titles]',
    'model.channels=[title, title]',
    'objective.retrieval.forced_negatives=0.5',
    'model.channel_tokens=0',
    'model.head_ridge=0',
    'objective.temperature=0',
    'objective.stress.weight=-1',
    'objective.stress_codes=1',
    'objective.stress.near_distance=0',
    'objective.stress.near_weight=.nan',
    'objective.placed_codes=0',
    'training.epochs=0',
    'training.batch=1',
    'training.lr_table=-1',
    'training.warmup=1.1',
    'training.patience=-1',
    'training.max_queries=0',
    'training.accelerator=abacus',
    'training.precision=8-bit',
    'evaluation.chunk=0',
    'evaluation.baselines.svm_c=0',
    'runtime.seed=-1',
    'runtime.threads=0',
]


@pytest.mark.parametrize('override', OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_before_anything_runs(override):
    with pytest.raises(ConfigError) as error:
        load_config(CONFIGS, None, [override])
    section = override.split('=')[0].split('.')[0]
    named = 'baselines' if 'baselines' in override else section
    assert named in str(error.value)


@pytest.mark.parametrize('override', ['model.dim', '=3', ' = 3', 'model.channels=[title'])
def test_a_malformed_override_is_named(override):
    with pytest.raises(ConfigError, match='override'):
        load_config(CONFIGS, None, [override])


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(ConfigError, match='cpu, gpu, smoke'):
        load_config(CONFIGS, 'tpu')


def test_a_folder_without_base_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'base\.yaml does not exist'):
        load_config(tmp_path)


@pytest.mark.parametrize('key', ['model.dim', 'data.http.retries', 'runtime.seed'])
def test_a_base_file_that_lacks_a_key_is_refused(folder, key):
    change_base(folder, key, ...)
    with pytest.raises(ConfigError, match=rf'lacks a value for {key}'):
        load_config(folder)


@pytest.mark.parametrize('content', ['- a\n- b\n', 'model: [\n', 'only words'])
def test_a_damaged_file_is_named(folder, content):
    (folder / 'profiles' / 'own.yaml').write_text(content, encoding='utf-8')
    with pytest.raises(ConfigError, match=r'own\.yaml'):
        load_config(folder, 'own')


def test_an_empty_profile_changes_nothing(folder):
    (folder / 'profiles' / 'own.yaml').write_text('# nothing yet\n', encoding='utf-8')
    assert load_config(folder, 'own').config == load_config(folder).config


@pytest.mark.parametrize('profile', PROFILES)
def test_round_trip_through_plain_values(profile):
    config = load_config(CONFIGS, profile).config
    plain = to_dict(config)
    assert yaml.safe_load(yaml.safe_dump(plain)) == plain
    assert from_dict(copy.deepcopy(plain)) == config


@settings(deadline=None, max_examples=10)
@given(
    dim=st.integers(3, 512),
    curvature=st.floats(0.1, 10, allow_nan=False),
    channels=st.lists(
        st.sampled_from(['title', 'description', 'examples']), min_size=1, unique=True
    ),
    seed=st.integers(0, 2**31),
)
def test_round_trip_of_changed_values(dim, curvature, channels, seed):
    overrides = [
        f'model.dim={dim}',
        f'model.curvature={curvature!r}',
        f'model.channels={channels}',
        f'runtime.seed={seed}',
    ]
    config = load_config(CONFIGS, 'cpu', overrides).config
    assert (config.model.dim, config.model.curvature) == (dim, curvature)
    assert config.model.channels == tuple(channels)
    assert from_dict(to_dict(config)) == config


def test_from_dict_checks_like_a_file():
    plain = to_dict(load_config(CONFIGS).config)
    with pytest.raises(ConfigError, match=r'did you mean model\.dim\?'):
        from_dict({**plain, 'model': {**plain['model'], 'dimm': 3}})
    short = {**plain, 'model': {k: v for k, v in plain['model'].items() if k != 'dim'}}
    with pytest.raises(ConfigError, match=r'lack model\.dim'):
        from_dict(short)
    with pytest.raises(ConfigError, match='is not of type'):
        from_dict({**plain, 'model': {**plain['model'], 'dim': 'wide'}})


def test_flat_gives_one_value_a_key():
    values = flat(load_config(CONFIGS).config)
    assert values['data.http.retries'] == 3
    assert values['evaluation.baselines.bm25_b'] == 0.4
    mappings = {key for key, value in values.items() if isinstance(value, dict)}
    assert mappings == {'platform.routes'}, 'a setting that is a mapping itself'


def test_sections_are_frozen():
    config = load_config(CONFIGS).config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.model.dim = 3


def test_an_unknown_baseline_is_refused_with_the_configuration():
    with pytest.raises(
        ConfigError, match=r"evaluation\.compared must be one of .*bm25, ensemble, not 'bm52'"
    ):
        load_config(CONFIGS, None, ['evaluation.compared=[class_mean, bm52]'])


def test_leaves_must_lie_inside_the_radius_bound():
    with pytest.raises(ConfigError, match=r'model\.r_max must be above 6\.75'):
        load_config(CONFIGS, 'cpu', ['construction.tau=1.5'])
    load_config(CONFIGS, 'cpu', ['construction.tau=1.5', 'model.r_max=9'])


@pytest.mark.parametrize(
    ('change', 'needed'),
    [
        ('objective.balance.weight=1', 'model.fusion.kind=experts'),
        ('objective.offset.fade=0.5', 'model.code_points=text+offset'),
    ],
)
def test_a_changed_term_whose_model_is_not_chosen_is_refused(change, needed):
    key = change.split('=')[0]
    with pytest.raises(ConfigError, match=rf'{key} is set .* only with {re.escape(needed)}'):
        load_config(CONFIGS, 'cpu', [change])
    load_config(CONFIGS, 'cpu', [change, needed])
    for zero in ('0', '0e0'):
        load_config(CONFIGS, 'cpu', [f'{key.rsplit(".", 1)[0]}.weight={zero}'])


@pytest.mark.parametrize('same', ['objective.offset.weight=1e-1', 'objective.balance.weight=1e-2'])
def test_a_value_that_is_that_of_the_base_is_no_change(same):
    load_config(CONFIGS, 'cpu', [same])


def test_a_weight_of_near_pairs_without_stress_is_refused():
    with pytest.raises(ConfigError, match=r'near_weight is set in override, .* which is 0'):
        load_config(CONFIGS, 'cpu', ['objective.stress.weight=0', 'objective.stress.near_weight=5'])
    load_config(CONFIGS, 'cpu', ['objective.stress.weight=0'])
    load_config(CONFIGS, 'cpu', ['objective.stress.weight=0', 'objective.stress.near_weight=0'])


PLANTED = 'Pl4nted-in-an-address'
ADDRESSES = {
    'tracking.uri': (f'http://someone:{PLANTED}@host:5000', 'MLFLOW_TRACKING_USERNAME'),
    'platform.remote_cache': (
        f'simplecache::s3://key:{PLANTED}@bucket/folder',
        'AWS_SECRET_ACCESS_KEY',
    ),
    'data.base_url': (f'https://mirror.example/naics?token={PLANTED}', r'~/\.netrc'),
    'batch.scheduler': (f'tls://someone:{PLANTED}@10.0.0.5:8786', 'DASK_'),
    'regression.outcomes': (f's3://{PLANTED}@bucket/outcomes.parquet', 'a variable of the env'),
}


@pytest.mark.parametrize('key', ADDRESSES)
def test_an_address_with_a_secret_is_refused_without_repeating_it(key, folder, monkeypatch):
    address, remedy = ADDRESSES[key]
    profile, given = folder / 'profiles' / 'own.yaml', load_config(folder).config
    section, name = key.split('.')
    profile.write_text(yaml.safe_dump({section: {name: address}}), encoding='utf-8')
    monkeypatch.setenv('ADDRESS', address)
    values = to_dict(given)
    values[section][name] = address
    for load in (
        lambda: load_config(folder, None, [f'{key}={address}']),
        lambda: load_config(folder, None, [f'{key}="{address}']),
        lambda: load_config(folder, None, [f'{key}=[{address}]']),
        lambda: load_config(folder, None, [f'{section}={{{name}: "{address}"}}']),
        lambda: load_config(folder, None, [f'{key} {address}']),
        lambda: load_config(folder, None, [f'{key}=${{oc.env:ADDRESS}}']),
        lambda: load_config(folder, 'own'),
        lambda: from_dict(values),
    ):
        with pytest.raises(ConfigError) as caught:
            load()
        assert re.search(
            f'^({key}.*{remedy}|an override has a user|unknown configuration key)',
            str(caught.value),
        )
        shown = ''.join(traceback.format_exception(caught.value))
        assert PLANTED not in shown.replace(str(Path(__file__)), '')


def test_a_line_that_is_no_yaml_is_shown_without_its_secret(folder):
    path = folder / 'profiles' / 'own.yaml'
    path.write_text(f'tracking:\n  uri: "http://someone:{PLANTED}@host\n', encoding='utf-8')
    with pytest.raises(ConfigError, match=r'own\.yaml is not valid YAML') as caught:
        load_config(folder, 'own')
    assert PLANTED not in ''.join(traceback.format_exception(caught.value))
