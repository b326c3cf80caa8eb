"""Series of one name: each is written once, and what cannot be told apart is left out and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as TheirCounter
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

from telemetry import Counter
from telemetry.exposition import render, target_info
from telemetry.provider import Provider
from telemetry.samples import END
from tests.telemetry.conftest import Drops
from tests.telemetry.provided import made_by, shown

read_openmetrics: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families


def series(**labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return "level", frozenset(labels.items())


def test_versions_of_one_library_are_told_apart_and_a_third_that_is_like_the_second_is_left_out(dropped: Drops) -> None:
    provider = Provider()
    for value, version in enumerate(("1", "2", "3")):
        provider.get_meter("lib", version).create_gauge("level").set(value)
    provider.get_meter("lib", "3", "https://example.com").create_gauge("level").set(9)

    assert made_by(provider) == {
        series(): 0,
        series(otel_scope_name="lib"): 1,
        series(otel_scope_name="lib", otel_scope_version="3"): 2,
    }
    assert dropped("level") == {"not_rendered": 1}


def test_a_third_instrument_of_one_name_does_not_replace_the_second(dropped: Drops) -> None:
    provider = Provider()
    for value, name in enumerate(("le.vel", "le_vel", "le-vel")):
        provider.get_meter("lib").create_gauge(name).set(value)

    found = {labels: value for (_, labels), value in made_by(provider).items()}
    assert found == {frozenset(): 0, frozenset({("otel_scope_name", "lib")}): 1}
    assert dropped("le_vel") == {"not_rendered": 1}


@pytest.mark.parametrize("given", [[{"a.x": 1}, {"a_x": 1}, {"a-x": 1}], [{}, {"a": ""}, {"b": ""}]])
def test_a_third_series_with_the_same_labels_does_not_replace_the_second(
    given: list[dict[str, Any]], dropped: Drops
) -> None:
    provider = Provider()
    for value, attributes in enumerate(given):
        provider.get_meter("lib").create_gauge("level").set(value, attributes)

    assert sorted(made_by(provider).values()) == [0, 1]
    assert dropped("level") == {"not_rendered": 1}


def test_a_library_without_a_name_is_not_told_apart_by_an_empty_label(dropped: Drops) -> None:
    provider = Provider()
    provider.get_meter("lib").create_gauge("level").set(1)
    provider.get_meter("").create_gauge("level").set(2)

    assert made_by(provider) == {series(): 1}
    assert dropped("level") == {"not_rendered": 1}
    assert b'=""' not in render(provider=provider, names=["level"])


def test_a_label_that_tells_apart_stands_in_its_order_so_that_no_series_is_written_twice(dropped: Drops) -> None:
    provider = Provider()
    for value, scope in enumerate(("a", "b")):
        provider.get_meter(scope).create_gauge("level").set(value, {"zone": "1"})
    provider.get_meter("c").create_gauge("level").set(9, {"zone": "1", "otel_scope_name": "b"})

    assert made_by(provider) == {series(zone="1"): 0, series(zone="1", otel_scope_name="b"): 1}
    assert dropped("level") == {"not_rendered": 1}


def test_counts_that_are_told_apart_in_the_same_way_are_added_up() -> None:
    provider = Provider()
    provider.get_meter("first").create_gauge("level").set(1)
    meter = provider.get_meter("other")
    for attributes in ({}, {"a": ""}):
        meter.create_up_down_counter("level").add(2, attributes)

    assert made_by(provider) == {series(): 1, series(otel_scope_name="other"): 4}


Make = Callable[[Any], object]
CLASHES: list[tuple[Make, Make, str]] = [
    (lambda m: m.create_counter("foo").add(1), lambda m: m.create_gauge("foo").set(1), "foo"),
    (lambda m: m.create_gauge("foo").set(1), lambda m: m.create_counter("foo").add(1), "foo_total"),
    (lambda m: m.create_histogram("foo").record(1), lambda m: m.create_counter("foo").add(1), "foo_total"),
    (lambda m: m.create_histogram("foo").record(1), lambda m: m.create_gauge("foo_created").set(1), "foo_created"),
    (lambda m: m.create_counter("foo").add(1), lambda m: m.create_gauge("foo_created").set(1), "foo_created"),
    (lambda m: Counter("foo_total", "Foo.").add(1), lambda m: m.create_gauge("foo").set(1), "foo"),
    (lambda m: None, lambda m: m.create_gauge("telemetry_series").set(1), "telemetry_series"),
    (lambda m: None, lambda m: m.create_gauge("telemetry_full_labels").set(1), "telemetry_full_labels"),
    (lambda m: None, lambda m: m.create_gauge("target_info").set(1), "target_info"),
    (lambda m: None, lambda m: m.create_gauge("target").set(1), "target"),
]


@pytest.mark.parametrize(("first", "second", "loses"), CLASHES, ids=lambda value: value if type(value) is str else "")
def test_two_metrics_that_are_one_in_openmetrics_are_not_both_written(
    first: Make, second: Make, loses: str, dropped: Drops
) -> None:
    provider = Provider()
    meter = provider.get_meter("lib")
    first(meter)
    second(meter)
    meter.create_counter("good").add(1)

    body = render(provider=provider, openmetrics=True) + target_info({"a": "b"}, openmetrics=True) + END
    families = {family.name for family in read_openmetrics(body.decode())}

    assert {"good", "target", "telemetry_series"} <= families
    assert dropped(loses) == {"not_rendered": 1}
    assert shown(render(provider=provider) + target_info({"a": "b"}))["good_total", frozenset()] == 1


def test_a_metric_of_prometheus_client_that_is_another_in_openmetrics_is_left_out() -> None:
    provider, registry = Provider(), CollectorRegistry()
    provider.get_meter("lib").create_gauge("foo").set(2)
    TheirCounter("foo", "Foo.", registry=registry).inc()
    TheirCounter("target", "Target.", registry=registry).inc()

    body = render(registry, provider=provider, openmetrics=True, reserved=["target", "target_info"])

    written = {(each.name, each.type) for each in read_openmetrics((body + END).decode())}
    assert ("foo", "gauge") in written
    assert written.isdisjoint({("foo", "counter"), ("target", "counter")})
