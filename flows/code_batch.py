"""The code-batch flow: a partitioned data set of descriptions to codes, on Dask."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dask
import distributed
from prefect.artifacts import create_table_artifact
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from flows.checked import Text, checked_flow
from flows.code_batch_rows import reason_of, row_of
from flows.configuration import artifact_root, configured
from flows.tracked_run import tracked_run
from naics_embed.artifacts import write_json
from naics_embed.bundle.promotion import promoted_bundle
from naics_embed.bundle.storage import Bundle
from naics_embed.classifications.names import NAICS2022
from naics_embed.config.batch import BatchConfig
from naics_embed.config.sections import flat
from naics_embed.errors import BatchError, UserError
from naics_embed.search.code_values import AUTO
from naics_embed.search.coding_options import coding_options
from naics_embed.search.partitions import (
    MANIFESTS,
    Partition,
    PartitionReport,
    PartitionSettings,
    bundle_key,
    discard_temporary,
    plan_partitions,
)
from naics_embed.search.text_columns import text_columns
from naics_embed.tabular.dialect import DialectOptions
from naics_embed.tabular.open import ReadOptions
from tasks.batch_coding import code_one
from tasks.engine.locks import FlockLockManager
from tasks.engine.tracking import Tracker, log_metrics

ARTIFACT = 'code-batch'
SUMMARY = 'summary.json'
LOCK = 'code-batch'
MOST_NAMED = 5
"""Failed partitions that the error names; the table has all."""


@checked_flow(name='code-batch', flow_run_name='code-batch', retries=0)
def code_batch(
    source: str,
    out: str,
    text_column: str | list[str],
    table: str | None = None,
    level: int | None = None,
    confidence: float | None = None,
    profile: str = 'cpu',
    overrides: list[Text] | None = None,
    config_folder: str | None = None,
    weights: list[str] | None = None,
    top: int = 1,
    columns: list[str] | None = None,
    prefix: str | None = None,
    provenance: bool = False,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    classification: str = NAICS2022,
    prior_column: str | None = None,
    prior_vintage: int | str = AUTO,
) -> dict[str, Any]:
    """Code every row of a partitioned data set, each partition once.

    Run it again to go on after a stop: partitions that are coded are kept, those whose input,
    bundle or settings changed, or whose output is damaged, are coded again.

    Args:
        source: a folder of csv and parquet files, a pattern, or one file, which is divided.
        out: folder for a parquet file a partition; not inside the folder of the input.
        text_column: the column of descriptions, or several, which are read together.
        table: directory of a bundle; the promoted one where None.
        level: digits of the best code, 2 to 6; 1 to 4 in ISIC, NACE and SIC; the deepest where
            None.
        confidence: least probability of the confident code; ``coder.confidence`` where None.
        profile: a file in ``configs/profiles``: smoke, cpu or gpu.
        overrides: dotted assignments, such as ``batch.workers=8``.
        config_folder: directory with ``base.yaml``; the checkout's ``configs`` where None.
        weights: weights of text columns, as ``COLUMN=WEIGHT``.
        top: how many ranked codes.
        columns: columns to add, without the prefix; all where None.
        prefix: what the names of added columns begin with; ``naics_``, or the classification,
            where None.
        provenance: whether bundle, vintage, classification, version, calibration and time are
            columns too.
        delimiter: of text files: a character, or ``tab``, ``comma``, ``semicolon``; detected where
            None.
        encoding: of text files, such as ``cp1252``; detected where None.
        sheet: of workbooks; the first one where None.
        classification: of the codes, such as ``isic4``.
        prior_column: a column with codes that rows have already, as further evidence.
        prior_vintage: of these codes: 2012, 2017, 2022, ``sic``, or ``auto``, which finds out.
    """
    start = time.perf_counter()
    config = configured(config_folder, profile, overrides)
    root = artifact_root(config)
    confidence = config.coder.confidence if confidence is None else confidence
    options = coding_options(
        level=level,
        confidence=confidence,
        top=top,
        columns=columns,
        prefix=prefix,
        provenance=provenance,
        classification=classification,
        prior_column=prior_column,
        prior_vintage=prior_vintage,
        prior_settings=config.prior_codes,
    )
    reading = ReadOptions(DialectOptions(encoding, delimiter).checked(), sheet)
    names = [text_column] if isinstance(text_column, str) else text_column
    settings = PartitionSettings(
        text_columns(names, weights or []),
        options.level,
        options.confidence,
        config.batch.part_rows,
        config.batch.precision,
        options.columns,
        reading,
        options.prior,
    )
    bundle = Bundle.load(Path(table).resolve() if table else promoted_bundle(root))
    target = Path(out).resolve()
    key = bundle_key(bundle)
    partitions = plan_partitions(
        str(Path(source).absolute()), target, config.batch.partition_rows, reading
    )
    params = {
        **{f'batch.{name}': value for name, value in flat(config.batch).items()},
        **asdict(settings),
        'source': source,
        'out': str(target),
        'bundle': str(bundle.path),
        'bundle_key': key,
    }
    with (
        _alone(target),
        tracked_run(config, profile, params, name='code-batch') as tracker,
    ):
        discard_temporary(target, partitions)
        with _workers(config.batch) as runner:
            futures = {
                runner.submit(
                    code_one,
                    {
                        'partition': partition,
                        'out': target,
                        'settings': settings,
                        'bundle': bundle.path.resolve(),
                        'key': key,
                        'threads': config.batch.threads,
                    },
                ): partition
                for partition in partitions
            }
            done, failed = _gather(futures, runner, tracker, start)
        discard_temporary(target, partitions)
        return _finish(partitions, done, failed, tracker, target, time.perf_counter() - start)


def _gather(
    futures: dict[PrefectDaskFuture[PartitionReport], Partition],
    runner: DaskTaskRunner,
    tracker: Tracker,
    start: float,
) -> tuple[dict[str, PartitionReport], dict[str, str]]:
    """Wait for all partitions; return reports, and reasons of those that failed, by name."""
    done: dict[str, PartitionReport] = {}
    failed: dict[str, str] = {}
    inner = {future.wrapped_future: future for future in futures}
    coded = 0
    # Given the loop, Dask need not look for the current client of this context.
    for finished in distributed.as_completed(inner, loop=runner.client.loop):
        future = inner[finished]
        name = futures[future].name
        # Dask's own failures, such as a worker that died again and again, carry no Prefect state.
        if finished.status == 'error':
            failed[name] = reason_of(finished.exception())
            continue
        state = finished.result()
        result = state.result(raise_on_failure=False)
        if not state.is_completed():
            failed[name] = reason_of(result)
            continue
        done[name] = result
        coded += 0 if result.kept else result.rows
        elapsed = time.perf_counter() - start
        log_metrics(
            tracker.client,
            tracker.parent_run_id,
            {'rows_coded': coded, 'rows_per_s': coded / elapsed},
            len(done),
        )
    return done, failed


def _finish(
    partitions: list[Partition],
    done: dict[str, PartitionReport],
    failed: dict[str, str],
    tracker: Tracker,
    out: Path,
    seconds: float,
) -> dict[str, Any]:
    """Publish the metrics and the table of partitions; raise where some of them failed."""
    rows = [row_of(partition.name, done, failed) for partition in partitions]
    coded = [report for report in done.values() if not report.kept]
    fresh = sum(report.rows for report in coded)
    counts = {
        'partitions': len(partitions),
        'coded': len(coded),
        'kept': len(done) - len(coded),
        'failed': len(failed),
        'rows': sum(report.rows for report in done.values()),
        'bad': sum(report.bad for report in done.values()),
        'rows_coded': fresh,
        'seconds': seconds,
        'rows_per_s': fresh / seconds,
        'worker_rows_per_s': fresh / max(sum(report.seconds for report in coded), 1e-9),
    }
    text = (
        f'{counts["rows"]:,} rows in {len(done)} of {len(partitions)} partitions '
        f'({counts["kept"]} kept), {counts["rows_per_s"]:.0f} rows a second'
    )
    create_table_artifact(rows, key=ARTIFACT, description=text)
    run = tracker.pipeline()
    run.metrics({name: float(value) for name, value in counts.items()}, len(partitions))
    run.table({name: [row[name] for row in rows] for name in rows[0]}, f'{ARTIFACT}.json')
    summary: dict[str, Any] = {
        **counts,
        'out': str(out),
        'run_id': tracker.parent_run_id,
        'tracking_uri': tracker.uri,
    }
    write_json(out / MANIFESTS / SUMMARY, summary)
    if failed:
        named = [f'{name}: {reason}' for name, reason in sorted(failed.items())[:MOST_NAMED]]
        more = f'\nand {len(failed) - MOST_NAMED} more' if len(failed) > MOST_NAMED else ''
        raise BatchError(
            f'{len(failed)} of {len(partitions)} partitions failed; the others are in {out}. Fix '
            f'these and run again, which codes only them:\n' + '\n'.join(named) + more
        )
    return summary


@contextlib.contextmanager
def _workers(config: BatchConfig) -> Iterator[DaskTaskRunner]:
    """Connect to the Dask cluster, or start one on this machine."""
    if config.scheduler is not None:
        with DaskTaskRunner(address=config.scheduler) as runner:
            yield runner
        return
    local = {
        'n_workers': config.workers or os.cpu_count() or 1,
        'threads_per_worker': 1,
        'memory_limit': config.memory,
        'host': '127.0.0.1',
        'dashboard_address': None,
    }
    deaths = {'distributed.scheduler.allowed-failures': config.worker_deaths}
    with dask.config.set(deaths), DaskTaskRunner(cluster_kwargs=local) as runner:
        yield runner


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second run away from the same output."""
    locks = FlockLockManager(out / MANIFESTS / '.locks')
    holder = str(os.getpid())
    if not locks.acquire_lock(LOCK, holder, acquire_timeout=0):
        raise UserError(f'another run is writing to {out}; wait for its end')
    try:
        yield
    finally:
        locks.release_lock(LOCK, holder)
