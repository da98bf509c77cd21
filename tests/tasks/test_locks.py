"""Locks between processes. A second process is driven through its standard input."""

import asyncio
import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.engine.locks import FlockLockManager

ROOT = Path(__file__).resolve().parents[2]
PEER = """
import json, sys
from pathlib import Path
from tasks.engine.locks import FlockLockManager
locks = FlockLockManager(Path(sys.argv[1]))
print(json.dumps('ready'), flush=True)
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(getattr(locks, name)(*arguments)), flush=True)
"""


class Peer:
    """A manager on the same directory in another process."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, '-c', PEER, str(directory)],
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == 'ready'

    def _answer(self):
        return json.loads(self.process.stdout.readline())

    def __getattr__(self, name):
        def call(*arguments):
            self.process.stdin.write(json.dumps([name, *arguments]) + '\n')
            self.process.stdin.flush()
            return self._answer()

        return call

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
    """A directory, and another process that uses it."""
    directory = tmp_path_factory.mktemp('locks')
    peer = Peer(directory)
    yield directory, peer
    if peer.process.poll() is None:
        peer.kill()


@pytest.fixture
def locks(tmp_path):
    return FlockLockManager(tmp_path / 'locks')


def test_a_lock_is_taken_and_given_back(locks):
    assert not locks.directory.exists()
    assert not locks.is_locked('a')
    assert locks.acquire_lock('a', 'one')
    assert locks.is_locked('a')
    assert locks.is_lock_holder('a', 'one')
    assert not locks.is_lock_holder('a', 'two')
    assert not locks.is_locked('b')
    locks.release_lock('a', 'one')
    assert not locks.is_locked('a')
    assert locks.acquire_lock('a', 'two')


def test_keys_may_hold_any_characters(locks):
    keys = ['a/b', 'a:b', '../a', 'ä' * 300]
    for key in keys:
        assert locks.acquire_lock(key, 'one')
    assert len(list(locks.directory.iterdir())) == len(keys)


def test_the_same_holder_may_take_it_again(locks):
    assert locks.acquire_lock('a', 'one', acquire_timeout=0)
    assert locks.acquire_lock('a', 'one', acquire_timeout=0)


def test_another_holder_in_this_process_waits(locks):
    locks.acquire_lock('a', 'one')
    assert not locks.acquire_lock('a', 'two', acquire_timeout=0)
    threading.Timer(0.2, locks.release_lock, ('a', 'one')).start()
    assert locks.acquire_lock('a', 'two', acquire_timeout=30)


def test_only_the_holder_gives_it_back(locks):
    locks.acquire_lock('a', 'one')
    with pytest.raises(ValueError, match='two holds no lock'):
        locks.release_lock('a', 'two')
    with pytest.raises(ValueError, match='one holds no lock'):
        locks.release_lock('b', 'one')
    assert locks.is_lock_holder('a', 'one')


def test_two_managers_on_one_directory_exclude_each_other(locks):
    # Each task builds its own manager; the lock must not depend on the object.
    other = FlockLockManager(locks.directory)
    assert locks.acquire_lock('a', 'one')
    assert other.is_locked('a')
    assert not other.acquire_lock('a', 'one', acquire_timeout=0)
    locks.release_lock('a', 'one')
    assert other.acquire_lock('a', 'one', acquire_timeout=0)


def test_waiting_ends_with_release_or_time(locks):
    assert locks.wait_for_lock('a', timeout=0)
    locks.acquire_lock('a', 'one')
    assert not locks.wait_for_lock('a', timeout=0.2)
    threading.Timer(0.2, locks.release_lock, ('a', 'one')).start()
    assert locks.wait_for_lock('a', timeout=30)


def test_the_asynchronous_ways_do_not_block_the_loop(locks):
    async def use() -> None:
        assert await locks.aacquire_lock('a', 'one')
        assert not await locks.aacquire_lock('a', 'two', acquire_timeout=0.1)
        assert not await locks.await_for_lock('a', timeout=0.1)
        waiting = asyncio.gather(
            locks.aacquire_lock('a', 'two', acquire_timeout=30), locks.await_for_lock('b')
        )
        await asyncio.sleep(0.2)
        locks.release_lock('a', 'one')
        assert await waiting == [True, True]

    asyncio.run(use())
    assert locks.is_lock_holder('a', 'two')


def test_a_deep_copy_is_the_same_manager(locks):
    # `CachePolicy.configure` copies deeply; a real copy would forget what is held.
    locks.acquire_lock('a', 'one')
    assert copy.deepcopy(locks) is locks
    assert copy.deepcopy({'policy': [locks]})['policy'][0].is_lock_holder('a', 'one')


def test_a_pickled_manager_knows_its_directory_and_holds_nothing(locks):
    locks.acquire_lock('a', 'one')
    other = pickle.loads(pickle.dumps(locks))
    assert other.directory == locks.directory
    assert not other.is_lock_holder('a', 'one')
    assert other.is_locked('a')


@pytest.mark.slow
def test_another_process_is_kept_out_until_release(shared):
    directory, peer = shared
    locks = FlockLockManager(directory)
    assert peer.acquire_lock('a', 'peer', 0)
    assert locks.is_locked('a')
    assert not locks.is_lock_holder('a', 'peer')
    assert not locks.acquire_lock('a', 'peer', acquire_timeout=0)
    assert not locks.wait_for_lock('a', timeout=0)
    assert peer.release_lock('a', 'peer') is None
    assert locks.acquire_lock('a', 'own', acquire_timeout=0)
    assert not peer.acquire_lock('a', 'peer', 0)
    assert peer.is_locked('a')


@pytest.mark.slow
def test_a_killed_holder_frees_its_locks(shared):
    directory, peer = shared
    locks = FlockLockManager(directory)
    assert peer.acquire_lock('b', 'peer', 0)
    assert not locks.acquire_lock('b', 'own', acquire_timeout=0)
    peer.kill()
    assert not locks.is_locked('b')
    assert locks.acquire_lock('b', 'own', acquire_timeout=0)
