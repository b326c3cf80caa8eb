"""Instruments whose callbacks are asked: sums of what they say, and answers that have no end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.made import SERIES_AT_MOST
from telemetry.observable import OBSERVED_AT_MOST
from telemetry.provider import Provider
from tests.telemetry.conftest import Drops
from tests.telemetry.provided import made_by, sent_by, values_of


def twice(_: CallbackOptions) -> list[Observation]:
    return [Observation(3, {"a": "x"}), Observation(4, {"a": "x"})]


def many(_: CallbackOptions) -> list[Observation]:
    return [Observation(1, {"a": at}) for at in range(3000)]


def make_all(meter: Meter, callback: Any) -> None:
    meter.create_observable_counter("counted", [callback])
    meter.create_observable_up_down_counter("open", [callback])
    meter.create_observable_gauge("level", [callback])


def test_observations_with_the_same_attributes_are_added_up_as_in_the_sdk() -> None:
    provider, reader = Provider(), InMemoryMetricReader()
    make_all(provider.get_meter("x"), twice)
    make_all(MeterProvider([reader]).get_meter("x"), twice)

    ours = {key[1]: value for key, value in sent_by(provider).items() if key[0] == "x"}
    theirs = {key[1]: value for key, value in values_of(reader.get_metrics_data()).items()}

    assert ours == theirs == {"counted": 7, "open": 7, "level": 4}
    assert {name: value for (name, _), value in made_by(provider).items()} == {
        "counted_total": 7,
        "open": 7,
        "level": 4,
    }, "each scrape begins anew"


def test_what_two_callbacks_say_of_one_series_is_added_up() -> None:
    provider = Provider()
    provider.get_meter("x").create_observable_counter("counted", [twice, lambda options: twice(options)])

    assert made_by(provider) == {("counted_total", frozenset({("a", "x")})): 14}


def test_a_sum_over_many_series_loses_nothing() -> None:
    provider = Provider()
    make_all(provider.get_meter("x"), many)

    for _ in range(2):
        values = made_by(provider)
        overflow = frozenset({("otel_metric_overflow", "true")})
        assert values["counted_total", overflow] == values["open", overflow] == 3000 - SERIES_AT_MOST
        assert sum(value for (name, _), value in values.items() if name == "counted_total") == 3000


def without_end() -> Iterator[Any]:
    while True:
        yield itertools.repeat(Observation(1))


@pytest.mark.parametrize(
    "callbacks",
    [
        [lambda _: itertools.repeat(Observation(1))],
        [lambda _: [Observation(1)] * (OBSERVED_AT_MOST + 1)],
        [without_end()],
    ],
    ids=["repeat", "too many", "generator"],
)
def test_what_has_no_end_has_failed_and_shows_nothing(callbacks: Any, dropped: Drops) -> None:
    provider = Provider()
    provider.get_meter("x").create_observable_gauge("level", callbacks)

    assert made_by(provider) == {}
    assert dropped("level") == {"callback_failed": 1}
