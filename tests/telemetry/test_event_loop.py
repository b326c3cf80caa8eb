"""The lag of the event loop: a blocked loop is seen, and the measurement is in nobody's way."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import re
import threading
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import telemetry
from telemetry import event_loop
from telemetry.catalogue import event_loop_lag_seconds
from telemetry.exposition import render
from telemetry.registry import process
from telemetry.testing import Recorded
from tests.telemetry.apart import apart
from tests.waiting import until


def lags() -> int:
    """How many times the lag was measured in this process."""
    return int(event_loop_lag_seconds.read(()) or 0)


def long_ones() -> int:
    """How many of them were over a quarter of a second."""
    [(counts, _)] = event_loop_lag_seconds.values().values()
    return sum(counts[event_loop_lag_seconds.buckets.index(0.25) + 1 :])


def seconds() -> float:
    [(_, total)] = event_loop_lag_seconds.values().values()
    return total


async def measured() -> None:
    """Measures the running loop until something was recorded."""
    event_loop.measure()
    before = lags()
    await until(lambda: lags() > before, "a lag is recorded")


async def test_a_loop_that_is_blocked_for_half_a_second_is_seen_once_and_as_long_as_it_was() -> None:
    await measured()
    long, before, total = long_ones(), lags(), seconds()

    time.sleep(0.5)

    await until(lambda: lags() > before, "the next lag is recorded")
    assert long_ones() == long + 1
    assert 0.44 < seconds() - total < 0.7


async def test_a_loop_that_is_free_has_next_to_no_lag() -> None:
    await measured()
    total, before = seconds(), lags()

    await until(lambda: lags() >= before + 5, "five lags are recorded")

    assert (seconds() - total) / (lags() - before) < 0.05


async def test_a_loop_is_measured_once_however_often_it_is_asked_for() -> None:
    for _ in range(20):
        event_loop.measure()
    began, before = time.monotonic(), lags()

    await until(lambda: lags() >= before + 5, "five lags are recorded")

    assert time.monotonic() - began >= 4 * event_loop.INTERVAL_SECONDS


def test_when_a_loop_ends_the_next_one_is_measured_and_nothing_of_the_first_is_left(recorded: Recorded) -> None:
    loops = []

    async def work() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await measured()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    for runs in (1, 2):
        asyncio.run(work())
        assert (recorded(event_loop_lag_seconds) or 0) >= runs
    gc.collect()

    assert [loop() for loop in loops] == [None, None]


def test_a_loop_that_was_left_open_is_not_kept_alive() -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(measured())
    ended = weakref.ref(loop)
    loop.close()
    del loop
    gc.collect()

    assert ended() is None


async def test_the_loops_of_several_threads_are_measured() -> None:
    await measured()
    done = threading.Event()

    def another() -> None:
        asyncio.run(measured())
        done.set()

    threading.Thread(target=another).start()

    await until(done.is_set, "the loop of the other thread is measured")


def test_without_a_running_loop_nothing_happens(recorded: Recorded) -> None:
    event_loop.measure()

    assert recorded(event_loop_lag_seconds) == 0


async def test_what_is_turned_off_does_not_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "disabled", True)

    event_loop.measure()

    assert asyncio.get_running_loop() not in event_loop._measured


class Request:
    """Something that a context holds."""


async def test_the_request_in_which_it_begins_is_not_kept() -> None:
    variable: contextvars.ContextVar[Request] = contextvars.ContextVar("request")
    kept: list[weakref.ref[Request]] = []

    async def request() -> None:
        one = Request()
        variable.set(one)
        kept.append(weakref.ref(one))
        await measured()

    await asyncio.create_task(request())

    await until(lambda: kept[0]() is None, "the request is gone", seconds=1)


def an_application_that_starts() -> dict[str, Any]:
    steps = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        steps.append("started")
        yield {"own": "state"}
        steps.append("ended")

    app = FastAPI(lifespan=lifespan)
    telemetry.init("somebody", app)

    async def serve() -> object:
        async with app.router.lifespan_context(app) as state:
            before = lags()
            await until(lambda: lags() > before, "a lag is recorded")
            return state

    return {"state": asyncio.run(serve()), "steps": steps}


def test_an_application_is_measured_from_its_start_and_keeps_its_own_lifespan() -> None:
    done = apart(an_application_that_starts)

    assert done.answer == {"state": {"own": "state"}, "steps": ["started", "ended"]}


def an_application_whose_server_does_not_tell_that_it_starts() -> int:
    app, other = FastAPI(), FastAPI()
    telemetry.init("somebody", app)
    telemetry.init("somebody", other)

    async def serve() -> int:
        for one in (app, other):
            async with httpx.AsyncClient(transport=httpx.ASGITransport(one), base_url="http://here") as client:
                await client.get("/metrics")
        began, before = time.monotonic(), lags()
        await until(lambda: lags() >= before + 5, "five lags are recorded")
        assert time.monotonic() - began >= 4 * event_loop.INTERVAL_SECONDS, "two applications are one measurement"
        return lags()

    return asyncio.run(serve())


def test_it_is_measured_from_the_first_scrape_at_the_latest_and_two_applications_of_one_loop_once() -> None:
    assert apart(an_application_whose_server_does_not_tell_that_it_starts).answer >= 5


def a_script_with_a_loop_of_its_own() -> int:
    async def main() -> int:
        telemetry.init("somebody")
        before = lags()
        await until(lambda: lags() > before, "a lag is recorded")
        return lags()

    return asyncio.run(main())


def test_without_an_application_the_loop_that_calls_init_is_measured() -> None:
    assert apart(a_script_with_a_loop_of_its_own, OTEL_EXPORTER_PROMETHEUS_PORT="0").answer >= 1


def a_loop_that_begins_after_init() -> list[str]:
    telemetry.init("somebody")

    async def main() -> None:
        await asyncio.sleep(3 * event_loop.INTERVAL_SECONDS)

    asyncio.run(main())
    return re.findall(r"^event_loop_lag_seconds_count .*", render().decode(), re.MULTILINE)


def test_a_loop_that_nobody_told_of_is_not_measured_and_the_count_says_so() -> None:
    done = apart(a_loop_that_begins_after_init, OTEL_EXPORTER_PROMETHEUS_PORT="0")

    assert done.answer == ["event_loop_lag_seconds_count 0"]


def test_a_real_service_measures_its_loop(client: httpx.Client) -> None:
    found = re.search(r"^event_loop_lag_seconds_count (\d+)$", client.get("/metrics").text, re.MULTILINE)

    assert found is not None
    assert int(found[1]) > 0
