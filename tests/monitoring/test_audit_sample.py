"""A sample of automatic codes in a store of SQLite, from coded files."""

import re
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from sqlalchemy import select

from naics_embed.cli.review_options import open_store
from naics_embed.errors import UserError
from naics_embed.monitoring.audit_sample import check_auditable, draw_audit
from naics_embed.monitoring.observations import SCHEMA, write_observations
from naics_embed.review.audit_sample import FILE, ROW, Drawn, add_audit
from naics_embed.review.batches import close, known_batch
from naics_embed.review.decide import Given, record
from naics_embed.review.intervals import finite_interval
from naics_embed.review.labels import labels_of
from naics_embed.review.statistics import error_rate
from naics_embed.review.tables import items, suggestions
from naics_embed.search.bulk import FileJob, code_file
from naics_embed.search.coder import Coder
from tests.review.review_help import make_users
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

WEEK = datetime(2026, 11, 23)
ROWS = 120


@pytest.fixture(scope='module')
def coder(tmp_path_factory) -> Coder:
    folder = tmp_path_factory.mktemp('audit')
    encoder = write_tiny_encoder(folder / 'encoder')
    return Coder.load(write_tiny_bundle(folder / 'bundle', encoder, coder=True))


@pytest.fixture(scope='module')
def coded(coder, tmp_path_factory):
    """Two coded files: half of the rows in the week, and some without an automatic code."""
    folder = tmp_path_factory.mktemp('coded')
    titles = [coder.searcher.titles[leaf] for leaf in coder.leaves.tolist()]
    for number in range(2):
        texts = [titles[number * ROWS + row] if row % 4 else 'n/a' for row in range(ROWS)]
        days = ['2026-11-18' if row % 2 else '2026-11-25' for row in range(ROWS)]
        source = folder / f'in{number}.csv'
        pl.DataFrame({'what': texts, 'received': days}).write_csv(source)
        out = folder / 'out' / f'part{number}.parquet'
        out.parent.mkdir(exist_ok=True)
        code_file(coder, FileJob(source, 'what', out, confidence=0.5))
    return folder / 'out'


@pytest.fixture
def store(tmp_path):
    opened = open_store(str(tmp_path / 'review.db'))
    yield opened
    opened.close()


def drawn_of(coded, fraction=0.3, **options) -> Drawn:
    given = {'time_column': 'received', 'start': WEEK, 'every': 'week', **options}
    return draw_audit([coded], text_column='what', fraction=fraction, **given)


def automatic(coded) -> pl.DataFrame:
    frames = [
        pl.read_parquet(file).with_row_index('row', offset=1).with_columns(file=pl.lit(file.name))
        for file in sorted(coded.glob('*.parquet'))
    ]
    frame = pl.concat(frames)
    return frame.filter(pl.col('naics_status') == 'coded', pl.col('received') == '2026-11-25')


def test_all_automatic_codes_of_the_window_may_be_drawn(coded):
    expected = automatic(coded)
    assert 0 < len(expected) < ROWS
    everything = drawn_of(coded, 1.0)
    assert everything.accepted == len(expected)
    assert [(row.file, row.row, row.text, row.code) for row in everything.rows] == [
        (f'out/{row["file"]}', row['row'], row['what'], row['naics_code'])
        for row in expected.iter_rows(named=True)
    ]
    assert drawn_of(coded, time_column=None, start=None, every=None).accepted > len(expected)
    some, others = drawn_of(coded), drawn_of(coded, seed=1)
    assert set(some.rows) < set(everything.rows)
    assert some.rows != others.rows
    assert some == drawn_of(coded), 'the same seed draws the same rows'


def test_each_row_is_drawn_with_the_same_probability(coded):
    counts = dict.fromkeys((row.file, row.row) for row in drawn_of(coded, 1.0).rows)
    times = 200
    found = [drawn_of(coded, 0.3, seed=seed).rows for seed in range(times)]
    for key in counts:
        counts[key] = sum(key in {(row.file, row.row) for row in rows} for rows in found)
    mean = np.mean(list(counts.values())) / times
    # Six standard errors.
    assert abs(mean - 0.3) < 6 * np.sqrt(0.21 / times / len(counts))
    assert max(abs(count / times - 0.3) for count in counts.values()) < 6 * np.sqrt(0.21 / times)


def test_a_batch_is_made_and_extended(coded, coder, store, tmp_path):
    drawn = drawn_of(coded)
    first = replace(drawn, rows=drawn.rows[:7], accepted=20)
    made = add_audit(store, coder, 'audit-claims', first, double_fraction=0.5)
    assert (made.added, made.rows, made.accepted) == (7, 7, 20)
    again = add_audit(store, coder, 'audit-claims', first)
    assert (again.added, again.rows) == (0, 7)
    more = add_audit(store, coder, 'audit-claims', drawn)
    assert (more.added, more.rows) == (len(drawn.rows) - 7, len(drawn.rows))
    with store.reading() as connection:
        batch = known_batch(connection, 'audit-claims')
        rows = connection.execute(
            select(items).where(items.c.batch_id == batch.id).order_by(items.c.position)
        ).all()
        best = dict(
            connection.execute(
                select(suggestions.c.item_id, suggestions.c.code).where(suggestions.c.rank == 1)
            ).all()
        )
    assert (batch.state, batch.drawn_from) == ('open', drawn.accepted)
    assert {(row.shown[FILE], row.shown[ROW], row.text) for row in rows} == {
        (row.file, str(row.row), row.text) for row in drawn.rows
    }
    assert [row.position for row in rows] == list(range(len(rows)))
    assert {(row.kind, row.state) for row in rows} == {('audit', 'open')}
    assert {row.coders for row in rows} == {1, 2}
    given = {(row.file, str(row.row)): row.code for row in drawn.rows}
    assert all(best[row.id] == given[row.shown[FILE], row.shown[ROW]] for row in rows)


def test_the_error_rate_is_of_all_rows_that_were_drawn_from(coded, coder, store):
    """A few wrong ones of a sample stand for a fraction of the accepted rows, with an interval."""
    drawn = drawn_of(coded, 0.5)
    add_audit(store, coder, 'audit', replace(drawn, accepted=1000), double_fraction=0.0)
    [ann] = make_users(store, ann='reviewer')
    with store.reading() as connection:
        best = connection.execute(
            select(items.c.id, suggestions.c.code)
            .join(suggestions, suggestions.c.item_id == items.c.id)
            .where(suggestions.c.rank == 1)
            .order_by(items.c.position)
        ).all()
    for at, row in enumerate(best):
        code = row.code if at >= 3 else next(one.code for one in best if one.code != row.code)
        given = Given(f'key-{at}', row.id, 'code', code)
        store.write(lambda connection, given=given: record(connection, ann, given, 60.0))
    with store.reading() as connection:
        rate = error_rate(connection, known_batch(connection, 'audit'))
    assert (rate.accepted, rate.audited, rate.pending, rate.wrong) == (1000, len(best), 0, 3)
    assert rate.automation == 1.0
    assert (rate.low, rate.high) == finite_interval(3, len(best), 1000)
    labels = labels_of(store, 'audit', coder.searcher.codes)
    assert labels.weights.tolist() == pytest.approx([1000 / len(best)] * len(best))


def test_a_closed_batch_stays_as_it_is(coded, coder, store):
    drawn = drawn_of(coded)
    add_audit(store, coder, 'audit', replace(drawn, rows=drawn.rows[:2]))
    store.write(lambda connection: close(connection, 'audit', force=True))
    found = add_audit(store, coder, 'audit', drawn)
    assert (found.added, found.rows, found.closed) == (0, 2, True)


def test_what_cannot_be_audited_is_told(coded, coder, store, tmp_path):
    with pytest.raises(UserError, match=r'audit_fraction needs text_column'):
        check_auditable([coded], None)
    log = tmp_path / 'answers-2026-11-25.jsonl'
    log.write_text('{"code": "111150", "probability": 0.9, "unknown_words": 0.0}\n')
    observed = tmp_path / 'observed.parquet'
    write_observations(pl.DataFrame(schema=SCHEMA), observed)
    for path in (log, observed):
        message = rf'{re.escape(path.name)} holds observations without texts.*audit_fraction=0'
        with pytest.raises(UserError, match=message):
            check_auditable([coded, path], 'what')
    with pytest.raises(UserError, match="has no column 'text'"):
        draw_audit([coded], text_column='text', fraction=1.0)
    with pytest.raises(UserError, match="has no column 'isic4_code'"):
        draw_audit([coded], text_column='what', fraction=1.0, prefix='isic4_')
    drawn = drawn_of(coded)
    coarse = replace(drawn, rows=(replace(drawn.rows[0], code='1111'),))
    with pytest.raises(UserError, match=r"row \d+: '1111' is no code of 6 digits"):
        add_audit(store, coder, 'audit', coarse)
    with pytest.raises(UserError, match='is no name of a batch'):
        add_audit(store, coder, 'all claims', drawn)
