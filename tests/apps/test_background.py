"""Background work continues after a failure, logs it once, and never ends without a log message."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
import redis

from apps.background import AWAY, REASONS, STREAKS_A_MINUTE, Duty, Refusal, background, every
from apps.database import Unusable
from tests.waiting import until

logger = logging.getLogger("a.service")


@pytest.fixture(autouse=True)
def everything_is_heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield


async def test_repeated_work_continues_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise KeyError("a gauge")

    task = asyncio.create_task(every(0.001, Duty("setting a gauge", logger), work))
    await until(lambda: calls >= 3, "three calls")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [record.getMessage() for record in caplog.records] == ["setting a gauge fails: KeyError: 'a gauge'"]


class Failing:
    """Work that raises the next of these errors at each call, or nothing if it is None."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)

    async def __call__(self) -> None:
        error = self.errors.pop(0)
        if error is not None:
            raise error


def test_a_detail_is_logged_and_does_not_make_a_reason_another_one(caplog: pytest.LogCaptureFixture) -> None:
    duty = Duty("booking", logger)
    for detail in ("of AAPL", "of XOM"):
        duty.failed("refused", detail=detail)

    assert [record.getMessage() for record in caplog.records] == ["booking fails: refused (of AAPL)"]


async def said(caplog: pytest.LogCaptureFixture, *errors: Exception | None) -> list[tuple[str, str]]:
    """Level and text of what a duty logs when its work has these results, one after the other."""
    duty, work = Duty("booking", logger), Failing(*errors)
    succeeded = [await duty.attempt(work) for _ in errors]
    assert succeeded == [error is None for error in errors]
    return [(record.levelname, record.getMessage()) for record in caplog.records]


async def test_a_duty_that_works_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert await said(caplog, None, None) == []


async def test_each_reason_is_logged_once_and_then_that_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused, late = ConnectionRefusedError("no route"), TimeoutError()

    lines = await said(caplog, refused, late, refused, late, None, None, refused)

    again = lines.pop(2)
    assert lines == [
        ("WARNING", "booking fails: ConnectionRefusedError: no route"),
        ("WARNING", "booking fails: TimeoutError"),
        ("WARNING", "booking fails: ConnectionRefusedError: no route"),
    ]
    assert again[0] == "INFO"
    assert again[1].startswith("booking works again, after 4 failures in 0.")


async def test_reasons_that_differ_only_in_numbers_count_as_the_same(caplog: pytest.LogCaptureFixture) -> None:
    lines = await said(caplog, OSError("port 40001"), OSError("port 40002"))

    assert lines == [("WARNING", "booking fails: OSError: port 40001")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<Pool at 0x7fb1c0>", "<Pool at 0x12ee0a>"),
        ("order 3f2b8c1e-9d41-4e8c-a7c2-51d7e0a9b3f4", "order a0000000-0000-4000-8000-00000000000b"),
        ("object deadbeef1", "object 1feedface"),
    ],
)
async def test_reasons_that_differ_only_in_an_id_count_as_the_same(
    caplog: pytest.LogCaptureFixture, one: str, other: str
) -> None:
    assert len(await said(caplog, OSError(one), OSError(other))) == 1


async def test_reasons_without_end_are_not_logged_without_end(caplog: pytest.LogCaptureFixture) -> None:
    reasons = [OSError("x" * number) for number in range(100)]

    assert len(await said(caplog, *reasons)) == REASONS


async def test_of_work_that_fails_and_works_in_turn_a_few_lines_a_minute_are_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("apps.background.time.monotonic", lambda: clock[0])
    duty, work = Duty("booking", logger), Failing(*[OSError("away"), None] * 11)
    for _ in range(20):
        await duty.attempt(work)
    assert len(caplog.records) == 2 * STREAKS_A_MINUTE

    clock[0] += 60
    for _ in range(2):
        await duty.attempt(work)

    assert [record.getMessage() for record in caplog.records[2 * STREAKS_A_MINUTE :]] == [
        "booking fails: OSError: away (5 earlier times it failed and worked again)",
        "booking works again, after 1 failure in 0.0 s",
    ]


@pytest.mark.parametrize(
    "error",
    [OSError(), TimeoutError(), asyncpg.InterfaceError("closed"), redis.ConnectionError(), httpx.ReadTimeout("slow")],
)
async def test_an_unavailable_dependency_is_logged_without_a_traceback(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    await said(caplog, error)

    assert isinstance(error, AWAY) is not isinstance(error, httpx.HTTPError)
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


async def test_a_refusal_is_logged_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    class NotToday(Refusal):
        pass

    assert await said(caplog, NotToday("try tomorrow")) == [("WARNING", "booking fails: NotToday: try tomorrow")]
    assert caplog.records[0].exc_info is None


async def test_an_error_of_ours_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    await said(caplog, ZeroDivisionError("ours"))

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "in __call__" in caplog.text


async def test_a_cancellation_from_outside_is_not_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(Duty("booking", logger).attempt(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert caplog.text == ""


async def test_a_cancellation_from_within_is_a_failure_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    assert await Duty("booking", logger).attempt(work) is False

    assert "booking fails: RuntimeError: the work was cancelled from within" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("broken"), None])
async def test_background_work_that_ends_early_ends_the_service(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))

    async def work() -> None:
        await asyncio.sleep(0)
        if error is not None:
            raise error

    async with background(work()):
        await until(lambda: bool(killed), "the end")

    assert killed == [(os.getpid(), signal.SIGTERM)]
    assert f"background work ended, and so does the service: {error}" in caplog.text


async def test_what_cannot_be_used_ends_the_service_with_a_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))

    async def work() -> None:
        raise Unusable("run `make clean-data`")

    async with background(work()):
        await until(lambda: bool(killed), "the end")

    (record,) = caplog.records
    assert record.getMessage() == "background work ended, and so does the service: run `make clean-data`"
    assert record.exc_info is None


async def test_background_work_is_cancelled_at_the_end_and_that_is_not_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("nothing went wrong"))
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async with background(work()):
        await asyncio.sleep(0)

    assert ended == ["work"]
    assert caplog.text == ""


async def test_work_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("nothing went wrong"))
    lost: list[int] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append(1)

    async def nested() -> None:
        async with background(work()):
            await asyncio.Event().wait()

    async with asyncio.timeout(3), background(nested()):
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert len(lost) == 2
