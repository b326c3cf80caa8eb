"""A scrape of a service: what it waits for, and what it shows."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
from fastapi import FastAPI

import telemetry
from apps.catalogue import orders_total
from tests.telemetry.apart import apart
from tests.telemetry.service import ORDER, get, small_app, values
from tests.telemetry.test_exposition import parsed


def a_user_of_prometheus_client() -> str:
    import prometheus_client

    prometheus_client.Counter("their_jobs_total", "Jobs.").inc(4)
    prometheus_client.Gauge("orders_total_x", "Theirs.").set(1)
    prometheus_client.Counter("orders_total", "A name of ours.").inc(40)
    app = small_app()
    telemetry.init("execution_gateway", app)
    orders_total.add(2, ORDER)
    return get(app, "/metrics")[0].text


def test_what_prometheus_client_records_is_shown_too_unless_its_name_is_ours() -> None:
    done = apart(a_user_of_prometheus_client)
    series = parsed(done.answer.encode())

    assert values(series, "their_jobs_total") == [4]
    assert values(series, "orders_total", **ORDER) == [2]
    assert len(values(series, "process_cpu_seconds_total")) == 1
    assert "orders_total was also recorded by another library; that one is left out" in done.log


def a_service_whose_threads_are_all_busy() -> float:
    app, go, busy = FastAPI(), threading.Event(), threading.Semaphore(0)

    @app.get("/blocked")
    def blocked() -> None:
        busy.release()
        go.wait(20)

    telemetry.init("execution_gateway", app)

    async def ask() -> float:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://here", timeout=30
        ) as client:
            waiting = [asyncio.create_task(client.get("/blocked")) for _ in range(60)]
            for _ in range(40):  # as many threads as an application has
                await asyncio.to_thread(busy.acquire)
            began = time.monotonic()
            answers = [(await client.get("/metrics")).status_code, (await client.head("/metrics")).status_code]
            took = time.monotonic() - began
            go.set()
            await asyncio.gather(*waiting)
            assert answers == [200, 200]
            return took

    return asyncio.run(ask())


def test_a_scrape_does_not_wait_for_the_threads_of_the_application() -> None:
    assert apart(a_service_whose_threads_are_all_busy).answer < 5


def a_service_with_a_callback_that_hangs() -> dict[str, Any]:
    app, go, calls = FastAPI(), threading.Event(), []

    @app.get("/work")
    def work() -> int:
        return 7

    def hang() -> int:
        calls.append(1)
        go.wait()
        return 1

    telemetry.init("execution_gateway", app)
    telemetry.Gauge("level", "A level.").watch(hang)

    async def ask() -> dict[str, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", timeout=30) as client:
            scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(40)]
            texts = [(await asyncio.wait_for(scrape, 15)).text for scrape in scrapes]
            worked = (await asyncio.wait_for(client.get("/work"), 5)).json()
            later = (await client.get("/metrics")).text
            called = len(calls)
            go.set()
            return {"work": worked, "calls": called, "shown": sum("heartbeat" in text for text in texts), "text": later}

    return asyncio.run(ask())


def test_a_callback_that_hangs_starves_neither_scrapes_nor_endpoints_and_is_counted() -> None:
    answer = apart(a_service_with_a_callback_that_hangs).answer
    series = parsed(answer["text"].encode())

    assert (answer["work"], answer["calls"], answer["shown"]) == (7, 1, 40)
    assert values(series, "telemetry_dropped_total", metric="level", reason="callback_hangs")[0] >= 1
    assert values(series, "level") == []
