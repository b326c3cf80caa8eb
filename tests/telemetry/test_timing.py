"""Measuring how long blocks and functions take."""

from __future__ import annotations

import asyncio

import pytest

from telemetry import Attribute, Histogram
from telemetry.testing import Recorded


@pytest.fixture
def histogram(monkeypatch: pytest.MonkeyPatch) -> Histogram:
    ticks = iter(range(100))
    monkeypatch.setattr("telemetry.timing.time.perf_counter", lambda: float(next(ticks)))
    return Histogram("things_seconds", "Things.", unit="s", attributes=(Attribute("side"),), buckets=(1, 2))


def test_a_block_is_timed_in_seconds(histogram: Histogram) -> None:
    with histogram.time({"side": "buy"}):
        pass

    assert histogram.values() == {("buy",): ([1, 0, 0], 1.0)}


def test_a_block_that_raises_is_timed_and_its_error_is_raised(histogram: Histogram) -> None:
    with pytest.raises(KeyError), histogram.time({"side": "buy"}):
        raise KeyError

    assert histogram.values() == {("buy",): ([1, 0, 0], 1.0)}


def test_a_function_is_timed_at_each_call_and_keeps_its_name_and_result(histogram: Histogram) -> None:
    @histogram.time({"side": "buy"})
    def divide(one: int, by: int) -> float:
        """Divides."""
        return one / by

    assert divide(4, by=2) == 2
    with pytest.raises(ZeroDivisionError):
        divide(1, by=0)
    assert (divide.__name__, divide.__doc__) == ("divide", "Divides.")
    assert histogram.values() == {("buy",): ([2, 0, 0], 2.0)}


async def test_a_coroutine_is_timed_until_it_returns_or_raises(histogram: Histogram) -> None:
    @histogram.time({"side": "buy"})
    async def work(fail: bool) -> str:
        await asyncio.sleep(0)
        if fail:
            raise KeyError
        return "done"

    assert asyncio.iscoroutinefunction(work)
    assert await work(False) == "done"
    with pytest.raises(KeyError):
        await work(True)
    task = asyncio.create_task(work(False))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert histogram.values() == {("buy",): ([3, 0, 0], 3.0)}


def test_a_function_that_calls_itself_is_timed_each_time(histogram: Histogram) -> None:
    @histogram.time({"side": "buy"})
    def countdown(number: int) -> None:
        if number:
            countdown(number - 1)

    countdown(2)

    # Three nested calls, which take 1, 3 and 5 ticks.
    assert histogram.values() == {("buy",): ([1, 0, 2], 9.0)}


def test_wrong_attributes_do_not_disturb_the_block(histogram: Histogram) -> None:
    with histogram.time({"sid": "buy"}):
        done = True

    assert done
    assert histogram.values() == {}


def test_recorded_counts_a_histogram_from_the_beginning_of_the_test(recorded: Recorded) -> None:
    histogram = Histogram("things_seconds", "Things.", unit="s")

    with histogram.time():
        pass

    assert recorded(histogram) == 1
