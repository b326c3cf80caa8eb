"""Which records counters, gauges and histograms take, which they drop, and what they show."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics
from opentelemetry.metrics import Observation, _Gauge

from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter
from telemetry.attributes import OTHER
from telemetry.catalogue import telemetry_dropped_total
from telemetry.registry import declared, process
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide, BySymbol, BySymbolAndSide, Side, labels


class Raising:
    """Claims to be a number, but raises when it is converted."""

    def __float__(self) -> float:
        raise ZeroDivisionError


def named(value: object) -> str:
    """The id of a case. No address in memory: each process that shares the work must collect the same ids."""
    return re.sub(r" at 0x\w+", "", repr(value))


class RaisingAttributes(Mapping[str, str]):
    """A mapping whose methods raise."""

    def __getitem__(self, name: str) -> str:
        raise ConnectionError

    def __iter__(self) -> Iterator[str]:
        raise ConnectionError

    def __len__(self) -> int:
        return 2


NOT_NUMBERS: list[Any] = [
    None,
    "1",
    b"1",
    True,
    False,
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    -(10**400),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e400"),
    1j,
    [1],
    object(),
    Raising(),
]
NUMBERS: list[tuple[Any, float]] = [
    (3, 3),
    (2.5, 2.5),
    (Decimal("0.1"), 0.1),
    (Fraction(1, 4), 0.25),
    (2**63, 2.0**63),
    (0, 0),
]

Record = Callable[[Any, Any], None]


def recorders() -> dict[str, tuple[Record, Callable[[], Mapping[Any, Any]]]]:
    """One instrument of each kind, with the attributes symbol and side: how to record, and how to read its values."""
    counter = Counter("things_total", "Things.", BySymbolAndSide, unit="{thing}")
    up_down = UpDownCounter("things_open", "Things.", BySymbolAndSide, unit="{thing}")
    gauge = Gauge("things_current", "Things.", BySymbolAndSide, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", BySymbolAndSide, unit="s")
    return {
        counter.name: (counter.add, counter.values),
        up_down.name: (up_down.add, up_down.values),
        gauge.name: (gauge.set, gauge.values),
        histogram.name: (histogram.record, histogram.values),
    }


@pytest.mark.parametrize("amount", NOT_NUMBERS, ids=named)
@pytest.mark.parametrize("name", ["things_total", "things_open", "things_current", "things_seconds"])
def test_what_is_not_a_finite_number_is_dropped_and_counted(name: str, amount: object, dropped: Drops) -> None:
    record, values = recorders()[name]

    record(amount, {"symbol": "AAPL", "side": "buy"})

    assert dropped(name) == {"not_a_number": 1}
    assert values() == {}


@pytest.mark.parametrize(("amount", "taken"), NUMBERS, ids=named)
def test_every_real_number_is_taken(amount: Any, taken: float, dropped: Drops) -> None:
    for name, (record, values) in recorders().items():
        record(amount, {"symbol": "AAPL", "side": "buy"})

        held = values()["AAPL", "buy"]
        assert (held[1] if name == "things_seconds" else held) == taken
        assert dropped(name) == {}


def test_integers_stay_exact_beyond_what_a_float_can_hold() -> None:
    counter = Counter("things_total", "Things.", unit="{thing}")

    counter.add(2**53)
    counter.add(1)

    assert counter.values() == {(): 2**53 + 1}


def test_a_counter_and_a_histogram_drop_negative_amounts(dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", unit="s")
    up_down = UpDownCounter("things_open", "Things.", unit="{thing}")
    gauge = Gauge("things_current", "Things.", unit="{thing}")

    for amount in (-1, -0.5, Decimal("-0.01")):
        counter.add(amount)
        histogram.record(amount)
        up_down.add(amount)
        gauge.set(amount)

    assert dropped("things_total") == dropped("things_seconds") == {"negative": 3}
    assert counter.values() == {(): 0}
    assert histogram.values() == {(): ([0] * 15, 0)}
    assert up_down.values() == {(): -1.51}
    assert gauge.values() == {(): -0.01}


def test_a_sum_never_becomes_infinite(dropped: Drops) -> None:
    counter = Counter("things_total", "Things.", unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", unit="s")

    for _ in range(2):
        counter.add(1.5e308)
        histogram.record(1.5e308)

    assert counter.values() == {(): 1.5e308}
    assert histogram.values() == {(): ([0] * 14 + [1], 1.5e308)}
    assert dropped("things_total") == dropped("things_seconds") == {"not_a_number": 1}


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


def test_a_counter_with_closed_attributes_starts_at_zero_when_it_is_declared() -> None:
    counter = Counter("things_total", "Things.", labels(side=Side, ok=bool), unit="{thing}")

    assert counter.values() == {(side, ok): 0 for side in ("buy", "sell") for ok in ("false", "true")}


def test_a_counter_with_open_attributes_starts_at_zero_when_its_values_are_known() -> None:
    symbol = Open()
    by_symbol = labels(symbol=Annotated[str, symbol])
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol], side=Side), unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", by_symbol, unit="s", buckets=(1,))
    assert counter.values() == {}

    counter.add(2, {"symbol": "stranger", "side": "buy"})
    symbol.know(["AAPL"])

    assert counter.values() == {("stranger", "buy"): 2, ("AAPL", "buy"): 0, ("AAPL", "sell"): 0}
    assert histogram.values() == {("AAPL",): ([0, 0], 0)}
    later = Counter("later_total", "Declared after its values were known.", by_symbol, unit="{thing}")
    assert later.values() == {("AAPL",): 0}


def test_calling_know_again_does_not_reset_a_counter() -> None:
    symbol = Open()
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")
    symbol.know(["AAPL"])
    counter.add(3, {"symbol": "AAPL"})

    symbol.know(["AAPL", "MSFT"])

    assert counter.values() == {("AAPL",): 3, ("MSFT",): 0}


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


def test_a_known_value_has_its_own_series_even_above_the_limit() -> None:
    symbol = Open(limit=1)
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol]), unit="{thing}")
    counter.add(1, {"symbol": "stranger"})

    symbol.know(["AAPL", "MSFT"])
    for value in ("AAPL", "MSFT", "stranger", "other"):
        counter.add(1, {"symbol": value})

    assert counter.values() == {("AAPL",): 1, ("MSFT",): 1, ("stranger",): 2, (OTHER,): 1}


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


def test_labels_with_too_many_known_values_are_shown_when_they_come(caplog: pytest.LogCaptureFixture) -> None:
    symbol = Open()
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, symbol], side=Side), unit="{thing}")

    symbol.know(f"S{number}" for number in range(2501))
    counter.add(1, {"symbol": "S1", "side": "buy"})

    assert counter.values() == {("S1", "buy"): 1}
    assert "things_total does not show its series before their first event: 5,000 is the most" in caplog.text


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


def test_a_histogram_counts_by_buckets_whose_bounds_are_inclusive() -> None:
    histogram = Histogram("things_seconds", "Things.", unit="s", buckets=(0.1, 1, 10))

    for amount in (0, 0.1, 0.10001, 1, 10, 10.1):
        histogram.record(amount)

    counts, total = histogram.values()[()]
    assert counts == [2, 2, 1, 1]
    assert total == pytest.approx(21.30001)


def test_one_declaration_that_is_executed_twice_is_one_metric() -> None:
    first, again = (
        Counter("things_total", "Things.", labels(symbol=Annotated[str, Open()]), unit="{thing}") for _ in range(2)
    )

    first.add(1, {"symbol": "AAPL"})
    again.add(2, {"symbol": "AAPL"})

    assert first is again
    assert first.values() == {("AAPL",): 3}


def test_values_that_are_announced_in_the_module_that_was_executed_again_are_known() -> None:
    one, other = Open(), Open()
    counter = Counter("things_total", "Things.", labels(symbol=Annotated[str, one]), unit="{thing}")
    one.know(["AAPL"])
    other.know(["MSFT"])
    Counter("things_total", "Things.", labels(symbol=Annotated[str, other]), unit="{thing}")

    other.know(["XOM"])

    assert counter.values() == {("AAPL",): 0, ("MSFT",): 0, ("XOM",): 0}


OTHERS: list[tuple[Callable[[], object], str]] = [
    (lambda: UpDownCounter("things", "Things.", BySide, unit="{thing}"), "kind"),
    (lambda: Gauge("things", "Other things.", BySide, unit="{thing}"), "description"),
    (lambda: Gauge("things", "Things.", BySide, unit="1"), "unit"),
    (lambda: Gauge("things", "Things.", BySide, unit="{thing}", owner="gateway"), "owner"),
    (lambda: Gauge("things", "Things.", unit="{thing}"), "set of labels"),
    (lambda: Gauge("things", "Things.", labels(side=Literal["buy"]), unit="{thing}"), "set of labels"),
    (lambda: Gauge("things", "Things!", BySymbol, unit="{thing}"), "description and set of labels"),
]


@pytest.mark.parametrize(("declare", "difference"), OTHERS)
def test_another_declaration_of_a_name_is_refused_and_the_first_one_stays(
    declare: Callable[[], object], difference: str
) -> None:
    first = Gauge("things", "Things.", BySide, unit="{thing}")

    with pytest.raises(ValueError, match=f"things is declared twice, with a different {difference}: give one of them"):
        declare()

    assert declared["things"] is first


def test_other_buckets_are_another_declaration() -> None:
    Histogram("took_seconds", "Time.", unit="s", buckets=(1, 2))

    with pytest.raises(ValueError, match="took_seconds is declared twice, with a different set of buckets"):
        Histogram("took_seconds", "Time.", unit="s", buckets=(1, 3))


def test_a_refused_declaration_leaves_nothing_behind() -> None:
    symbol = Open()
    with pytest.raises(ValueError, match="finite and ascending"):
        Histogram("took_seconds", "Time.", labels(symbol=Annotated[str, symbol]), unit="s", buckets=(2, 1))

    symbol.know(["AAPL"])

    assert "took_seconds" not in declared


def test_a_metric_says_in_a_debugger_what_it_is() -> None:
    assert repr(Counter("things_total", "Things.", BySymbolAndSide)) == (
        "<Counter things_total{symbol: Open(limit=100), side: buy | sell}>"
    )
    assert repr(Gauge("things", "Things.")) == "<Gauge things{}>"


def test_each_kind_is_a_subclass_of_the_opentelemetry_api() -> None:
    assert issubclass(Counter, metrics.Counter)
    assert issubclass(UpDownCounter, metrics.UpDownCounter)
    assert issubclass(Histogram, metrics.Histogram)
    assert issubclass(Gauge, _Gauge)


def test_eight_threads_lose_nothing() -> None:
    counter = Counter("things_total", "Things.", BySymbol, unit="{thing}")
    histogram = Histogram("things_seconds", "Things.", unit="s", buckets=(1, 3))

    def work(number: int) -> None:
        for step in range(10_000):
            counter.add(1, {"symbol": f"S{(number + step) % 3}"})
            histogram.record(step % 4)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counter.values().values()) == 80_000
    assert histogram.values() == {(): ([40_000, 40_000, 0], 120_000)}


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
