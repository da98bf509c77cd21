"""Decisions: kept once, never lost, and the state of items follows from them."""

import shutil
import threading
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from naics_embed.errors import UserError
from naics_embed.review.batches import assign, close, known_batch, progress
from naics_embed.review.clock import FOREVER
from naics_embed.review.decide import DecisionError, Given, comment, history, record
from naics_embed.review.queue import next_items
from naics_embed.review.resolution import ANSWERS, Decision, settle, standing
from naics_embed.review.store import Store
from naics_embed.review.tables import claims, decisions, items
from tests.review.review_help import CLAIM_S, make_batch, make_users

NUMBERS = count()
STEP = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(['code', 'other', 'vague', 'skip', 'undo', 'again', 'next', 'settle']),
)


def decide(store, user, item, action='code', code='111110', key=None, **more):
    code = code if action == 'code' else None
    key = key or f'{user.name}-{item}-{action}-{code}-{next(NUMBERS)}'
    given_ = Given(key, item, action, code, **more)
    return store.write(lambda connection: record(connection, user, given_, CLAIM_S))


def following(store, user, count=1, claim_s=CLAIM_S, without=(), batch=1):
    return store.write(
        lambda connection: next_items(connection, batch, user, count, claim_s, without)
    )


@pytest.fixture(scope='module')
def shared(template, tmp_path_factory):
    """A store for all examples of a property, with its users."""
    copy = tmp_path_factory.mktemp('shared') / 'review.db'
    shutil.copy(template, copy)
    store = Store.open(str(copy))
    people = make_users(store, ann='reviewer', bob='reviewer', cy='arbiter')
    yield store, people
    store.close()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEP, max_size=25))
def test_every_state_follows_from_the_history(shared, steps):
    """Whatever two reviewers and an arbiter do, in any order, with requests that are repeated."""
    store, people = shared
    name = f'b{next(NUMBERS)}'
    numbers = make_batch(store, name, people=4, double=(1, 3))
    with store.reading() as connection:
        batch = known_batch(connection, name).id
    sent = []
    for number, (who, which, what) in enumerate(steps):
        user, item = people[who], numbers[which]
        if what == 'next':
            taken = following(store, user, batch=batch)
            assert all(one in numbers for one in taken)
            continue
        if what == 'again' and sent:
            by, before, first = sent[number % len(sent)]
            done = store.write(lambda c, by=by, before=before: record(c, by, before, CLAIM_S))
            assert done.repeated
            assert done.id == first
            continue
        action = {'other': 'code', 'again': 'code', 'settle': 'code'}.get(what, what)
        code = {'code': '111110', 'other': '541511', 'again': '111120', 'settle': '722511'}
        one = Given(f'{name}-{number}', item, action, code.get(what), None, what == 'settle')
        try:
            done = store.write(lambda c, user=user, one=one: record(c, user, one, CLAIM_S))
        except DecisionError:
            continue
        sent.append((user, one, done.id))
    with store.reading() as connection:
        counted = select(func.count()).where(decisions.c.item_id.in_(numbers))
        rows = connection.execute(counted).scalar_one()
        assert rows == len(sent)
        for item in numbers:
            found = history(connection, item)
            row = connection.execute(select(items).where(items.c.id == item)).one()
            settled = settle(found, row.coders)
            assert (row.state, row.final, row.settled_by) == (
                settled.state,
                settled.final,
                settled.by,
            )
            held = select(claims.c.user_id).where(
                claims.c.item_id == item, claims.c.expires_at == FOREVER
            )
            stand = {user for user, role in standing(found) if role == 'reviewer'}
            assert set(connection.execute(held).scalars()) == stand


@given(
    st.lists(
        st.builds(
            Decision,
            st.integers(1, 3),
            st.just('reviewer'),
            st.sampled_from(['code', 'vague', 'undo', 'skip']),
            st.just('111110'),
        )
    ),
    st.integers(1, 2),
)
def test_settling_counts_only_what_stands(made, coders):
    last = {one.user: one.action for one in made}
    stand = [action for action in last.values() if action in ANSWERS]
    state = settle(made, coders).state
    if len(set(stand)) > 1:
        assert state == 'conflict'
    else:
        assert state == ('done' if len(stand) >= coders else 'open')


def test_two_reviewers_never_get_one_item(store):
    make_batch(store, people=30)
    people = make_users(store, ann='reviewer', bob='reviewer', cy='reviewer')
    got: dict[str, list[int]] = {user.name: [] for user in people}

    def work(user) -> None:
        while taken := following(store, user, 2):
            for item in taken:
                decide(store, user, item)
                got[user.name].append(item)

    threads = [threading.Thread(target=work, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [item for own in got.values() for item in own]
    assert len(everything) == len(set(everything)) == 30


def test_a_claim_expires(store):
    [item] = make_batch(store, people=1)
    ann, bob = make_users(store, ann='reviewer', bob='reviewer')
    assert following(store, ann, claim_s=0.001) == [item]
    assert following(store, bob) == [item]
    assert following(store, ann) == [], 'bob has it now'
    # Ann decides all the same, as her page still shows it: both decisions are kept.
    decide(store, ann, item, code='111110')
    assert decide(store, bob, item, code='541511').settled.state == 'conflict'
    with store.reading() as connection:
        assert len(history(connection, item)) == 2


def test_two_decide_a_double_coded_item_and_an_arbiter_settles_it(store):
    [item] = make_batch(store, people=1, double=(0,))
    ann, bob, cy = make_users(store, ann='reviewer', bob='reviewer', cy='arbiter')
    assert following(store, ann) == following(store, bob) == [item]
    assert following(store, cy) == []
    with pytest.raises(DecisionError, match='reviewers are not done'):
        decide(store, cy, item, arbiter=True)
    assert decide(store, ann, item).settled.state == 'open'
    assert following(store, ann) == []
    assert decide(store, bob, item, 'vague', reason='no activity').settled.state == 'conflict'
    with pytest.raises(DecisionError, match='only an arbiter'):
        decide(store, ann, item, arbiter=True)
    settled = decide(store, cy, item, code='722511', arbiter=True).settled
    assert (settled.state, settled.final, settled.by) == ('done', '722511', 'arbiter')
    assert decide(store, cy, item, 'undo', arbiter=True).settled.state == 'conflict'


def test_what_is_put_off_comes_last(store):
    first, second, third = make_batch(store, people=3)
    [ann] = make_users(store, ann='reviewer')
    assert following(store, ann) == [first]
    decide(store, ann, first, 'skip')
    assert following(store, ann, 3) == [second, third, first]


def test_undo_gives_the_item_back(store):
    [item] = make_batch(store, people=1)
    ann, bob = make_users(store, ann='reviewer', bob='reviewer')
    decide(store, ann, item)
    assert following(store, ann) == []
    assert decide(store, ann, item, 'undo').settled.state == 'open'
    assert following(store, bob) == [], 'it is kept for ann'
    assert following(store, ann) == [item]
    with pytest.raises(DecisionError, match='no decision of yours'):
        decide(store, ann, item, 'undo')


def test_a_key_is_one_decision(store):
    first, second = make_batch(store, people=2)
    [ann] = make_users(store, ann='reviewer')
    done = decide(store, ann, first, key='k')
    assert decide(store, ann, first, key='k').id == done.id
    with pytest.raises(DecisionError, match='another decision'):
        decide(store, ann, second, key='k')


@pytest.mark.parametrize(
    ('one', 'message'),
    [
        (Given('k', 1, 'jump'), 'action must be one of'),
        (Given('k', 1, 'code'), 'a code belongs to'),
        (Given('k', 1, 'vague', '111110'), 'a code belongs to'),
        (Given('', 1, 'vague'), 'key must have'),
        (Given('k', 1, 'code', '999999'), 'not a code of this batch'),
        (Given('k', 77, 'vague'), 'there is no item 77'),
    ],
)
def test_a_wrong_decision_is_a_clear_error(store, one, message):
    make_batch(store, people=1)
    [ann] = make_users(store, ann='administrator')
    with pytest.raises(UserError, match=message):
        store.write(lambda connection: record(connection, ann, one, CLAIM_S))


def test_a_closed_batch_takes_no_decision(store):
    [item] = make_batch(store, people=1)
    [ann] = make_users(store, ann='administrator')
    with pytest.raises(UserError, match='1 items of q3 are open'):
        store.write(lambda connection: close(connection, 'q3'))
    assert store.write(lambda connection: close(connection, 'q3', force=True)).state == 'closed'
    with pytest.raises(DecisionError, match='q3 is closed'):
        decide(store, ann, item)


def test_items_are_kept_for_a_reviewer(store):
    numbers = make_batch(store, people=6)
    ann, bob = make_users(store, ann='reviewer', bob='reviewer')
    assert store.write(lambda c: assign(c, 'q3', 'ann', count=2)) == 2
    assert store.write(lambda c: assign(c, 'q3', 'ann', codes=('54',))) == 0
    assert following(store, bob, 9) == numbers[2:]
    assert following(store, ann, 9) == numbers[:2]
    assert store.write(lambda c: assign(c, 'q3', None)) == 2
    with store.reading() as connection:
        assert progress(connection, 1).open == 6


def test_a_comment_is_kept_once(store):
    [item] = make_batch(store, people=1)
    [ann] = make_users(store, ann='reviewer')
    numbers = {
        store.write(lambda connection: comment(connection, ann, 'k', item, 'odd')) for _ in range(3)
    }
    assert len(numbers) == 1
