"""Attributes that are not declared: what they may be, how large, and that a cached cell is always the right one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.resources import Resource

from telemetry.collection import collect
from telemetry.made import ATTRIBUTES_AT_MOST, DEEPEST, ITEMS_AT_MOST, LONGEST_VALUE, TYPES_AT_MOST, Made, Scope, Series
from telemetry.names import LONGEST_NAME, label_name
from telemetry.otlp import together
from telemetry.provider import Provider
from telemetry.store import Cell
from telemetry.synchronous import MadeCounter
from tests.telemetry.conftest import Drops
from tests.telemetry.provided import made_by, sent_by


def made(provider: Provider) -> Made:
    [instrument] = provider.instruments.values()
    return instrument


def received(provider: Provider) -> ExportMetricsServiceRequest:
    """What a receiver reads of an export."""
    encoded = encode_metrics(together(Resource({}), collect([], list(provider.instruments.values())), 1))
    request = ExportMetricsServiceRequest()
    request.ParseFromString(encoded.SerializeToString())
    return request


def attributes_received(provider: Provider) -> list[Any]:
    [scope] = [scope for scope in received(provider).resource_metrics[0].scope_metrics if scope.scope.name == "x"]
    return [list(point.attributes) for metric in scope.metrics for point in metric.sum.data_points]


class Slow(MadeCounter):
    """While it makes a series, another thread changes the dict of the record."""

    given: dict[str, Any]

    def _new(self, series: Series) -> Cell:
        self.given["a"] = "later"
        return super()._new(series)


def test_what_is_remembered_are_the_attributes_that_were_read() -> None:
    counter = Slow("calls", "", "", Scope("x"))
    counter.given = {"a": "first"}

    counter.add(1, counter.given)
    for _ in range(2):
        counter.add(1000, {"a": "later"})
        counter.add(20, {"a": "first"})

    assert {series.attributes["a"]: value for value, series in counter.snapshot()} == {"first": 41, "later": 2000}


def nested(depth: int, inside: Any = 1) -> Any:
    for _ in range(depth):
        inside = [inside]
    return inside


def within(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"k": value}
    return value


@pytest.mark.parametrize("nest", [nested, within])
@pytest.mark.parametrize("depth", [DEEPEST + 1, 48, 60, 5000])
def test_an_attribute_that_is_too_deep_costs_its_record_alone(nest: Any, depth: int, dropped: Drops) -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    counter.add(1)
    counter.add(1, {"a": nest(depth)})
    counter.add(1, {"a": nest(DEEPEST)})

    assert dropped("calls_total") == {"not_text": 1}
    assert [len(attributes) for attributes in attributes_received(provider)] == [0, 1]


def test_an_attribute_of_a_library_that_is_too_deep_is_left_out() -> None:
    provider = Provider()
    provider.get_meter("x", attributes={"a": nested(60), "b": "kept"}).create_counter("calls").add(1)

    [scope] = [scope for scope in received(provider).resource_metrics[0].scope_metrics if scope.scope.name == "x"]
    assert [attribute.key for attribute in scope.scope.attributes] == ["b"]


class Endless(Sequence[int]):
    """It says that it has one item."""

    def __getitem__(self, at: Any) -> Any:
        return 1

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[int]:
        return itertools.repeat(1)


class EndlessMapping(Mapping[str, int]):
    """It says that it has one name."""

    def __getitem__(self, name: str) -> int:
        return 1

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return map(str, itertools.count())


def many(depth: int) -> Any:
    """A list of lists of lists, and so on, which are the same ones: small in memory, and huge when it is written."""
    value: Any = 1
    for _ in range(depth):
        value = [value] * 100
    return value


@pytest.mark.parametrize("value", [range(10**7), Endless(), EndlessMapping(), many(8), [0] * (ITEMS_AT_MOST + 1)])
def test_a_value_with_too_many_items_is_dropped_and_counted(value: Any, dropped: Drops) -> None:
    provider = Provider()
    provider.get_meter("x").create_counter("calls").add(1, {"a": value})

    assert dropped("calls_total") == {"not_text": 1}
    assert made_by(provider) == {}


@pytest.mark.parametrize("attributes", [EndlessMapping(), {str(at): 1 for at in range(ATTRIBUTES_AT_MOST + 1)}])
def test_too_many_attributes_are_dropped_and_counted(attributes: Any, dropped: Drops) -> None:
    provider = Provider()
    provider.get_meter("x").create_counter("calls").add(1, attributes)

    assert dropped("calls_total") == {"unreadable": 1}


def test_a_long_text_is_cut_and_said_and_its_record_counts(caplog: pytest.LogCaptureFixture, dropped: Drops) -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for end in ("a", "b", "c" * 1_000_000):
        counter.add(1, {"a": "x" * LONGEST_VALUE + end})

    assert made_by(provider) == {("calls_total", frozenset({("a", "x" * LONGEST_VALUE)})): 3}
    assert caplog.messages == ["a of calls_total is cut after 1,000 characters"]
    assert made(provider).cache == {}
    assert dropped("calls_total") == {}


@pytest.mark.parametrize(
    "attributes",
    [{"n" * (LONGEST_NAME + 1): 1}, {"a": ["x" * LONGEST_VALUE]}, {"a": b"x" * LONGEST_VALUE}, {"a": [1.5] * 500}],
)
def test_a_long_name_and_what_is_long_and_no_text_are_dropped(attributes: Any, dropped: Drops) -> None:
    provider = Provider()
    provider.get_meter("x").create_counter("calls").add(1, attributes)
    provider.get_meter("x").create_counter("calls").add(1, {"n" * LONGEST_NAME: "x" * LONGEST_VALUE})

    assert dropped("calls_total") == {"not_text": 1}
    assert len(made_by(provider)) == 1


def test_a_long_name_is_not_remembered() -> None:
    before = label_name.cache_info().currsize

    Provider().get_meter("x").create_histogram("took").record(1, {"n" * (LONGEST_NAME + 1): 1})

    assert label_name.cache_info().currsize == before


def test_the_cache_of_an_instrument_does_not_grow_with_types() -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for _ in range(100):
        counter.add(1, {"k": type("Own", (int,), {})(1)})
    for combination in itertools.product([1, 1.0, True], repeat=4):
        counter.add(1, {f"k{at}": value for at, value in enumerate(combination)})

    assert [len(cells) for cells in made(provider).cache.values()] == [TYPES_AT_MOST]
    assert len(made_by(provider)) == 1 + 3**4


@pytest.mark.parametrize("before", [None, {}])
@pytest.mark.parametrize("attributes", ["", 0, [], False, ()])
def test_wrong_attributes_are_dropped_whatever_came_before(before: Any, attributes: Any, dropped: Drops) -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    histogram = provider.get_meter("x").create_histogram("took")
    for _ in range(2):
        counter.add(1, attributes)
        histogram.record(1, attributes)
        counter.add(1, before)
        histogram.record(1, before)

    assert dropped("calls_total") == dropped("took") == {"unreadable": 2}
    assert made_by(provider)["calls_total", frozenset()] == made_by(provider)["took_count", frozenset()] == 2


def test_a_record_without_attributes_is_remembered() -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for _ in range(3):
        counter.add(1)

    assert list(made(provider).cache) == [()]
    assert made_by(provider) == {("calls_total", frozenset()): 3}


def test_zero_and_minus_zero_are_one_value() -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for value in (-0.0, 0.0, -0.0):
        counter.add(1, {"a": value})

    assert made_by(provider) == {("calls_total", frozenset({("a", "0.0")})): 3}


class Larger(int):
    """It converts to another number than it is."""

    def __int__(self) -> int:
        return 2**70


def test_a_number_that_converts_to_one_that_otlp_does_not_have_is_sent_as_text() -> None:
    provider = Provider()
    provider.get_meter("x").create_counter("calls").add(1, {"a": Larger(1)})

    [key] = [key for key in sent_by(provider) if key[1] == "calls"]
    assert key[4] == (("a", "str", str(2**70)),)
    assert received(provider)
