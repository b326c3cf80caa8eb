"""A wrong record is dropped, counted and logged."""

from __future__ import annotations

import logging

import pytest

from telemetry import Counter, drops
from telemetry.catalogue import telemetry_dropped_total
from telemetry.provider import Provider


def test_a_dropped_record_is_logged_once_a_minute_and_always_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("telemetry.drops.time.monotonic", lambda: clock[0])
    counter = Counter("things_total", "Things.", unit="{thing}")
    before = telemetry_dropped_total.values().get(("things_total", "negative"), 0)

    for clock[0] in (1000.0, 1001.0, 1059.9):
        counter.add(-1)
    assert [r.getMessage() for r in caplog.records] == [
        "a record of things_total was dropped (negative): -1 would make a counter go down"
    ]

    counter.add(None)  # type: ignore[call-overload]  # another reason is logged separately
    clock[0] = 1060.0
    counter.add(-1)

    assert len(caplog.records) == 3
    assert telemetry_dropped_total.values()["things_total", "negative"] - before == 4


def test_no_text_of_a_record_can_break_the_log(caplog: pytest.LogCaptureFixture) -> None:
    counter = Counter("things_total", "Things.", unit="{thing}")

    counter.add(1, {"a\nforged line": "x"})  # type: ignore[call-overload]

    assert "\n" not in caplog.records[0].getMessage()
    assert "'a\\nforged line' is not declared" in caplog.text


class Nameless(type):
    """The type of errors whose type has no name."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise ZeroDivisionError


class OddError(Exception, metaclass=Nameless):
    """An error that cannot say anything of itself."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def test_an_error_that_cannot_say_anything_is_said() -> None:
    assert drops.said(OddError()) == "a type without a name"
    assert drops.quoted(OddError()) == "an object of a type without a name"
    assert drops.said(KeyError("x")) == "KeyError: 'x'"


class Raising(logging.Filter):
    """A filter of an application, which raises."""

    def filter(self, record: logging.LogRecord) -> bool:
        raise ZeroDivisionError


def test_a_filter_of_the_log_that_raises_does_not_reach_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drops.logger, "filters", [Raising()])

    Counter("things_total", "Things.", unit="{thing}").add(-1)
    Provider().get_meter("").create_counter("!").add(1)

    assert telemetry_dropped_total.values()["things_total", "negative"] >= 1


def test_so_many_different_warnings_are_said_in_a_minute_and_no_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("telemetry.drops.time.monotonic", lambda: clock[0])

    for number in range(3000):
        drops.warn(("x", str(number)), f"warning {number}")
    assert [r.getMessage() for r in caplog.records] == [
        *(f"warning {number}" for number in range(1000)),
        "there are more than 1000 different warnings in a minute: not all are said",
    ]
    assert len(drops._last_said) <= 1001

    clock[0] = 1061.0
    drops.warn(("x", "3000"), "warning 3000")
    assert caplog.records[-1].getMessage() == "warning 3000"
    assert len(drops._last_said) == 1
