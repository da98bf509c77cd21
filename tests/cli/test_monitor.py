"""The command ``monitor``."""

import json

import numpy as np
import polars as pl
import pytest

from naics_embed.cli.monitor import EXIT_ALARM


@pytest.fixture
def coded(tmp_path):
    def write(name, mean, rows=600, seed=0):
        rng = np.random.default_rng(seed)
        path = tmp_path / name
        pl.DataFrame(
            {
                'when': [f'2026-0{1 + i * 2 // rows}-05' for i in range(rows)],
                'naics_code': rng.choice(['722511', '541511'], rows).tolist(),
                'naics_probability': rng.beta(mean, 2, rows).tolist(),
                'naics_status': ['coded'] * rows,
            }
        ).write_csv(path)
        return path

    return write


def test_windows_with_a_page_and_metrics(cli, coded, tmp_path):
    page, metrics = tmp_path / 'drift.html', tmp_path / 'drift.prom'
    done = cli(
        *('monitor', coded('now.csv', 6, seed=1), '--reference', coded('then.csv', 6)),
        *('--time-column', 'when', '--every', 'month', '-o', page, '--prometheus', metrics),
    )
    assert done.status == 0, done.err
    assert '2026-01-01: 300 texts, no change' in done.out
    assert '2026-02-01: 300 texts, no change' in done.out
    assert 'not compared: familiarity, length, unknown words' in done.out
    assert page.read_text().startswith('<!doctype html>')
    assert 'naics_embed_drift_rows 300\n' in metrics.read_text()


def test_an_alarm_may_end_the_command(cli, coded):
    arguments = (
        *('monitor', coded('now.csv', 2), '--reference', coded('then.csv', 9)),
        *('--every', 'all', '--json'),
    )
    done = cli(*arguments)
    assert done.status == 0, done.err
    result = json.loads(done.out)
    assert result['alarms'] == 1
    assert [d['name'] for d in result['windows'][0]['drifts'] if d['alarm']] == ['confidence']
    assert cli(*arguments, '--fail').status == EXIT_ALARM


def test_times_are_needed_for_windows(cli, coded):
    path = coded('now.csv', 6)
    done = cli('monitor', path, '--reference', path)
    assert done.status == 2
    assert '--time-column' in done.err
