"""The store: schema, durability, and a history that only grows."""

import stat
import threading
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from naics_embed.config.review import ORDERS
from naics_embed.errors import UserError
from naics_embed.review import order, schema
from naics_embed.review.batches import known_batch
from naics_embed.review.clock import now
from naics_embed.review.store import Store, StoreUnavailableError
from naics_embed.review.tables import APPEND_ONLY, comments, decisions, events, metadata
from tests.review.review_help import make_batch, make_users


def test_migrations_make_the_tables_that_are_used(store):
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={'compare_type': True})
        assert compare_metadata(context, metadata) == []


def test_the_head_is_that_of_the_migrations():
    config = Config()
    config.set_main_option('script_location', 'naics_embed.review:migrations')
    config.set_main_option('path_separator', 'os')
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_store_of_the_first_schema_keeps_its_batches(tmp_path):
    address = str(tmp_path / 'old.db')
    with pytest.MonkeyPatch.context() as patch:
        # The tables as the first version made them, with a batch of that time.
        patch.setattr(schema, 'HEAD', '0001')
        patch.setattr('alembic.command.upgrade', partial(_upgrade_to, upgrade, '0001'))
        old = Store.open(address)
    with old.writing() as connection:
        connection.execute(
            text(
                'INSERT INTO batches (name, state, created_at, source, identity, bundle, '
                'audit_fraction, double_fraction, item_order, seed) VALUES '
                "('q3', 'open', '2026-01-01', 'firms.csv', '', 'b', 0.1, 0.1, 'random', 0)"
            )
        )
        assert schema.revision(connection) == '0001'
    old.close()
    opened = Store.open(address)
    with opened.reading() as connection:
        assert schema.revision(connection) == schema.HEAD
        assert known_batch(connection, 'q3').drawn_from is None
    opened.close()


def _upgrade_to(upgrade, revision, config, _):
    upgrade(config, revision)


def test_a_newer_schema_is_a_clear_error(store, address):
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match='9999, which is newer'):
        Store.open(address)


def test_several_may_open_a_new_store_at_once(tmp_path):
    address = str(tmp_path / 'new.db')
    failures = []

    def work() -> None:
        try:
            Store.open(address).close()
        except UserError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_commit_is_on_disk_and_only_its_owner_reads_it(tmp_path):
    store = Store.open(str(tmp_path / 'review.db'))
    with store.reading() as connection:
        assert connection.exec_driver_sql('PRAGMA journal_mode').scalar() == 'wal'
        assert connection.exec_driver_sql('PRAGMA synchronous').scalar() == 2
        assert connection.exec_driver_sql('PRAGMA foreign_keys').scalar() == 1
    assert stat.S_IMODE((tmp_path / 'review.db').stat().st_mode) == 0o600


@pytest.mark.parametrize('table', [decisions, comments, events], ids=str)
def test_history_only_grows(store, table):
    assert table.name in APPEND_ONLY
    [item, *_] = make_batch(store, people=1)
    [user] = make_users(store, ann='reviewer')
    row = {
        'decisions': {'action': 'vague', 'role': 'reviewer', 'item_id': item},
        'comments': {'text': 'a', 'item_id': item},
        'events': {'kind': 'a', 'detail': {}},
    }[table.name]
    if table is not events:
        row |= {'user_id': user.id, 'key': 'k'}
    with store.writing() as connection:
        connection.execute(insert(table).values(**row, at=now()))
    for change in (update(table).values(at=now()), delete(table)):
        with (
            pytest.raises(IntegrityError, match='are only added'),
            store.writing() as connection,
        ):
            connection.execute(change)
    with store.reading() as connection:
        assert len(connection.execute(select(table)).all()) == 1


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ('mysql://host/name', 'neither sqlite'),
        ('sqlite://', 'names no file'),
        ('/nowhere/at/all/review.db', 'does not exist; name a folder'),
        ('postgresql://user:secret@127.0.0.1:1/none', 'does not answer'),
    ],
)
def test_a_wrong_address_is_a_clear_error(given, message):
    with pytest.raises(UserError, match=message) as raised:
        Store.open(given)
    assert 'secret' not in str(raised.value)


def test_work_is_repeated_after_a_lost_connection(store):
    calls = []

    def work(connection) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError('SELECT', {}, ConnectionError('gone'))
        return 'done'

    assert store.write(work) == 'done'
    assert len(calls) == 2

    def never(connection) -> None:
        raise OperationalError('SELECT', {}, ConnectionError('gone'))

    with pytest.raises(StoreUnavailableError, match='does not answer'):
        store.read(never)


def test_orders_of_the_configuration_are_those_of_the_library():
    assert set(ORDERS) == set(order.ORDERS)
