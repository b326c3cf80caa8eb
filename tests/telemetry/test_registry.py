"""A name is declared once, though its declaration may be executed twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest

from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter
from telemetry.registry import declared
from tests.telemetry.labels import BySide, BySymbol, labels


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


def counter(name: str) -> object:
    return Counter(name, "Things.")


def gauge(name: str) -> object:
    return Gauge(name, "Things.", named_like_a_counter=True)


def histogram(name: str) -> object:
    return Histogram(name, "Things.")


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ((histogram, "things"), (gauge, "things_count"), "things_count"),
        ((counter, "things_total"), (gauge, "things"), "things"),
        ((counter, "things_total"), (histogram, "things"), "things and things_created"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_name_that_would_be_written_for_two_metrics_is_refused(one: Any, other: Any, both: str, turned: bool) -> None:
    (declare_first, first), (declare, second) = (other, one) if turned else (one, other)
    declare_first(first)

    with pytest.raises(
        ValueError, match=f"^{second} would be confused with {first}, .*: both have the name {both} in an answer"
    ):
        declare(second)

    assert first in declared
    assert second not in declared


def test_names_that_are_only_alike_are_taken() -> None:
    for declare, name in (
        (gauge, "things_total"),
        (gauge, "things"),
        (histogram, "sizes"),
        (counter, "sizes_sent_total"),
    ):
        declare(name)

        assert name in declared


def test_a_refused_declaration_leaves_nothing_behind() -> None:
    symbol = Open()
    with pytest.raises(ValueError, match="finite and ascending"):
        Histogram("took_seconds", "Time.", labels(symbol=Annotated[str, symbol]), unit="s", buckets=(2, 1))

    symbol.know(["AAPL"])

    assert "took_seconds" not in declared


def test_the_name_of_what_shows_the_resource_in_openmetrics_is_refused() -> None:
    with pytest.raises(ValueError, match="has the attributes of the resource"):
        Gauge("target", "Target.")
