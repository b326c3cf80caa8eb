"""What is refused at the declaration, in a sentence that names the metric and the way out."""

from __future__ import annotations

import itertools
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pytest

from telemetry import Counter, Gauge, Histogram, UpDownCounter
from telemetry.declaration import BUCKETS_AT_MOST
from telemetry.exposition import render
from telemetry.registry import declared
from tests.telemetry.labels import labels

NAMES: list[tuple[type[Any], str, str]] = [
    *(
        (Counter, name, "is not a metric name")
        for name in ("Orders", "orders.total", "1st", "", "a-b", "a b", "örders")
    ),
    (Gauge, "_private", "is not a metric name"),
    (Gauge, "things__open", "has underscores that would be lost"),
    (Gauge, "things_", "has underscores that would be lost"),
    (Counter, "orders", "orders is a counter, and Prometheus would call it orders_total: call it so"),
    (Gauge, "sent_total", "sent_total ends in _total, which is for counters: this is a gauge, so call it sent"),
    (Counter, "sent_total_total", "sent_total_total has the word total twice"),
    (Counter, "total_sent_total", "has the word total twice"),
    (UpDownCounter, "sent_total", "ends in _total"),
    (Histogram, "sent_total", "ends in _total"),
    (Gauge, "took_seconds_count", "took_seconds_count ends in _count, as the series of a histogram do"),
    (Gauge, "took_seconds_sum", "ends in _sum"),
    (Gauge, "took_seconds_bucket", "ends in _bucket"),
    (Gauge, "took_created", "ends in _created"),
    (Gauge, "up", "up is a name of Prometheus's own"),
    (Gauge, "target_info", "target_info is a name of Prometheus's own"),
    (Gauge, "scrape_duration_seconds", "is a name of Prometheus's own"),
    (Gauge, None, "None is not a metric name"),  # type: ignore[list-item]  # the test is about that
]


@pytest.mark.parametrize(("kind", "name", "problem"), NAMES)
def test_a_name_that_would_not_arrive_as_it_is_is_refused(kind: type[Any], name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        kind(name, "Things.")
    assert name not in declared


def test_a_gauge_may_keep_a_name_that_others_have_chosen() -> None:
    for name in ("things_total", "things_count"):
        gauge = Gauge(name, "How many there are.", unit="{thing}", named_like_a_counter=True)
        gauge.set(3)

        assert gauge.values() == {(): 3}


@pytest.mark.parametrize("description", [None, "", "  ", "\ud800", 5, b"Things."])
def test_help_that_cannot_be_written_is_refused(description: Any) -> None:
    with pytest.raises(ValueError, match=r"^things_total.* description"):
        Counter("things_total", description)


@pytest.mark.parametrize(
    ("kind", "name", "unit", "problem"),
    [
        (Gauge, "age", "s", "age has the unit s, so its name must end in _seconds"),
        (Counter, "time_total", "s", "so its name must end in _seconds"),
        (Gauge, "size", "By", "so its name must end in _bytes"),
        (Gauge, "size", None, "the unit None is none: write a UCUM unit"),
        (Gauge, "size", [], "the unit .. is none"),
        (Gauge, "size", "é", "the unit 'é' is none"),
    ],
)
def test_a_unit_that_the_name_does_not_say_is_refused(kind: type[Any], name: str, unit: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        kind(name, "Things.", unit=unit)


def test_a_unit_need_not_be_given() -> None:
    assert Gauge("level", "A level.").unit == ""
    assert Counter("busy_seconds_total", "Time.", unit="s").unit == "s"


@pytest.mark.parametrize("owner", [5, (5,), ("",), ["gateway"]])
def test_an_owner_that_is_no_name_is_refused(owner: Any) -> None:
    with pytest.raises(ValueError, match=r"level: the owner .* is neither the name of a service nor a tuple"):
        Gauge("level", "A level.", owner=owner)


BUCKETS: list[tuple[Any, str]] = [
    ((), "has no buckets"),
    (range(BUCKETS_AT_MOST + 1), "has more than 100 buckets"),
    ((1, 1), "must be finite and ascending"),
    ((2, 1), "must be finite and ascending"),
    ((1, math.inf), "must be finite and ascending"),
    ((math.nan,), "must be finite and ascending"),
    (("1",), "are not all numbers"),
    ((True,), "are not all numbers"),
    ((None,), "are not all numbers"),
    ((0.1, Decimal("0.1")), "must be finite and ascending"),
    ((1, 10**400), "must be finite and ascending"),
    ((1, Decimal("sNaN")), "must be finite and ascending"),
    ((-1, 1), "are for amounts below 0"),
    (itertools.count(), "has more than 100 buckets"),
    (None, "are no sequence of numbers"),
    (5, "are no sequence of numbers"),
]


@pytest.mark.parametrize(("buckets", "problem"), BUCKETS)
def test_buckets_must_be_ascending_finite_numbers(buckets: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^took_seconds.*{problem}"):
        Histogram("took_seconds", "Time.", unit="s", buckets=buckets)


def test_bounds_of_any_kind_of_number_become_numbers_of_python() -> None:
    bounds: Any = (Fraction(1, 4), Decimal("0.5"), 1)
    histogram = Histogram("took_seconds", "Time.", unit="s", buckets=bounds)

    assert list(histogram.buckets) == [0.25, 0.5, 1]
    assert re.findall('le="(.*?)"', histogram.write(histogram.snapshot().values())) == ["0.25", "0.5", "1", "+Inf"]


Thirty = Literal[
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
    "x", "y", "z", "0", "1", "2", "3",
]  # fmt: skip


@pytest.mark.parametrize("kind", [Counter, Histogram])
def test_a_declaration_that_would_show_very_many_series_is_refused(kind: type[Any]) -> None:
    many = labels(a=Thirty, b=Thirty, c=Thirty, d=Thirty)

    with pytest.raises(ValueError, match=r"would show 810,000 series before its first event \(30 x 30 x 30 x 30"):
        kind("things_total" if kind is Counter else "things", "Things.", many)
    assert Gauge("level", "A gauge shows none.", many).values() == {}


OWN = [
    (Gauge, "telemetry_series"), (Gauge, "telemetry_dropped_total"), (Counter, "telemetry_dropped_total"),
    (Gauge, "build_info"), (Gauge, "heartbeat_timestamp_seconds"), (Histogram, "dependency_ping_duration_seconds"),
    (UpDownCounter, "redis_connection_status"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), OWN)
def test_a_name_of_the_librarys_own_metrics_is_taken(kind: type[Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        kind(name, "Theirs.")

    assert render().decode().count(f"# TYPE {name} ") <= 1
