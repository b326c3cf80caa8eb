"""The limit of an open label: what counts, what makes room, and where the rest goes."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest

from telemetry import Counter, Gauge, Histogram, Open
from telemetry.attributes import OTHER
from telemetry.catalogue import telemetry_full_labels
from telemetry.collection import collect
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import Side, labels


@pytest.mark.parametrize("known", [(), ("A",)])
def test_above_the_limit_later_values_are_added_up_as_other(known: tuple[str, ...]) -> None:
    symbol = Open(limit=2)
    symbol.know(known)
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", labels(symbol=Annotated[str, symbol]), unit="s", buckets=(1,))

    for value in ("A", "B", "C", "D", "A"):
        counter.add(1, {"symbol": value})
        histogram.record(1, {"symbol": value})

    assert counter.values() == {("A",): 2, ("B",): 1, (OTHER,): 2}
    assert {key: sum(counts) for key, (counts, _) in histogram.values().items()} == counter.values()


def test_a_known_value_has_its_own_series_even_where_strangers_came_first() -> None:
    symbol = Open(limit=2)
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")
    counter.add(1, {"symbol": "stranger"})

    symbol.know(["AAPL", "MSFT"])
    for value in ("AAPL", "MSFT", "stranger", "other"):
        counter.add(1, {"symbol": value})

    assert counter.values() == {("AAPL",): 1, ("MSFT",): 1, ("stranger",): 2, (OTHER,): 1}


def test_no_more_values_are_known_than_the_limit_and_a_warning_says_so(caplog: pytest.LogCaptureFixture) -> None:
    symbol = Open(limit=2)
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")

    symbol.know(["AAPL"])
    symbol.know(["AAPL", "MSFT", "XOM", "KO"])
    symbol.know(["GE"])
    for value in ("AAPL", "XOM", "KO", "GE"):
        counter.add(1, {"symbol": value})

    assert symbol.known == ("AAPL", "MSFT")
    assert counter.values() == {("AAPL",): 1, ("MSFT",): 0, (OTHER,): 3}
    assert caplog.messages == [
        "2 values of a label were not announced, and count as __other__: 2 values are the most, and 100 characters"
    ]


def test_a_text_that_is_too_long_is_other(caplog: pytest.LogCaptureFixture) -> None:
    symbol = Open()
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol], side=Side), unit="{thing}")
    gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")

    symbol.know(["X" * 101, "A"])
    for length in (100, 101, 100_000):
        counter.add(1, {"symbol": "X" * length, "side": "buy"})
    gauge.replace({"Y" * 101: 1})

    assert symbol.known == ("A",)
    assert {key: value for key, value in counter.values().items() if value} == {
        ("X" * 100, "buy"): 1,
        (OTHER, "buy"): 2,
    }
    assert gauge.values() == {(OTHER,): 1}
    collect([counter, gauge])
    assert telemetry_full_labels.values() == {("things_total",): 1, ("things_current",): 1}


def test_the_limit_counts_for_each_metric() -> None:
    by_symbol = labels(symbol=Annotated[str, Open(limit=1)])
    one = Counter("one_total", "Things.", by_symbol, unit="{thing}")
    other = Counter("other_total", "Things.", by_symbol, unit="{thing}")

    one.add(1, {"symbol": "A"})
    other.add(1, {"symbol": "B"})

    assert (one.values(), other.values()) == ({("A",): 1}, {("B",): 1})


@pytest.mark.parametrize("wrong", [{"symbol": "X", "side": "hold"}, {"symbol": "X"}, {"symbol": "X", "side": b"buy"}])
def test_a_dropped_record_uses_up_nothing(wrong: Any, dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, Open(limit=3)], side=Side))

    for number in range(3):
        counter.add(1, {**wrong, "symbol": f"X{number}"})
        counter.add(math.nan, {"symbol": f"Y{number}", "side": "buy"})
        counter.add(-1, {"symbol": f"Z{number}", "side": "buy"})
    for good in ("A", "B", "C"):
        counter.add(1, {"symbol": good, "side": "buy"})

    assert counter.values() == {(good, "buy"): 1 for good in ("A", "B", "C")}
    assert sum(dropped("things_total").values()) == 9


def test_a_series_that_is_removed_or_replaced_makes_room_for_another() -> None:
    gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, Open(limit=2)]), unit="{thing}")
    for day in range(20):
        gauge.replace({f"A{day}": 1, f"B{day}": 2})
        assert gauge.values() == {(f"A{day}",): 1, (f"B{day}",): 2}

    gauge.remove({"symbol": "A19"})
    gauge.set(3, {"symbol": "C"})
    assert gauge.values() == {("B19",): 2, ("C",): 3}
    gauge.set(4, {"symbol": "D"})
    gauge.remove({"symbol": "nobody"})
    gauge.set(5, {"symbol": "E"})
    assert gauge.values() == {("B19",): 2, ("C",): 3, (OTHER,): 5}


def test_a_value_is_in_use_as_long_as_any_series_has_it() -> None:
    gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, Open(limit=1)], side=Side))
    gauge.set(1, {"symbol": "A", "side": "buy"})
    gauge.set(2, {"symbol": "A", "side": "sell"})

    gauge.remove({"symbol": "A", "side": "buy"})
    gauge.set(3, {"symbol": "B", "side": "buy"})
    assert gauge.values() == {("A", "sell"): 2, (OTHER, "buy"): 3}

    gauge.remove({"symbol": "A", "side": "sell"})
    gauge.set(4, {"symbol": "B", "side": "buy"})
    assert gauge.values() == {(OTHER, "buy"): 3, ("B", "buy"): 4}


def test_removing_a_series_that_is_not_there_makes_no_room() -> None:
    gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, Open(limit=1)], side=Side))
    gauge.set(1, {"symbol": "A", "side": "buy"})

    gauge.remove({"symbol": "A", "side": "sell"})
    gauge.set(2, {"symbol": "B", "side": "buy"})

    assert gauge.values() == {("A", "buy"): 1, (OTHER, "buy"): 2}


def test_a_metric_says_for_how_many_labels_it_has_no_room() -> None:
    both = labels(symbol=Annotated[str, Open(limit=1)], route=Annotated[str, Open(limit=1)], side=Side)
    counter = Counter("things_total", "Things.", both, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", labels(any_label=Annotated[str, Open(limit=1)]), unit="s")
    gauge = Gauge("things_current", "Things.", labels(symbol=Annotated[str, Open(limit=1)]), unit="{thing}")

    def full() -> dict[tuple[str, ...], int | float]:
        collect([counter, histogram, gauge])
        return telemetry_full_labels.values()

    counter.add(1, {"symbol": "A", "route": "/a", "side": Side.BUY})
    histogram.record(1, {"any_label": "A"})
    gauge.replace({"A": 1})
    assert full() == {}

    counter.add(1, {"symbol": "B", "route": "/a", "side": Side.BUY})
    histogram.record(1, {"any_label": "B"})
    gauge.replace({"A": 1, "B": 1})
    assert full() == {("things_total",): 1, ("things_seconds",): 1, ("things_current",): 1}

    counter.add(1, {"symbol": "C", "route": "/c", "side": Side.SELL})
    gauge.replace({"B": 1})
    assert full() == {("things_total",): 2, ("things_seconds",): 1}, "the gauge has room again"
