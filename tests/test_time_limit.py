"""Calls that end in time, and budgets that grow with what comes."""

import threading
import time
from contextvars import ContextVar

import pytest

from naics_embed.time_limit import TimeBudget, TimeLimitError, call_within

WHO: ContextVar[str] = ContextVar('WHO', default='nobody')


def test_a_call_returns_or_raises_what_its_function_does():
    assert call_within(lambda: 42, lambda: 10.0) == 42
    with pytest.raises(TimeoutError, match="the function's own"):
        call_within(_late, lambda: 10.0)


def _late() -> None:
    raise TimeoutError("the function's own")


def test_a_call_that_takes_too_long_is_given_up():
    ended = threading.Event()
    start = time.monotonic()
    with pytest.raises(TimeLimitError):
        call_within(lambda: ended.wait(30), TimeBudget(0.2, 'limit').left)
    assert time.monotonic() - start < 5
    ended.set()


def test_nothing_is_called_where_no_time_is_left():
    with pytest.raises(TimeLimitError):
        call_within(lambda: pytest.fail('it was called'), lambda: 0.0)


def test_a_budget_that_grows_meanwhile_counts():
    budget = TimeBudget(0.3, 'limit', least_rate=10.0)

    def work() -> str:
        for _ in range(5):
            time.sleep(0.1)
            budget.received(2)
        return 'done'

    assert call_within(work, budget.left) == 'done'


def test_what_comes_adds_time_only_where_there_is_a_rate():
    fixed, growing = TimeBudget(5.0, 'a'), TimeBudget(5.0, 'b', least_rate=100.0)
    for budget in (fixed, growing):
        budget.received(1000)
    assert fixed.left() <= 5.0
    assert 14.0 < growing.left() <= 15.0
    assert str(growing) == 'within 5 s (b)'


def test_a_call_has_the_context_of_its_caller():
    WHO.set('caller')
    assert call_within(WHO.get, lambda: 10.0) == 'caller'
