"""Callbacks of watched gauges: what they may return, and that one that hangs or raises starves nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Annotated

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from telemetry import Counter, Gauge, Open
from telemetry.attributes import OTHER
from telemetry.callbacks import Caller
from telemetry.drops import Dropped, Reason
from telemetry.exposition import render
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import labels


def hung(caller: Caller, seconds: float) -> str:
    with pytest.raises(Dropped) as caught:
        caller.ask(seconds)
    assert caught.value.reason is Reason.CALLBACK_HANGS
    return str(caught.value)


def test_a_callback_that_hangs_is_waited_for_once_and_not_called_again_while_it_runs() -> None:
    go, calls = threading.Event(), []

    def hang() -> int:
        calls.append(1)
        go.wait()
        return len(calls)

    caller = Caller(hang)

    assert hung(caller, 0.05) == "its callback did not return within 0.05 s"
    began = time.monotonic()
    assert [hung(caller, 5) for _ in range(40)] == ["its callback still runs since an earlier scrape"] * 40
    assert time.monotonic() - began < 5
    assert len(calls) == 1
    go.set()
    answer = None
    while answer is None:
        try:
            answer = caller.ask(5)
        except Dropped:
            time.sleep(0.001)  # the first call has not ended yet
    assert answer == 2


class Odd(BaseException):
    """An error that is no `Exception`."""


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, Odd, GeneratorExit, KeyError])
def test_a_callback_may_raise_anything_and_costs_its_own_gauge_only(error: type[BaseException], dropped: Drops) -> None:
    def fail() -> float:
        raise error

    Gauge("bad", "A bad one.").watch(fail)
    Counter("good_total", "A good one.").add(2)

    text = render().decode()

    assert "good_total 2\n" in text
    assert "\nbad " not in text
    assert dropped("bad") == {"callback_failed": 1}


def test_a_callback_of_the_opentelemetry_api_is_taken() -> None:
    asked = []

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        asked.append(options)
        yield Observation(3)

    gauge = Gauge("level", "A level.")
    gauge.watch(observe)

    assert gauge.values() == {(): 3}
    assert [type(options) for options in asked] == [CallbackOptions]


def test_a_generator_that_raises_half_way_shows_nothing(dropped: Drops) -> None:
    def observe() -> Iterator[Observation]:
        yield Observation(3)
        raise KeyError

    gauge = Gauge("level", "A level.")
    gauge.watch(observe)

    assert gauge.values() == {}
    assert dropped("level") == {"callback_failed": 1}


def test_functions_of_c_that_take_nothing_are_callbacks_too() -> None:
    gauge = Gauge("time_seconds", "The time.", unit="s")
    gauge.watch(time.time)

    assert gauge.values()[()] == pytest.approx(time.time(), abs=5)


def test_what_a_callback_returns_is_bounded_by_the_limit_of_its_labels() -> None:
    gauge = Gauge("level", "A level.", labels(symbol=Annotated[str, Open(limit=2)]))
    gauge.set(0, {"symbol": "A"})
    gauge.watch(lambda: [Observation(number, {"symbol": f"S{number}"}) for number in range(200)])

    for _ in range(2):
        assert gauge.values() == {("A",): 0, ("S0",): 0, (OTHER,): 199}
