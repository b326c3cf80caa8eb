"""Gauges: values that are set, replaced, watched, or gone."""

from __future__ import annotations

import itertools
import math
import threading
from decimal import Decimal
from typing import Annotated, Any

import pytest
from opentelemetry.metrics import Observation

from telemetry import Gauge, Open
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide, BySymbol, Side, labels
from tests.telemetry.odd import RaisingAttributes, named


def test_a_gauge_shows_nothing_before_it_is_set() -> None:
    assert Gauge("things_current", "Things.", unit="{thing}").values() == {}
    assert Gauge("sides_current", "Things.", BySide, unit="{thing}").values() == {}


def test_a_removed_series_is_gone_and_can_come_back(dropped: Drops) -> None:
    gauge = Gauge("things_current", "Things.", BySide, unit="{thing}")
    gauge.set(1, {"side": Side.BUY})
    gauge.set(2, {"side": Side.SELL})

    gauge.remove({"side": Side.BUY})
    gauge.remove({"side": Side.BUY})
    assert gauge.values() == {("sell",): 2}

    gauge.set(3, {"side": Side.BUY})
    assert gauge.values() == {("sell",): 2, ("buy",): 3}
    wrong: Any
    for wrong in ({"side": "hold"}, {}, 5):
        gauge.remove(wrong)
    assert dropped("things_current") == {"undeclared_value": 1, "missing_attribute": 1, "unreadable": 1}


def test_replace_sets_the_given_series_and_removes_the_others(dropped: Drops) -> None:
    gauge = Gauge("things_current", "Things.", BySymbol, unit="{thing}")
    gauge.replace({"AAPL": 1, "MSFT": 2})

    gauge.replace({"MSFT": Decimal("2.5"), "XOM": math.nan})

    assert gauge.values() == {("MSFT",): 2.5}
    assert dropped("things_current") == {"not_a_number": 1}
    gauge.replace({})
    assert gauge.values() == {}


@pytest.mark.parametrize("values", [None, 5, [("AAPL", 1)], RaisingAttributes()], ids=named)
def test_replace_with_something_unreadable_changes_nothing(values: Any, dropped: Drops) -> None:
    gauge = Gauge("things_current", "Things.", BySymbol, unit="{thing}")
    gauge.replace({"AAPL": 1})

    gauge.replace(values)

    assert gauge.values() == {("AAPL",): 1}
    assert dropped("things_current") == {"unreadable": 1}


def test_a_reader_sees_the_old_series_or_the_new_ones_and_never_a_mix() -> None:
    gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, Open(limit=1000)]), unit="{thing}")
    names = [f"S{number}" for number in range(200)]
    gauge.replace(dict.fromkeys(names, 0))
    done = threading.Event()

    def write() -> None:
        for generation in range(1, 300):
            gauge.replace(dict.fromkeys(names, generation))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert len(set(gauge.values().values())) == 1
        assert len(gauge.values()) == 200
    writer.join()


def test_a_watched_gauge_calls_its_callback_when_it_is_read() -> None:
    answers = iter([Decimal(1), Decimal("2.5"), Decimal("0.5")])
    gauge = Gauge("things_current", "Things.", unit="{thing}")
    gauge.watch(lambda: next(answers))

    assert [gauge.values()[()] for _ in range(3)] == [1, 2.5, 0.5]


def test_a_callback_may_return_observations(dropped: Drops) -> None:
    gauge = Gauge("things_current", "Things.", BySide, unit="{thing}")
    gauge.watch(lambda: [Observation(1, {"side": "buy"}), Observation(2, {"side": "hold"})])

    assert gauge.values() == {("buy",): 1}
    assert dropped("things_current") == {"undeclared_value": 1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "not_a_number"),
        (True, "not_a_number"),
        (math.nan, "not_a_number"),
        ("text", "callback_failed"),
        ([5], "callback_failed"),
    ],
)
def test_a_bad_answer_of_a_callback_is_counted_and_not_shown(answer: Any, reason: str, dropped: Drops) -> None:
    gauge = Gauge("things_current", "Things.", unit="{thing}")
    gauge.watch(lambda: answer)

    assert gauge.values() == {}
    assert dropped("things_current") == {reason: 1}


def test_an_error_in_a_callback_is_counted_and_nothing_is_shown(dropped: Drops) -> None:
    def fail() -> float:
        raise ConnectionError("gone")

    gauge = Gauge("things_current", "Things.", unit="{thing}")
    gauge.watch(fail)

    assert gauge.values() == {}
    assert dropped("things_current") == {"callback_failed": 1}


@pytest.mark.parametrize("options", [False, True])
def test_a_callback_whose_observations_have_no_end_has_failed(options: bool, dropped: Drops) -> None:
    gauge = Gauge("level", "Level.")
    gauge.set(1)
    gauge.watch((lambda _: itertools.repeat(Observation(1))) if options else lambda: itertools.repeat(Observation(1)))

    assert gauge.values() == {(): 1}
    assert dropped("level") == {"callback_failed": 1}
