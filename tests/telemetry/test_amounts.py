"""Amounts: each number is taken as it is, and what is none is dropped and counted."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from telemetry import Counter, Gauge, Histogram, UpDownCounter
from tests.telemetry.conftest import Drops
from tests.telemetry.odd import named, recorders


class Raising:
    """Claims to be a number, but raises when it is converted."""

    def __float__(self) -> float:
        raise ZeroDivisionError


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


def test_a_sum_that_does_not_fit_into_64_bits_is_a_float() -> None:
    counter = Counter("big_total", "Big numbers.", unit="{thing}")
    for _ in range(3):
        counter.add(2**62)

    assert counter.values() == {(): 3 * 2.0**62}
    assert isinstance(counter.values()[()], float)


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
