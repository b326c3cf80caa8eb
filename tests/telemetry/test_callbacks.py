"""Callbacks of watched gauges: what they may return, and that one that hangs or raises starves nobody."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from telemetry import Counter, Gauge, Open
from telemetry.attributes import OTHER
from telemetry.callbacks import Caller
from telemetry.drops import Dropped, Reason
from telemetry.exposition import render
from tests.telemetry.apart import apart
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import labels
from tests.waiting import wait_until


def hung(caller: Caller[int]) -> str:
    with pytest.raises(Dropped) as caught:
        caller.ask()
    assert caught.value.reason is Reason.CALLBACK_HANGS
    return str(caught.value)


def test_a_callback_that_hangs_is_waited_for_once_and_not_called_again_while_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("telemetry.callbacks.SECONDS", 0.05)
    go, calls = threading.Event(), []

    def hang() -> int:
        calls.append(1)
        go.wait()
        return len(calls)

    caller = Caller(hang)
    call = caller.start()

    assert [hung(caller) for _ in range(40)] == ["its callback did not return within 0.05 s"] * 40
    assert caller.start() is call
    assert len(calls) == 1
    go.set()
    wait_until(lambda: not call.runs, 5, "the first call ends")
    monkeypatch.setattr("telemetry.callbacks.SECONDS", 5)
    assert caller.ask() == 2


def a_process_whose_signals_scrape() -> int:
    """Scrapes in the main thread, which signals interrupt wherever it is, and whose handler scrapes, too."""
    caller, handled = Caller(lambda: 7), []

    def handle(*_: object) -> None:
        handled.append(caller.ask())

    signal.signal(signal.SIGALRM, handle)
    for number in range(2000):
        # Once each time, so that a slow machine is not interrupted in the handler again and again, without end.
        signal.setitimer(signal.ITIMER_REAL, 0.00001 + number % 50 * 0.000005)
        assert caller.ask() == 7
    signal.setitimer(signal.ITIMER_REAL, 0)
    return len(handled)


def test_a_scrape_in_the_handler_of_a_signal_does_not_wait_for_the_one_that_it_interrupts() -> None:
    assert apart(a_process_whose_signals_scrape).answer > 100


def test_a_callback_that_scrapes_does_not_wait_for_itself() -> None:
    def ask() -> str:
        try:
            return str(caller.ask())
        except Dropped as problem:
            return problem.reason

    caller: Caller[str] = Caller(ask)
    began = time.monotonic()

    assert caller.ask() == "callback_hangs"
    assert time.monotonic() - began < 0.9


def test_two_scrapes_at_once_share_one_call_and_both_show_its_answer(
    monkeypatch: pytest.MonkeyPatch, dropped: Drops
) -> None:
    scrapes: list[int] = []
    calls: list[int] = []

    def until_both_ask() -> int:
        calls.append(1)
        wait_until(lambda: len(scrapes) == 2, 5, "both scrapes ask", every=0.001)
        return 7

    gauge = Gauge("level", "A level.")
    gauge.watch(until_both_ask)
    assert gauge._caller is not None
    start, seen = gauge._caller.start, []
    monkeypatch.setattr("telemetry.callbacks.SECONDS", 5)

    def counted() -> Any:
        call = start()
        scrapes.append(1)
        return call

    monkeypatch.setattr(gauge._caller, "start", counted)
    threads = [threading.Thread(target=lambda: seen.append(gauge.values())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [{(): 7}, {(): 7}]
    assert calls == [1]
    assert dropped("level") == {}


def test_the_callbacks_of_a_scrape_run_side_by_side(dropped: Drops) -> None:
    all_at_once = threading.Barrier(8, timeout=5)
    for number in range(8):
        Gauge(f"level{number}", "A level.").watch(lambda: 1 + 0 * all_at_once.wait())

    text = render().decode()

    assert text.count("\nlevel") == 8
    assert dropped("level0") == {}


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


class Unsayable(Exception):
    """An error whose text raises."""

    def __str__(self) -> str:
        raise SystemExit


class OddObservation:
    """Looks like an observation, and raises when it is read."""

    attributes = None

    @property
    def value(self) -> int:
        raise asyncio.CancelledError


def test_an_error_whose_text_raises_and_an_observation_that_raises_cost_their_gauge_only(dropped: Drops) -> None:
    def fail() -> int:
        raise Unsayable

    Gauge("bad", "A bad one.").watch(fail)
    Gauge("odd", "An odd one.").watch(lambda: [OddObservation()])  # type: ignore[arg-type]
    Counter("good_total", "A good one.").add(2)

    assert "good_total 2\n" in render().decode()
    assert dropped("bad") == dropped("odd") == {"callback_failed": 1}
