"""What the services have in common: timers that go on, background work that does not end silently, and /health."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import Field
from pydantic_settings import BaseSettings

import telemetry
from apps.service import add_health, background, every, load
from tests.waiting import until


async def test_a_timer_goes_on_after_a_failure_and_says_what_failed(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise KeyError("a gauge")

    task = asyncio.create_task(every(0.001, work))
    await until(lambda: calls >= 3, "three calls")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert "work: KeyError: 'a gauge'" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("broken"), None])
async def test_background_work_that_ends_takes_the_service_down(
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
    assert f"background work ended: {error}" in caplog.text


async def test_background_work_is_cancelled_at_the_end_and_that_is_no_failure(
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


@dataclass
class Probe:
    """What /health asks of a probe."""

    up: bool | None


def asked(app: FastAPI) -> Awaitable[httpx.Response]:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")
    return client.get("/health")


@pytest.mark.parametrize(
    ("redis", "database", "more", "status"),
    [
        (True, True, {}, 200),
        (True, True, {"ready": True}, 200),
        (True, True, {"ready": False}, 503),
        (False, True, {}, 503),
        (True, False, {}, 503),
        (None, None, {}, 503),  # not asked yet
        (True, True, {"replay_finished": False}, 200),
    ],
)
async def test_health_is_200_when_everything_that_is_needed_is_there(
    redis: bool | None, database: bool | None, more: dict[str, object], status: int
) -> None:
    app = FastAPI()
    add_health(
        app,
        "a-service",
        cast(telemetry.RedisProbe, Probe(redis)),
        cast(telemetry.DatabaseProbe, Probe(database)),
        lambda: more,
    )

    answer = await asked(app)

    expected: dict[str, Any] = {
        "service": "a-service",
        "status": "ok" if status == 200 else "unavailable",
        "redis": bool(redis),
        "database": bool(database),
        **more,
    }
    assert (answer.status_code, answer.json()) == (status, expected)


def test_a_wrong_setting_ends_the_process_with_a_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Needs(BaseSettings):
        speed: float = Field(default=1, gt=0)

    monkeypatch.setenv("SPEED", "0")

    with pytest.raises(SystemExit, match=r"^SPEED=0: Input should be greater than 0$"):
        load(Needs)
