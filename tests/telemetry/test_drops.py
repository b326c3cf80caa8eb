"""A wrong record is dropped, counted and logged."""

from __future__ import annotations

import pytest

from telemetry import Counter
from telemetry.catalogue import telemetry_dropped_total


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
