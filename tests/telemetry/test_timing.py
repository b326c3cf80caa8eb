"""Measuring how long blocks and functions take."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial

import pytest

from telemetry import Histogram
from telemetry.testing import Recorded
from tests.telemetry.labels import BySymbol


@pytest.fixture
def histogram(monkeypatch: pytest.MonkeyPatch) -> Histogram[BySymbol]:
    ticks = iter(range(100))
    monkeypatch.setattr("telemetry.timing.time.perf_counter", lambda: float(next(ticks)))
    return Histogram("things_seconds", "Things.", BySymbol, unit="s", buckets=(1, 2))


def test_a_block_is_timed_in_seconds(histogram: Histogram[BySymbol]) -> None:
    with histogram.time({"symbol": "AAPL"}):
        pass

    assert histogram.values() == {("AAPL",): ([1, 0, 0], 1.0)}


def test_a_block_that_raises_is_timed_and_its_error_is_raised(histogram: Histogram[BySymbol]) -> None:
    with pytest.raises(KeyError), histogram.time({"symbol": "AAPL"}):
        raise KeyError

    assert histogram.values() == {("AAPL",): ([1, 0, 0], 1.0)}


def test_a_function_is_timed_at_each_call_and_keeps_its_name_and_result(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
    def divide(one: int, by: int) -> float:
        """Divides."""
        return one / by

    assert divide(4, by=2) == 2
    with pytest.raises(ZeroDivisionError):
        divide(1, by=0)
    assert (divide.__name__, divide.__doc__) == ("divide", "Divides.")
    assert histogram.values() == {("AAPL",): ([2, 0, 0], 2.0)}


async def test_a_coroutine_is_timed_until_it_returns_or_raises(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
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

    assert histogram.values() == {("AAPL",): ([3, 0, 0], 3.0)}


def test_a_function_that_calls_itself_is_timed_each_time(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
    def countdown(number: int) -> None:
        if number:
            countdown(number - 1)

    countdown(2)

    # Three nested calls, which take 1, 3 and 5 ticks.
    assert histogram.values() == {("AAPL",): ([1, 0, 2], 9.0)}


def test_wrong_attributes_do_not_disturb_the_block(histogram: Histogram[BySymbol]) -> None:
    with histogram.time({"sid": "buy"}):  # type: ignore[typeddict-item, typeddict-unknown-key]
        done = True

    assert done
    assert histogram.values() == {}


def test_a_generator_is_timed_until_its_last_value(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
    def count() -> Generator[int, str, str]:
        heard = yield 1
        assert heard == "go on"
        yield 2
        return "done"

    counting = count()
    assert histogram.values() == {}
    assert next(counting) == 1
    assert histogram.values() == {}
    assert counting.send("go on") == 2
    with pytest.raises(StopIteration, match="done"):
        next(counting)
    assert inspect.isgeneratorfunction(count)
    assert histogram.values() == {("AAPL",): ([1, 0, 0], 1.0)}


def test_a_generator_that_is_closed_early_is_timed(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
    def count() -> Iterator[int]:
        yield from range(9)

    counting = count()
    next(counting)
    counting.close()  # type: ignore[attr-defined]

    assert histogram.values() == {("AAPL",): ([1, 0, 0], 1.0)}


async def test_an_async_generator_is_timed_until_its_last_value_and_is_closed(histogram: Histogram[BySymbol]) -> None:
    closed = []

    @histogram.time({"symbol": "AAPL"})
    async def count(to: int) -> AsyncIterator[int]:
        try:
            for number in range(to):
                yield number
        finally:
            closed.append(to)

    counting = count(3)
    assert await anext(counting) == 0
    assert histogram.values() == {}
    assert [number async for number in counting] == [1, 2]
    async with aclosing(count(9)) as another:  # type: ignore[type-var]
        await anext(another)
        assert histogram.values() == {("AAPL",): ([1, 0, 0], 1.0)}

    assert closed == [3, 9]
    assert histogram.values() == {("AAPL",): ([2, 0, 0], 2.0)}


async def test_of_a_context_manager_the_block_is_timed(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
    @contextmanager
    def opened(name: str) -> Iterator[str]:
        yield name

    @histogram.time({"symbol": "AAPL"})
    @asynccontextmanager
    async def opened_later(name: str) -> AsyncIterator[str]:
        yield name

    with opened("a") as name:
        assert (name, histogram.values()) == ("a", {})
    with pytest.raises(KeyError), opened("a"):
        raise KeyError
    async with opened_later("b") as name:
        assert name == "b"
    assert {key: sum(counts) for key, (counts, _) in histogram.values().items()} == {("AAPL",): 3}


async def test_partial_functions_and_what_returns_a_coroutine_are_timed(histogram: Histogram[BySymbol]) -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    timed = histogram.time({"symbol": "AAPL"})
    half = timed(partial(work, 1))
    later = timed(lambda: work(2))

    one, two = half(), later()
    assert histogram.values() == {}
    assert (await one, await two) == (1, 2)
    assert half.__name__ == "work"
    assert timed(partial(int, "7"))() == 7
    assert {key: sum(counts) for key, (counts, _) in histogram.values().items()} == {("AAPL",): 3}


def test_recorded_counts_a_histogram_from_the_beginning_of_the_test(recorded: Recorded) -> None:
    histogram = Histogram("things_seconds", "Things.", unit="s")

    with histogram.time():
        pass

    assert recorded(histogram) == 1


async def test_what_is_thrown_into_and_sent_to_an_async_generator_reaches_it(histogram: Histogram[BySymbol]) -> None:
    did = []

    @asynccontextmanager
    @histogram.time({"symbol": "AAPL"})
    async def session() -> AsyncIterator[int]:
        try:
            yield 1
        except ValueError:
            did.append("rollback")
            raise
        else:
            did.append("commit")

    @histogram.time({"symbol": "AAPL"})
    async def talk() -> AsyncGenerator[str, str]:
        heard = yield "hello"
        yield heard

    with pytest.raises(ValueError, match="the order failed"):
        async with session():
            raise ValueError("the order failed")
    async with session():
        pass
    talking = talk()
    assert (await anext(talking), await talking.asend("hi")) == ("hello", "hi")
    await talking.aclose()

    assert did == ["rollback", "commit"]
    assert {key: sum(counts) for key, (counts, _) in histogram.values().items()} == {("AAPL",): 3}


async def test_a_timed_context_manager_is_a_decorator_that_may_be_used_often(histogram: Histogram[BySymbol]) -> None:
    @histogram.time({"symbol": "AAPL"})
    @contextmanager
    def section() -> Iterator[None]:
        yield

    @histogram.time({"symbol": "AAPL"})
    @asynccontextmanager
    async def later() -> AsyncIterator[None]:
        yield

    @section()
    def work() -> int:
        return 1

    @later()
    async def work_later() -> int:
        return 2

    assert [work(), work(), await work_later(), await work_later()] == [1, 1, 2, 2]
    assert {key: sum(counts) for key, (counts, _) in histogram.values().items()} == {("AAPL",): 4}


def test_a_timer_may_be_nested_and_used_on_a_static_method(histogram: Histogram[BySymbol]) -> None:
    timer = histogram.time({"symbol": "AAPL"})

    class Desk:
        @histogram.time({"symbol": "AAPL"})
        @staticmethod
        def work() -> int:
            return 1

    with timer, timer:
        pass
    assert Desk.work() == Desk().work() == 1

    assert histogram.values() == {("AAPL",): ([3, 0, 1], 6.0)}
