"""Calls that wait together share a pass; each hears of its own answer and its own fault."""

import asyncio
import threading

import pytest

from naics_embed.errors import UserError
from naics_embed.service.pool import BusyError, SlowError, WorkerPool

PATIENCE_S = 60


class Work:
    """Doubles numbers, one pass at a time, and remembers the passes."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.begun.set()
        assert self.go.wait(PATIENCE_S)
        self.passes.append(items)
        if any(item < 0 for item in items):
            raise UserError(f'{min(items)} is below 0')
        if 13 in items:
            raise ZeroDivisionError('a bug')
        return [2 * item for item in items]


def pool(**settings) -> WorkerPool:
    return WorkerPool(
        **{'workers': 1, 'threads': 1, 'queue': 20, 'timeout_s': PATIENCE_S, 'most': 4} | settings
    )


def answers_of(work: Work, workers: WorkerPool, calls: list[tuple[str, list[int]]]) -> list:
    """Begin the first call, let the others wait behind it, and return all answers and faults."""

    async def run() -> list:
        first = asyncio.create_task(ask('blocks', [0]))
        await asyncio.to_thread(work.begun.wait, PATIENCE_S)
        others = [asyncio.create_task(ask(kind, items)) for kind, items in calls]
        await asyncio.sleep(0.05)
        work.go.set()
        found = await asyncio.gather(first, *others, return_exceptions=True)
        workers.close()
        return found[1:]

    async def ask(kind: str, items: list[int]) -> tuple[int, ...]:
        return await workers.run_together(kind, items, work, tuple)

    return asyncio.run(run())


def test_calls_of_a_kind_that_wait_together_share_a_pass():
    work = Work()
    calls = [('a', [1]), ('b', [2]), ('a', [3, 4]), ('a', [5, 6]), ('a', [7])]
    assert answers_of(work, pool(), calls) == [(2,), (4,), (6, 8), (10, 12), (14,)]
    # At most four items, in the order of their coming, and never of two kinds.
    assert work.passes == [[0], [1, 3, 4, 7], [2], [5, 6]]


def test_a_call_that_is_larger_than_a_shared_pass_is_answered_alone():
    work = Work()
    calls = [('a', [1, 2, 3, 4, 5]), ('a', [6])]
    assert answers_of(work, pool(), calls) == [(2, 4, 6, 8, 10), (12,)]
    assert work.passes == [[0], [1, 2, 3, 4, 5], [6]]


def test_one_is_no_sharing():
    work = Work()
    assert answers_of(work, pool(most=1), [('a', [1]), ('a', [2])]) == [(2,), (4,)]
    assert work.passes == [[0], [1], [2]]


def test_the_fault_of_one_call_is_told_to_it_alone():
    work = Work()
    good, bad, other = answers_of(work, pool(), [('a', [1]), ('a', [-2]), ('a', [3])])
    assert (good, other) == ((2,), (6,))
    assert isinstance(bad, UserError)
    assert str(bad) == '-2 is below 0'
    assert work.passes == [[0], [1, -2, 3], [1], [-2], [3]]


def test_nobody_waits_for_an_answer_that_a_bug_has_eaten():
    work = Work()
    found = answers_of(work, pool(), [('a', [1]), ('a', [13]), ('b', [2])])
    assert [type(error) for error in found[:2]] == [ZeroDivisionError] * 2
    assert found[2] == (4,)


def test_what_waited_too_long_takes_no_place():
    work = Work()
    workers = pool(timeout_s=0.2, queue=1)

    async def run() -> None:
        async def ask(items: list[int]) -> tuple[int, ...]:
            return await workers.run_together('a', items, work, tuple)

        first = asyncio.create_task(ask([0]))
        await asyncio.to_thread(work.begun.wait, PATIENCE_S)
        second = asyncio.create_task(ask([1]))
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError):
            await ask([2])
        for late in (first, second):
            with pytest.raises(SlowError):
                await late
        # The first runs still and keeps its place; the second waits no more.
        third = asyncio.create_task(ask([3]))
        await asyncio.sleep(0.05)
        work.go.set()
        assert await third == (6,)
        workers.close()

    asyncio.run(run())
    assert work.passes == [[0], [3]]
