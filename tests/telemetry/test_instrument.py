"""What every kind of metric has in common: attributes, owners, bound metrics."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics
from opentelemetry.metrics import _Gauge

from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter
from telemetry.catalogue import telemetry_dropped_total
from telemetry.registry import declared, process
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide, BySymbol, BySymbolAndSide, Side, labels
from tests.telemetry.odd import RaisingAttributes, named, recorders

BAD_ATTRIBUTES: list[tuple[Any, str]] = [
    (None, "missing_attribute"),
    ({}, "missing_attribute"),
    ({"symbol": "AAPL"}, "missing_attribute"),
    ({"symbol": "AAPL", "sid": "buy"}, "missing_attribute"),
    ({"symbol": "AAPL", "side": "buy", "venue": "X"}, "undeclared_attribute"),
    ({"symbol": "AAPL", "side": "buy", 5: "X", "\ud800\n": "X"}, "undeclared_attribute"),
    ({"symbol": b"AAPL", "side": "buy"}, "not_text"),
    ({"symbol": None, "side": "buy"}, "not_text"),
    ({"symbol": "\ud800", "side": "buy"}, "not_text"),
    ({"symbol": "AAPL", "side": "hold"}, "undeclared_value"),
    ({"symbol": "AAPL", "side": "BUY"}, "undeclared_value"),
    ([("symbol", "AAPL"), ("side", "buy")], "unreadable"),
    ("symbol", "unreadable"),
    (5, "unreadable"),
    (RaisingAttributes(), "unreadable"),
]


@pytest.mark.parametrize(("attributes", "reason"), BAD_ATTRIBUTES, ids=named)
@pytest.mark.parametrize("name", ["things_total", "things_open", "things_current", "things_seconds"])
def test_wrong_attributes_are_dropped_and_counted_by_reason(
    name: str, attributes: Any, reason: str, dropped: Drops
) -> None:
    record, values = recorders()[name]

    record(1, attributes)

    assert dropped(name) == {reason: 1}
    assert values() == {}


@pytest.mark.parametrize("attributes", [5, "x", ["x"], {"x": "y"}, RaisingAttributes()], ids=named)
def test_a_metric_without_attributes_takes_none(attributes: Any, dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", unit="{thing}")

    counter.add(1, attributes)

    assert sum(dropped("things_total").values()) == 1
    assert counter.values() == {(): 0}


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(), st.complex_numbers()
)


@given(
    records=st.lists(
        st.tuples(anything, st.one_of(anything, st.dictionaries(st.sampled_from(["symbol", "side", "x"]), anything)))
    )
)
def test_every_record_is_either_taken_or_counted_as_dropped(records: list[tuple[Any, Any]]) -> None:
    declared.pop("things_seconds", None)
    histogram = Histogram("things_seconds", "Things.", BySymbol, unit="s")
    before = sum(count for (metric, _), count in telemetry_dropped_total.values().items() if metric == "things_seconds")

    for amount, attributes in records:
        histogram.record(amount, attributes)

    taken = sum(sum(counts) for counts, _ in histogram.values().values())
    after = sum(count for (metric, _), count in telemetry_dropped_total.values().items() if metric == "things_seconds")
    assert taken + after - before == len(records)


def test_a_metric_of_another_service_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch, dropped: Drops) -> None:
    foreign = Counter("things_total", "Things.", unit="{thing}", owner="gateway")
    foreign_gauge = Gauge("things_current", "Things.", BySide, unit="{thing}", owner="gateway")
    everybodys = Counter("all_total", "Things.", unit="{thing}")
    monkeypatch.setattr(process, "service", "orchestrator")

    foreign.add(1)
    foreign_gauge.set(1, {"side": Side.BUY})
    foreign_gauge.replace({"buy": 1})
    everybodys.add(1)

    assert not foreign.is_exposed()
    assert foreign.values() == {(): 0}
    assert foreign_gauge.values() == {}
    assert dropped("things_total") == {"not_owned": 1}
    assert dropped("things_current") == {"not_owned": 2}
    assert everybodys.values() == {(): 1}
    monkeypatch.setattr(process, "service", "gateway")
    foreign.add(1)
    assert foreign.values() == {(): 1}


def test_a_metric_says_in_a_debugger_what_it_is() -> None:
    assert repr(Counter("things_total", "Things.", BySymbolAndSide)) == (
        "<Counter things_total{symbol: Open(limit=100), side: buy | sell}>"
    )
    assert repr(Gauge("level", "A level.")) == "<Gauge level{}>"


def test_each_kind_is_a_subclass_of_the_opentelemetry_api() -> None:
    assert issubclass(Counter, metrics.Counter)
    assert issubclass(UpDownCounter, metrics.UpDownCounter)
    assert issubclass(Histogram, metrics.Histogram)
    assert issubclass(Gauge, _Gauge)


def test_nothing_is_recorded_or_counted_when_telemetry_is_off(monkeypatch: pytest.MonkeyPatch, dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", unit="{thing}")
    monkeypatch.setattr(process, "disabled", True)

    counter.add(1)
    counter.add(math.nan)

    assert counter.values() == {(): 0}
    assert dropped("things_total") == {}


def test_a_metric_may_belong_to_several_services(monkeypatch: pytest.MonkeyPatch, dropped: Drops) -> None:
    shared = Counter("things_total", "Things.", unit="{thing}", owner=("gateway", "orchestrator"))
    for service in ("gateway", "orchestrator", "signals"):
        monkeypatch.setattr(process, "service", service)
        shared.add(1)

    assert shared.values() == {(): 2}
    assert dropped("things_total") == {"not_owned": 1}


def test_a_metric_that_is_bound_to_its_labels_records_as_the_metric_does(dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", BySymbolAndSide, unit="{thing}")
    up_down = UpDownCounter("things_open", "Things.", BySide, unit="{thing}")
    gauge = Gauge("things_current", "Things.", BySide, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", BySide, unit="s", buckets=(1,))
    bound = counter.bind({"symbol": "AAPL", "side": Side.BUY})
    assert counter.values() == {}

    bound.add(2)
    counter.add(3, {"symbol": "AAPL", "side": Side.BUY})
    bound.add(-1)
    up_down.bind({"side": Side.BUY}).add(-4)
    level = gauge.bind({"side": Side.BUY})
    level.set(5)
    assert gauge.values() == {("buy",): 5}
    level.remove()
    buys = histogram.bind({"side": Side.BUY})
    buys.record(0.5)
    with buys.time():
        pass

    assert counter.values() == {("AAPL", "buy"): 5}
    assert up_down.values() == {("buy",): -4, ("sell",): 0}
    assert gauge.values() == {}
    assert sum(histogram.values()["buy",][0]) == 2
    assert dropped("things_total") == {"negative": 1}


@pytest.mark.parametrize(("attributes", "reason"), BAD_ATTRIBUTES, ids=named)
def test_a_metric_that_is_bound_to_wrong_labels_drops_and_counts_each_record(
    attributes: Any, reason: str, dropped: Drops
) -> None:
    counter = Counter("things_total", "Things.", BySymbolAndSide, unit="{thing}")
    bound = counter.bind(attributes)

    bound.add(1)
    bound.add(1)

    assert counter.values() == {}
    assert dropped("things_total") == {reason: 2}


def test_a_record_takes_what_the_api_allows_and_confuses_none_of_it(dropped: Drops) -> None:
    counter = Counter("calls_total", "Calls.", labels(code=Annotated[Any, Open()]))

    for value in (200, True, 1, 1.0, 1.5, ["a", "b"], ("a", "b")):
        counter.add(1, {"code": value})
        counter.bind({"code": value}).add(1)

    assert counter.values() == {
        ("200",): 2, ("true",): 2, ("1",): 2, ("1.0",): 2, ("1.5",): 2, ('["a", "b"]',): 4
    }  # fmt: skip
    assert dropped("calls_total") == {}
