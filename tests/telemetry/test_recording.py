"""The quick way of a record: what it takes, what it leaves to the slow way, and that nothing gets out of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry import Counter, Gauge, Histogram, UpDownCounter
from telemetry.exposition import render
from telemetry.provider import Provider
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide
from tests.telemetry.provided import made_by, shown

BUY: Any = {"side": "buy"}


class Seven:
    """It says that it is an int, as a proxy of one does. What it is added to becomes a text."""

    def __init__(self, claimed: type) -> None:
        self.claimed = claimed

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.claimed

    def __ge__(self, other: object) -> bool:
        return True

    def __le__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return False

    def __radd__(self, other: object) -> str:
        return "7 and\nmore"

    def __float__(self) -> float:
        return 7.0


KINDS = ("counter", "up_down", "gauge", "histogram", "made counter", "made up_down", "made gauge", "made histogram")
Records = dict[str, Callable[[Any, Any], None]]


def records(provider: Provider) -> Records:
    """One instrument of each kind, declared, bound and made: how to record."""
    counter = Counter("letters_total", "Letters.", BySide)
    up_down = UpDownCounter("letters_open", "Letters.", BySide)
    gauge = Gauge("letters_waiting", "Letters.", BySide)
    histogram = Histogram("letter_grams", "Weights.", BySide, unit="g", buckets=(10,))
    bound, bound_histogram, bound_gauge = counter.bind(BUY), histogram.bind(BUY), gauge.bind(BUY)
    meter = provider.get_meter("x")
    return {
        "counter": counter.add,
        "up_down": up_down.add,
        "gauge": gauge.set,
        "histogram": histogram.record,
        "bound counter": lambda amount, _: bound.add(amount),
        "bound histogram": lambda amount, _: bound_histogram.record(amount),
        "bound gauge": lambda amount, _: bound_gauge.set(amount),
        "made counter": meter.create_counter("made_counter").add,
        "made up_down": meter.create_up_down_counter("made_up_down").add,
        "made gauge": meter.create_gauge("made_gauge").set,
        "made histogram": meter.create_histogram("made_histogram").record,
    }


@pytest.mark.parametrize("claimed", [int, float])
def test_an_amount_that_only_says_it_is_a_number_is_taken_as_the_number_that_it_converts_to(claimed: type) -> None:
    provider = Provider()
    for record in records(provider).values():
        for _ in range(2):
            record(1, BUY)  # now the quick way is open
            record(Seven(claimed), BUY)

    values = {f"{name} {labels}": value for (name, labels), value in shown(render(provider=provider)).items()}

    buy = frozenset({("side", "buy")})
    sums = {"letters_total": 32, "letters_open": 16, "letter_grams_sum": 32, "letter_grams_count": 8}
    made = {"made_counter_total": 16, "made_up_down": 16, "made_histogram_sum": 16, "made_histogram_count": 4}
    for name, value in {**sums, **made, "letters_waiting": 7, "made_gauge": 7}.items():
        assert values[f"{name} {buy}"] == value, name


class Named(type):
    """Its classes raise when their name is read."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise LookupError


class Nameless(Exception, metaclass=Named):
    """An error whose class has no name."""


class Failing(dict[str, str]):
    """Attributes that cannot be read."""

    def __contains__(self, name: object) -> bool:
        raise Nameless

    def items(self) -> Any:
        raise Nameless


def test_an_error_whose_class_raises_when_it_is_named_stays_inside(dropped: Drops) -> None:
    provider = Provider()
    for what, record in records(provider).items():
        if "bound" not in what:
            record(1, Failing(side="buy"))

    assert dropped("letters_total") == dropped("letters_waiting") == {"unreadable": 1}
    assert dropped("letter_grams") == dropped("made_counter_total") == dropped("made_histogram") == {"unreadable": 1}


@pytest.fixture
def filter_that_raises() -> Iterator[None]:
    def refuse(_: logging.LogRecord) -> bool:
        raise LookupError

    logger = logging.getLogger("telemetry.drops")
    logger.addFilter(refuse)
    yield
    logger.removeFilter(refuse)


@pytest.mark.usefixtures("filter_that_raises")
def test_a_filter_of_logs_that_raises_costs_the_caller_nothing(dropped: Drops) -> None:
    for what, record in records(Provider()).items():
        record(None, BUY)
        assert "bound" in what or record("x", BUY) is None

    assert dropped("letters_total") == {"not_a_number": 3}
    assert dropped("made_gauge") == {"not_a_number": 2}


def nothing(*arguments: Any) -> None:
    """It needs as much of the stack as the quick way of a record."""


def at_each_depth(record: Callable[..., None], *arguments: Any) -> list[RecursionError]:
    """Records wrongly at each depth of the stack where a function can be called at all. Returns what is raised."""
    raised: list[RecursionError] = []

    def further() -> None:
        try:
            nothing(*arguments)
        except RecursionError:
            return
        try:
            record(*arguments)
        except RecursionError as error:
            raised.append(error)
        further()

    further()
    return raised


@pytest.mark.parametrize("what", KINDS)
def test_near_the_end_of_the_stack_a_record_raises_nothing(what: str) -> None:
    assert at_each_depth(records(Provider())[what], None, {"side": "new"}) == []


def test_near_the_end_of_the_stack_a_bound_record_raises_nothing_and_the_next_one_counts() -> None:
    counter = Counter("letters_total", "Letters.", BySide).bind(BUY)
    histogram = Histogram("letter_grams", "Weights.", BySide, unit="g", buckets=(10,)).bind(BUY)
    gauge = Gauge("letters_waiting", "Letters.", BySide)
    bound = gauge.bind(BUY)
    everything = (counter.add, None), (histogram.record, None), (bound.set, None), (bound.remove,), (gauge.remove, BUY)

    assert [at_each_depth(*each) for each in (*everything, (gauge.replace, {"a": 1}))] == [[]] * 6
    counter.add(2)
    histogram.record(3)

    values = shown(render(provider=Provider()))
    assert values["letters_total", frozenset({("side", "buy")})] == 2
    assert values["letter_grams_sum", frozenset({("side", "buy")})] == 3


def test_what_a_reader_collects_has_only_numbers() -> None:
    provider, reader = Provider(), InMemoryMetricReader()
    provider.add_metric_reader(reader)
    records(provider)["made counter"](Seven(int), {})
    records(provider)["made counter"](Seven(int), {})

    assert made_by(provider)["made_counter_total", frozenset()] == 14
    assert reader.get_metrics_data() is not None
