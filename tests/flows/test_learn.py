"""Labelled texts into a promoted bundle, by a flow run on a server of its own."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

from naics_embed.bundle.promotion import promote, promoted_bundle
from naics_embed.cli.review_options import STORE_VARIABLE
from naics_embed.errors import UserError
from naics_embed.learning.sources import learned_sources
from naics_embed.review.create import create_batch
from naics_embed.review.incoming import import_table
from naics_embed.review.plan import Plan
from naics_embed.review.store import Store
from naics_embed.review.users import add_user
from naics_embed.search.coder import Coder
from naics_embed.search.text_columns import text_columns
from tests.learning.bundles import ways
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('learn')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'), coder=True)


@pytest.fixture
def root(bundle, tmp_path) -> Path:
    root = tmp_path / 'artifacts'
    promote(root, bundle, {})
    return root


@pytest.fixture
def reviewed(tmp_path) -> Path:
    texts, codes = ways(3)
    path = tmp_path / 'reviewed.csv'
    pl.DataFrame({'text': [*texts, ''], 'code': [*codes, '722511']}).write_csv(path)
    return path


def test_from_files_to_the_bundle_in_use(root, reviewed, mlflow_uri, prefect_server, tmp_path):
    from flows.learn import learn

    overrides = [
        f'runtime.root={root}',
        f'tracking.uri={mlflow_uri}',
        'promotion.model=learned-texts',
    ]
    summary = learn([str(reviewed)], margin=0.1, overrides=overrides)
    assert summary['promoted'] is True, summary
    assert summary['sets'][0]['name'] == 'reviewed'
    path = promoted_bundle(root)
    assert path.resolve() == Path(summary['bundle'])
    coder = Coder.load(path)
    assert coder.search('animal doctor near the lake', k=1)[0].hits[0].code == '541940'
    [record] = learned_sources(coder.searcher.bundle.manifest)
    assert record['name'] == 'reviewed'

    client = MlflowClient(mlflow_uri)
    run = client.get_run(summary['run_id'])
    assert run.info.status == 'FINISHED'
    assert run.data.metrics['reviewed/top1'] > run.data.metrics['reviewed/top1_before']
    assert {'index/top1', 'index/ece', 'plain language/top1_before'} <= set(run.data.metrics)
    [given] = run.inputs.dataset_inputs
    tags = {tag.key: tag.value for tag in given.tags}
    assert given.dataset.name == 'reviewed'
    assert (tags['rows'], tags['codes'], tags['left_out']) == ('15', '5', '1')
    assert len(given.dataset.digest) > 8
    files = {file.path for file in client.list_artifacts(summary['run_id'])}
    assert {'manifest.json', 'doubtful.csv', 'learned.json'} <= files
    champion = client.get_model_version_by_alias('learned-texts', 'champion')
    assert champion.tags['learned'] == 'reviewed'
    assert champion.run_id == summary['run_id']


def test_decisions_of_a_batch_are_learned_from_the_store(
    bundle, root, mlflow_uri, prefect_server, tmp_path, monkeypatch
):
    """The store is found under the artifact root, as the commands of the review find it."""
    from flows.learn import learn

    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    texts, codes = ways(3)
    firms = tmp_path / 'firms.csv'
    pl.DataFrame({'what': texts}).write_csv(firms)
    decided = tmp_path / 'decided.csv'
    pl.DataFrame({'row': range(1, len(codes)), 'code': codes[:-1]}).write_csv(decided)
    store = Store.open(str(root / 'review.db'))
    try:
        plan = Plan('q3', firms, text_columns(['what']), threshold=1.0, double_fraction=0.0)
        made = create_batch(store, Coder.load(bundle), plan)
        assert made.people == len(texts), 'some rows were accepted without people'
        store.write(lambda connection: add_user(connection, 'ann', 'reviewer'))
        import_table(store, 'q3', decided, 'ann', 600)
    finally:
        store.close()

    overrides = [f'runtime.root={root}', f'tracking.uri={mlflow_uri}']
    summary = learn(['review:q3'], margin=0.1, overrides=overrides)
    assert summary['promoted'] is True, summary
    coder = Coder.load(promoted_bundle(root))
    assert coder.search('animal doctor near the lake', k=1)[0].hits[0].code == '541940'
    [record] = learned_sources(coder.searcher.bundle.manifest)
    assert (record['name'], record['rows']) == ('q3', len(texts) - 1)
    run = MlflowClient(mlflow_uri).get_run(summary['run_id'])
    assert run.data.params['sources'] == 'review:q3'
    [given] = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.source_type) == ('q3', 'code')
    assert 'review:q3' in given.dataset.source

    with pytest.raises(UserError, match='there is no batch q4; there are: q3'):
        learn(['review:q4'], overrides=overrides)


def test_private_texts_are_not_logged_and_a_worse_bundle_is_not_put_in_use(
    bundle, root, reviewed, mlflow_uri, prefect_server, tmp_path
):
    from flows.learn import learn

    overrides = [f'runtime.root={root}', f'tracking.uri={mlflow_uri}']
    texts, codes = ways(3)
    frame = pl.DataFrame({'text': texts, 'code': sorted(codes)})
    frame.write_csv(reviewed)
    summary = learn(
        [str(reviewed)], names=['secret'], private=True, margin=0.0, overrides=overrides
    )
    assert (summary['promoted'], promoted_bundle(root).resolve()) == (False, bundle.resolve())
    assert 'not better on these texts' in summary['promotion']
    client = MlflowClient(mlflow_uri)
    files = [file.path for file in client.list_artifacts(summary['run_id'])]
    assert 'doubtful.csv' not in files
    logged = tmp_path / 'logged'
    logged.mkdir()
    client.download_artifacts(summary['run_id'], '', str(logged))
    assert (logged / 'manifest.json').is_file()
    for file in logged.rglob('*.json'):
        assert 'animal' not in file.read_text(), file
    assert client.get_run(summary['run_id']).data.tags['promoted'] == 'false'


def test_what_is_in_use_must_be_what_was_learned_from(bundle, root, tmp_path):
    from tasks.registry.promotion import promote_learned

    other = Path(shutil.copytree(bundle, tmp_path / 'other'))
    outcome = promote_learned(root, None, other, tmp_path / 'gone', model='none')
    assert not outcome.promoted
    assert 'put in use meanwhile' in outcome.reason


def test_wrong_settings_are_told_before_anything_starts(root, reviewed):
    from flows.learn import learn

    overrides = [f'runtime.root={root}']
    for wrong, message in (
        ({'sources': []}, 'name files to learn'),
        ({'sources': [str(reviewed)], 'names': ['a', 'b']}, '2 names for 1 sources'),
        ({'sources': [str(reviewed)], 'margin': -1.0}, 'margin must be'),
    ):
        with pytest.raises(UserError, match=message):
            learn.fn(**wrong, overrides=overrides)
