"""Lines that any client can cause are logged once a minute; every other event is logged each time."""

from __future__ import annotations

import logging

import pytest

from telemetry.repeats import CAUSED_BY_CLIENTS, Repeats


def event(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "x.py", 1, message, args, None)


@pytest.mark.parametrize(("name", "beginning"), CAUSED_BY_CLIENTS)
def test_such_a_line_is_logged_once_a_minute_and_then_says_how_often_it_was_not(
    name: str, beginning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 5.0
    monkeypatch.setattr("telemetry.repeats.time.monotonic", lambda: moment)
    repeats = Repeats()
    said = []
    for seconds in (0.0, 0.0, 30.0, 29.9, 0.1, 0.1, 60.0, 60.0):
        moment += seconds
        kept = repeats.kept(event(name, f"{beginning} 100 %s"))
        said.append(None if kept is None else kept.getMessage())

    line = f"{beginning} 100 %s"
    assert said == [
        *(line, None, None, None),
        *(f"{line} (3 earlier times it was not logged)", None),
        *(f"{line} (1 earlier times it was not logged)", line),
    ]


def test_lines_are_counted_apart_and_a_record_stays_as_it_was_for_other_handlers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moment = 5.0
    monkeypatch.setattr("telemetry.repeats.time.monotonic", lambda: moment)
    repeats = Repeats()
    for name, beginning in CAUSED_BY_CLIENTS:
        assert repeats.kept(event(name, beginning)) is not None
        assert repeats.kept(event(name, beginning)) is None
    moment += 60.0
    record = event(*CAUSED_BY_CLIENTS[0])

    assert repeats.kept(record) is not record
    assert record.getMessage() == "Invalid HTTP request received."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("apps.desk", "Invalid HTTP request received."),
        ("uvicorn.error", "Exception in ASGI application"),
        ("asyncio", "Task exception was never retrieved"),
        ("uvicorn.error", "Unsupported"),
    ],
)
def test_every_other_event_is_logged_each_time(name: str, message: str) -> None:
    repeats = Repeats()
    events = [event(name, message) for _ in range(3)]

    assert [repeats.kept(each) for each in events] == events


def test_a_message_that_is_no_text_is_logged() -> None:
    record = event("uvicorn.error", "")
    record.msg = RuntimeError("x")

    assert Repeats().kept(record) is record
