"""A data set on a real Dask cluster: a worker killed, an output damaged, an input changed."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest
from mlflow import MlflowClient

from naics_embed.errors import BatchError, UserError
from naics_embed.search.coder import Coder
from naics_embed.search.partitions import (
    PartitionSettings,
    bundle_key,
    code_partition,
    plan_partitions,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests'))

from tests.tiny_bundle import tiny_codebook, write_tiny_bundle, write_tiny_encoder  # noqa: E402

pytestmark = pytest.mark.slow

ROWS = 240
PART_ROWS = 4
PATIENCE_S = 300


@pytest.fixture(scope='module')
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('batch')
    return write_tiny_bundle(folder / 'bundle', write_tiny_encoder(folder / 'encoder'), coder=True)


@pytest.fixture
def source(tmp_path) -> Path:
    """Three partitions in two folders, with bad texts, nulls and a column of another type."""
    titles = tiny_codebook()['title'].to_list()
    for number, name in enumerate(('a/one', 'a/two', 'b/three')):
        texts = [f'{title} {row}' for row, title in enumerate(titles[number * ROWS :][:ROWS])]
        texts[1::50] = [None] * len(texts[1::50])
        texts[2::50] = [' '] * len(texts[2::50])
        frame = pl.DataFrame(
            {'id': range(ROWS), 'what': texts, 'x': [1.5] * ROWS, 'old': ['111150'] * ROWS}
        )
        path = tmp_path / 'in' / f'{name}.parquet'
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path)
    return tmp_path / 'in'


def contents(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob('*.parquet'))}


def test_a_killed_worker_a_damaged_output_and_a_changed_input(
    bundle, source, tmp_path, mlflow_uri, prefect_server
):
    import distributed

    from flows.code_batch import code_batch

    coder = Coder.load(bundle)
    key = bundle_key(coder.searcher.bundle)
    settings = PartitionSettings('what', 6, 0.8, PART_ROWS)
    undisturbed = tmp_path / 'undisturbed'
    for partition in plan_partitions(str(source), undisturbed, 100):
        code_partition(partition, undisturbed, settings, key, lambda: coder)
    out = tmp_path / 'out'

    def run(scheduler):
        overrides = [
            f'runtime.root={tmp_path / "artifacts"}',
            f'tracking.uri={mlflow_uri}',
            f'batch.part_rows={PART_ROWS}',
            f'batch.scheduler={json.dumps(scheduler)}',
        ]
        return code_batch(str(source), str(out), 'what', str(bundle), overrides=overrides)

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, host='127.0.0.1', dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        (first,) = client.run(os.getpid).values()
        killed = threading.Thread(target=kill_while_writing, args=(first, out))
        killed.start()
        summary = run(cluster.scheduler_address)
        killed.join()
        assert set(client.run(os.getpid).values()) != {first}, 'the worker was killed'
        # Dask forgets what a dead worker had not reported yet, and asks for it again.
        assert (summary['coded'] + summary['kept'], summary['failed']) == (3, 0)
        assert summary['coded'] >= 2
        assert contents(out) == contents(undisturbed)
        assert [p for p in out.rglob('.*') if p.suffix == '.parquet'] == []

        again = run(cluster.scheduler_address)
        assert (again['coded'], again['kept'], again['rows']) == (0, 3, 3 * ROWS)

        (out / 'a/one.parquet').write_bytes(b'half of it')
        changed = pl.read_parquet(source / 'a/two.parquet').with_columns(
            pl.lit('corn farming').alias('what')
        )
        changed.write_parquet(source / 'a/two.parquet')
        (source / 'a/broken.csv').write_text('other\nx\n')
        kept_at = (out / 'b/three.parquet').stat().st_mtime_ns
        with pytest.raises(BatchError, match=r"a/broken.parquet: .* has no column 'what'"):
            run(cluster.scheduler_address)
    assert (out / 'b/three.parquet').stat().st_mtime_ns == kept_at
    assert contents(out)['a/one.parquet'] == contents(undisturbed)['a/one.parquet']
    redone = pl.read_parquet(out / 'a/two.parquet')
    assert redone['naics_code'].to_list() == ['111150'] * ROWS
    assert redone.columns[:3] == ['id', 'what', 'x']
    assert redone['id'].to_list() == list(range(ROWS))
    three = pl.read_parquet(out / 'b/three.parquet')
    assert three['naics_error'].null_count() == ROWS - 10
    summary = json.loads((out / '_manifests/summary.json').read_text())
    assert (summary['coded'], summary['kept'], summary['failed']) == (2, 1, 1)
    run_id = summary['run_id']
    logged = MlflowClient(mlflow_uri).get_run(run_id)
    assert logged.info.status == 'FAILED'
    assert logged.data.metrics['rows_coded'] == 2 * ROWS
    assert logged.data.metrics['rows_per_s'] > 0
    assert logged.data.params['bundle_key'] == key


def kill_while_writing(pid: int, out: Path) -> None:
    """Kill a process once it has begun to write the second partition."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if list(out.rglob('.two.parquet.*')) or list(out.rglob('.three.parquet.*')):
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.002)


def test_without_a_scheduler_it_starts_workers_of_its_own(
    bundle, source, tmp_path, mlflow_uri, prefect_server
):
    import distributed

    from flows.code_batch import code_batch

    with pytest.raises(ValueError, match='client found'):
        distributed.get_client()
    overrides = [
        f'runtime.root={tmp_path / "artifacts"}',
        f'tracking.uri={mlflow_uri}',
        'batch.workers=1',
    ]
    out = tmp_path / 'out'
    options = {
        'top': 2,
        'columns': ['code', 'code_2', 'status'],
        'prefix': 'n_',
        'prior_column': 'old',
        'prior_vintage': '2017',
    }
    summary = code_batch(
        str(source), str(out), ['what'], str(bundle), overrides=overrides, **options
    )
    assert (summary['coded'], summary['kept'], summary['failed']) == (3, 0, 0)
    frame = pl.read_parquet(out / '**/*.parquet')
    assert len(frame) == 3 * ROWS
    assert frame.columns == ['id', 'what', 'x', 'old', 'n_code', 'n_code_2', 'n_status']
    assert frame['n_code_2'].null_count() == 3 * 10
    manifest = json.loads((out / '_manifests/a/one.parquet.json').read_text())
    assert manifest['prior']['vintage'] == 2017
    assert 'old: prior codes; by the texts of 230 rows these are right: ' in manifest['notes'][-1]


def test_wrong_settings_are_told_before_anything_starts(bundle, source, tmp_path):
    from flows.code_batch import code_batch

    root = f'runtime.root={tmp_path / "artifacts"}'
    with pytest.raises(UserError, match='level must be one of'):
        code_batch.fn(str(source), str(tmp_path / 'out'), 'what', str(bundle), 7, overrides=[root])
    for wrong, message in (
        ({'columns': ['nothing']}, '--columns nothing is unknown'),
        ({'weights': ['what=7']}, "--weight 'what=7' must be"),
        ({'delimiter': 'many'}, '--delimiter'),
        ({'top': 0}, 'k must be at least 1'),
        ({'classification': 'isic9'}, 'no classification'),
        ({'prior_column': 'old', 'prior_vintage': 1997}, 'the vintage of prior codes must be'),
        ({'prior_column': 'old', 'classification': 'isic4'}, 'for naics2022 only'),
    ):
        with pytest.raises(UserError, match=message):
            code_batch.fn(
                str(source), str(tmp_path / 'out'), 'what', str(bundle), overrides=[root], **wrong
            )
    with pytest.raises(UserError, match=r'batch\.precision must be one of float32'):
        code_batch.fn(
            str(source),
            str(tmp_path / 'out'),
            'what',
            overrides=[root, 'batch.precision=float8'],
        )
    inside = source / 'out'
    with pytest.raises(UserError, match='lies in the folder of the input'):
        code_batch.fn(str(source), str(inside), 'what', str(bundle), overrides=[root])
    assert not inside.exists()
    (tmp_path / 'file').write_text('x')
    with pytest.raises(UserError, match='file is no folder'):
        code_batch.fn(str(source), str(tmp_path / 'file'), 'what', str(bundle), overrides=[root])
    assert not (tmp_path / 'out').exists()
