"""Tables, Label Studio, webhooks, and labels for learning."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import ClassVar
from xml.etree import ElementTree

import polars as pl
import pytest
from sqlalchemy import func, select

from naics_embed.config.review import ReviewConfig
from naics_embed.errors import UserError
from naics_embed.review.batches import close, known_batch
from naics_embed.review.closing import tell_closed
from naics_embed.review.decide import Given, comment, record
from naics_embed.review.export import export_table, write_export
from naics_embed.review.incoming import import_label_studio, import_table
from naics_embed.review.label_studio import labelling_configuration, tasks
from naics_embed.review.labels import labels_of
from naics_embed.review.tables import batches, decisions, events
from naics_embed.review.webhook import (
    DELIVERY,
    SECRET_VARIABLE,
    SIGNATURE,
    TIME,
    check_webhook,
    deliver,
    signature,
)
from tests.review.review_help import CLAIM_S, code_rows, make_batch, make_users

ALL_CODES = [row['code'] for row in code_rows()]


@pytest.fixture
def decided(store):
    """A batch with a code, a vague text, a conflict, an audit, and open items."""
    numbers = make_batch(store, people=5, audit=2, automatic=8, double=(2,))
    ann, bob = make_users(store, ann='reviewer', bob='reviewer')

    def decide(user, at, action, code=None, reason=None):
        one = Given(f'{user.name}{at}', numbers[at], action, code, reason)
        store.write(lambda connection: record(connection, user, one, CLAIM_S))

    decide(ann, 0, 'code', '541511')
    decide(ann, 1, 'vague', reason='no activity')
    decide(ann, 2, 'code', '111110')
    decide(bob, 2, 'code', '111120')
    decide(ann, 5, 'code', '111110')
    store.write(lambda connection: comment(connection, ann, 'c', numbers[0], 'a shop'))
    return numbers


def exported(store, content='decisions'):
    return store.read(lambda c: export_table(c, known_batch(c, 'q3'), content))


@pytest.mark.parametrize('ending', ['csv', 'xlsx', 'parquet', 'jsonl'])
def test_decisions_are_written_in_every_format(store, decided, tmp_path, ending):
    out = tmp_path / f'decisions.{ending}'
    write_export(out, exported(store))
    read = {
        'csv': lambda: pl.read_csv(out, infer_schema=False),
        'xlsx': lambda: pl.read_excel(out),
        'parquet': lambda: pl.read_parquet(out),
        'jsonl': lambda: pl.read_ndjson(out),
    }[ending]()
    assert [str(code or '') for code in read['code']] == ['541511', '', '111110']
    assert list(read['outcome']) == ['coded', 'vague', 'coded']
    first = read.row(0, named=True)
    assert first['comments'] == 'ann: a shop'
    assert first['city'] == 'Town 1'
    assert first['title'] == 'Custom Computer Programming Services'


def test_all_rows_and_the_history_are_exported(store, decided):
    rows = exported(store, 'rows').to_pylist()
    assert len(rows) == 15
    assert {row['decided_by'] for row in rows} == {'coder', 'reviewer', None}
    assert [row['outcome'] for row in rows][2] == 'conflict'
    assert len(exported(store, 'history')) == 5
    with pytest.raises(UserError, match='--content must be'):
        exported(store, 'all')


def test_an_empty_export_has_its_columns(store, tmp_path):
    make_batch(store, people=1)
    write_export(tmp_path / 'none.csv', exported(store))
    assert pl.read_csv(tmp_path / 'none.csv').columns[:3] == ['row', 'text', 'code']


def test_labels_weigh_the_audit_for_all_accepted_rows(store, decided):
    labelled = labels_of(store, 'q3', ALL_CODES)
    assert labelled.texts == ['text number 1', 'text number 6']
    assert labelled.stated == ['541511', '111110']
    assert labelled.rows.tolist() == [1, 6]
    assert labelled.weights.tolist() == [1.0, 10.0]
    make_batch(store, 'q4', people=1)
    with pytest.raises(UserError, match='no text of review:q4'):
        labels_of(store, 'q4', ALL_CODES)
    with pytest.raises(UserError, match='there is no batch q5; there are: q4, q3'):
        labels_of(store, 'q5', ALL_CODES)


def test_a_table_comes_back_as_decisions_once(store, decided, tmp_path):
    table = tmp_path / 'coded.csv'
    table.write_text('row,code,outcome\n4,722511,\n5,,not_business\n1,,\n')
    done = import_table(store, 'q3', table, 'bob', CLAIM_S)
    assert (done.recorded, done.repeated, done.empty) == (2, 0, 1)
    again = import_table(store, 'q3', table, 'bob', CLAIM_S)
    assert (again.recorded, again.repeated) == (0, 2)
    assert [row['code'] for row in exported(store).to_pylist()] == [
        *('541511', None, '722511', None, '111110')
    ]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('row,code\n4,722511\n99,722511\n', 'row 2: q3 has no item for people in row 99'),
        ('row,code\n4,999999\n', 'row 1: 999999 is not a code'),
        ('row,code\nx,722511\n', 'row 1: the row is'),
        ('row,code,outcome\n4,,maybe\n', "row 1: outcome is 'maybe'"),
        ('row,naics\n4,722511\n', 'code'),
    ],
)
def test_a_wrong_table_changes_nothing(store, decided, tmp_path, content, message):
    table = tmp_path / 'coded.csv'
    table.write_text(content)
    with pytest.raises(UserError, match=message):
        import_table(store, 'q3', table, 'bob', CLAIM_S)
    with store.reading() as connection:
        counted = select(func.count()).select_from(decisions)
        assert connection.execute(counted).scalar_one() == 5


def test_label_studio_there_and_back(store, decided, tmp_path):
    found = store.read(lambda c: tasks(c, known_batch(c, 'q3')))
    assert len(found) == 7
    first = found[0]
    assert first['predictions'][0]['result'][0]['value'] == {
        'taxonomy': [['11', '111', '1111', '11111', '111110']]
    }
    assert first['annotations'][0]['completed_by'] == {'email': 'ann'}
    assert found[1]['annotations'][0]['result'][0]['value'] == {'choices': ['Too vague']}
    xml = store.read(lambda c: labelling_configuration(c, known_batch(c, 'q3')))
    tree = ElementTree.fromstring(xml)
    names = {tag.get('name') for tag in tree.iter() if tag.get('name')}
    assert names == {'text', 'code', 'other'}
    choices = [one.get('alias') for one in tree.iter('Choice') if one.get('alias')]
    assert sorted(choices) == sorted(ALL_CODES)
    # What Label Studio gives back: an annotation more, and one that was cancelled.
    given = {'type': 'taxonomy', 'value': {'taxonomy': [['72', '722', '7225', '72251', '722511']]}}
    found[3]['annotations'] = [
        {'id': 7, 'completed_by': {'email': 'bob'}, 'result': [given]},
        {'id': 8, 'was_cancelled': True, 'result': []},
    ]
    source = tmp_path / 'annotated.json'
    source.write_text(json.dumps([found[3]]))
    assert import_label_studio(store, 'q3', source, None, CLAIM_S).recorded == 1
    assert import_label_studio(store, 'q3', source, None, CLAIM_S).repeated == 1
    assert exported(store).to_pylist()[2]['code'] == '722511'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'is no JSON'),
        ('{}', 'no list of tasks'),
        ('[{"data": {"text": "a"}}]', 'task 1: its data has no naics_item'),
        (
            '[{"data": {"naics_item": 1}, "annotations": [{"id": 1, "result": []}]}]',
            'neither a code nor',
        ),
    ],
)
def test_what_is_no_export_of_label_studio_is_a_clear_error(store, tmp_path, content, message):
    make_batch(store, people=1)
    source = tmp_path / 'annotated.json'
    source.write_text(content)
    with pytest.raises(UserError, match=message):
        import_label_studio(store, 'q3', source, 'ann', CLAIM_S)


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses that a test wants, then with 204."""

    statuses: ClassVar[list[int]] = []
    received: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.received.append((dict(self.headers.items()), body))
        self.send_response(self.statuses.pop(0) if self.statuses else 204)
        self.send_header('Location', '/elsewhere')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture
def receiver(monkeypatch) -> Iterator[str]:
    monkeypatch.setenv(SECRET_VARIABLE, 'shared secret')
    Receiver.statuses, Receiver.received = [], []
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Receiver) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{serving.server_port}/hook'
        serving.shutdown()
        thread.join()


def test_a_closed_batch_is_told_until_it_is_taken(store, decided, receiver):
    Receiver.statuses = [503, 500]
    with store.writing() as connection:
        connection.execute(batches.update().values(webhook=receiver))
    batch = store.write(lambda connection: close(connection, 'q3', force=True))
    delivery = tell_closed(store, batch, ReviewConfig(webhook_wait_s=0.01))
    assert (delivery.delivered, delivery.tries) == (True, 3)
    headers, body = Receiver.received[-1]
    assert headers[SIGNATURE] == signature('shared secret', headers[TIME], body)
    assert len({one[DELIVERY] for one, _ in Receiver.received}) == 1
    message = json.loads(body)
    assert (message['event'], message['batch']) == ('batch.closed', 'q3')
    assert message['progress']['done'] == 3
    assert b'text number' not in body
    with store.reading() as connection:
        kinds = connection.execute(select(events.c.kind)).scalars().all()
    assert list(kinds)[-2:] == ['closed', 'webhook']


def test_waits_double_and_some_answers_are_final(receiver):
    waits: list[float] = []
    Receiver.statuses = [500] * 9
    config = ReviewConfig(webhook_tries=4, webhook_wait_s=2.0)
    delivery = deliver(receiver, {}, config, waits.append)
    assert (delivery.delivered, delivery.tries) == (False, 4)
    assert waits == [2.0, 4.0, 8.0]
    Receiver.statuses = [404]
    assert deliver(receiver, {}, config, waits.append).tries == 1
    Receiver.statuses = [302] * 9
    assert not deliver(receiver, {}, config, waits.append).delivered


def test_a_receiver_that_is_not_there_is_no_error(monkeypatch):
    monkeypatch.setenv(SECRET_VARIABLE, 's')
    config = ReviewConfig(webhook_tries=2, webhook_timeout_s=1.0)
    delivery = deliver('http://127.0.0.1:1/hook', {}, config, lambda _: None)
    assert (delivery.delivered, delivery.tries) == (False, 2)


@pytest.mark.parametrize(
    ('address', 'message'),
    [
        ('ftp://host/x', 'must be an address'),
        ('file:///etc/passwd', 'must be an address'),
        ('https://user:secret@host/x', 'must not contain a password'),
    ],
)
def test_a_wrong_webhook_is_refused(monkeypatch, address, message):
    monkeypatch.setenv(SECRET_VARIABLE, 's')
    with pytest.raises(UserError, match=message):
        check_webhook(address)
    monkeypatch.delenv(SECRET_VARIABLE)
    with pytest.raises(UserError, match=SECRET_VARIABLE):
        check_webhook('https://host/x')
