"""MLflow's runs and models in an artifact root that has been moved, with a real database."""

import json
import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from naics_embed.bundle.promotion import POINTER, promoted_bundle
from naics_embed.evaluation.promotion_rule import Criterion, PromotionRule
from tasks.engine.tracking import Tracker, pipeline_run
from tasks.registry.models import alias
from tasks.registry.promotion import Contender, promote_run, roll_back

RULE = PromotionRule((Criterion('mrr', 0.01),), 1.0, 2.0)


class Root:
    """An artifact root with the database and the files of MLflow in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uri = f'sqlite:///{path / "mlflow.db"}'

    @property
    def client(self) -> MlflowClient:
        """A client, made when it is wanted: it would make a database where none is."""
        return MlflowClient(self.uri)

    def run(self, text: str) -> str:
        """Log a file in a run, and return the run."""
        with pipeline_run(self.uri, 'moved', self.path / 'mlartifacts', {}, {}) as tracker:
            tracker.pipeline().content({'text': text}, 'text.json')
        return tracker.parent_run_id

    def promote(self, name: str, mrr: float) -> None:
        """Register a bundle, and put it in use."""
        bundle = self.path / name
        bundle.mkdir(exist_ok=True)
        (bundle / 'manifest.json').write_text(json.dumps({'name': name}))
        with pipeline_run(self.uri, 'moved', self.path / 'mlartifacts', {}, {}) as tracker:
            assert self.put(tracker, bundle, mrr).promoted

    def put(self, tracker: Tracker, bundle: Path, mrr: float):
        contender = Contender(bundle, 'text', {'mrr': mrr}, 'census', 'folder')
        return promote_run(self.path, tracker, contender, RULE, model='table', force=False)

    def text(self, run_id: str) -> str:
        """Read the file of a run back."""
        return mlflow.artifacts.load_dict(f'{self.address(run_id)}/text.json')['text']

    def address(self, run_id: str) -> str:
        return self.client.get_run(run_id).info.artifact_uri


@pytest.fixture
def old(tmp_path) -> Root:
    root = tmp_path / "o'brien" / 'old root'
    root.mkdir(parents=True)
    return Root(root)


@pytest.mark.slow
def test_runs_and_models_are_found_in_a_moved_root_and_nothing_goes_to_the_old_one(old, tmp_path):
    first = old.run('grain')
    old.promote('one', 0.5)
    old.promote('two', 0.6)
    new = Root(tmp_path / 'new')
    old.path.rename(new.path)

    second = new.run('hay')
    assert (new.text(first), new.text(second)) == ('grain', 'hay')
    assert new.address(first).startswith(new.path.as_uri())
    for version in ('1', '2'):
        address = new.client.get_model_version_download_uri('table', version)
        assert Path(mlflow.artifacts.download_artifacts(address, tracking_uri=new.uri)).is_dir()

    assert roll_back(new.path)['registry']['version'] == '1'
    assert promoted_bundle(new.path) == new.path / 'one'
    assert alias(new.client, 'table', 'champion') == '1'
    new.promote('three', 0.7)
    assert alias(new.client, 'table', 'champion') == '3'
    assert not old.path.exists()
    assert str(tmp_path) not in (new.path / POINTER).read_text()


@pytest.mark.slow
def test_a_copied_root_leaves_the_one_that_it_was_copied_from_alone(old, tmp_path):
    first = old.run('grain')
    old.promote('one', 0.5)
    new = Root(tmp_path / 'new')
    shutil.copytree(old.path, new.path)
    before = sorted(str(path) for path in old.path.rglob('*'))
    new.run('hay')
    new.promote('two', 0.6)
    assert sorted(str(path) for path in old.path.rglob('*')) == before
    assert alias(old.client, 'table', 'champion') == '1'
    assert old.text(first) == 'grain'


@pytest.mark.slow
def test_an_older_pointer_with_an_absolute_address_is_followed(old, tmp_path):
    old.promote('one', 0.5)
    old.promote('two', 0.6)
    pointer = old.path / POINTER
    pointer.write_text(pointer.read_text().replace('sqlite:///mlflow.db', old.uri))
    assert old.uri in pointer.read_text()
    new = Root(tmp_path / 'new')
    old.path.rename(new.path)
    new.run('hay')
    assert roll_back(new.path)['registry']['version'] == '1'
    assert alias(new.client, 'table', 'champion') == '1'
    assert not old.path.exists()


@pytest.mark.slow
def test_files_that_somebody_keeps_elsewhere_stay_there(tmp_path):
    kept = tmp_path / 'disk' / 'mlartifacts'
    uri = f'sqlite:///{tmp_path / "mlflow.db"}'
    with pipeline_run(uri, 'moved', kept, {}, {}):
        pass
    other = tmp_path / 'other' / 'mlartifacts'
    with pipeline_run(uri, 'moved', other, {}, {}) as tracker:
        pass
    assert (
        MlflowClient(uri).get_run(tracker.parent_run_id).info.artifact_uri.startswith(kept.as_uri())
    )
