"""An export says what the model is: not where, by whom and with how many threads it was made."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.pipeline import STAGES
from flows.runtime import CHECKOUT
from naics_embed.artifacts import checksum, read_json
from tests.flows.test_pipeline import Workshop, computed

pytestmark = pytest.mark.slow


class Builder(Workshop):
    """A machine with folders of its own: source, backbone, cache, artifacts, tracking database."""

    def __init__(self, home: Path, miniature: Any, backbone: Path) -> None:
        own = Path(shutil.copytree(backbone, home / 'models' / 'backbone'))
        source = miniature.write(home / 'census')
        super().__init__(home / 'artifacts', source, own, f'sqlite:///{home}/mlflow.db')
        self.home = home


@pytest.fixture(scope='module')
def first(tmp_path_factory, miniature, tiny_backbone, prefect_server):
    return Builder(tmp_path_factory.mktemp('first-builder'), miniature, tiny_backbone)


@pytest.fixture(scope='module')
def built(first):
    return first.run()


@pytest.fixture(scope='module')
def elsewhere(tmp_path_factory, miniature, tiny_backbone, prefect_server):
    home = tmp_path_factory.mktemp('second-builder') / 'deeper'
    return Builder(home, miniature, tiny_backbone).run('runtime.threads=1', 'service.port=9999')


def differing(one: Path, other: Path) -> list[str]:
    """Names of the files of two folders that differ, or that only one of them has."""
    names = {path.relative_to(root) for root in (one, other) for path in root.rglob('*')}
    return sorted(
        str(name)
        for name in names
        if not ((one / name).is_dir() and (other / name).is_dir())
        and not (
            (one / name).is_file()
            and (other / name).is_file()
            and (one / name).read_bytes() == (other / name).read_bytes()
        )
    )


def test_two_builders_of_one_source_have_one_key_a_stage_and_one_bundle(built, elsewhere):
    assert built['root'] != elsewhere['root']
    assert computed(elsewhere) == set(STAGES)
    keys = [
        {name: stage['key'] for name, stage in run['stages'].items()} for run in (built, elsewhere)
    ]
    assert keys[0] == keys[1]
    assert differing(Path(built['bundle']), Path(elsewhere['bundle'])) == []
    assert checksum(Path(built['bundle'])) == checksum(Path(elsewhere['bundle']))


def test_no_folder_of_the_builder_is_in_bundle_report_or_map(built, first):
    pages = [Path(built['report']), Path(built['report']).with_name('atlas.html')]
    bundle = [path for path in Path(built['bundle']).rglob('*') if path.is_file()]
    assert {'manifest.json', 'MODEL_CARD.md'} <= {path.name for path in bundle}
    folders = {str(first.home), str(first.home.parent), str(CHECKOUT), str(Path.home())} - {'/'}
    found = {
        (path.name, folder)
        for path in [*bundle, *pages]
        for folder in folders
        if f'{folder}/'.encode() in path.read_bytes() or f'{folder}"'.encode() in path.read_bytes()
    }
    assert found == set()


def test_a_bundle_has_no_setting_of_servers_and_machines(built):
    configuration = read_json(Path(built['bundle']) / 'manifest.json')['configuration']
    assert not {'tracking', 'platform', 'service', 'batch'} & set(configuration)
    assert configuration['runtime'] == {'seed': 0}
    assert configuration['backbone']['name'] == 'backbone'
    assert configuration['model']['dim'] == 8


@pytest.mark.parametrize(
    'settings',
    [
        ['tracking.uri=sqlite:///{home}/other.db', 'tracking.experiment=other'],
        ['platform.remote_cache=file://{home}/share', 'platform.stage_timeout_s=9999'],
        ['service.port=9000', 'batch.workers=2', 'runtime.threads=2'],
        ['data.cache={home}/other-cache', 'data.base_url=http://mirror.example/naics'],
        ['data.source=auto', 'data.http.retries=1'],
        ['promotion.model=other', 'promotion.force=true'],
    ],
)
def test_an_operational_setting_computes_nothing_again(first, built, settings):
    changed = first.run(*(setting.format(home=first.home) for setting in settings))
    assert computed(changed) == set()
    assert {name: stage['key'] for name, stage in changed['stages'].items()} == {
        name: stage['key'] for name, stage in built['stages'].items()
    }


def test_a_moved_root_computes_nothing_again(first, built, tmp_path):
    moved = Path(shutil.copytree(first.root, tmp_path / 'moved'))
    again = first.run(f'runtime.root={moved}')
    assert computed(again) == set()
    assert Path(again['bundle']).is_relative_to(moved)
    assert json.loads((moved / 'promoted.json').read_text())['bundle'].startswith('export/')
