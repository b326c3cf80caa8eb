"""How long the event loop of a service stalls while /metrics is scraped once a second.

    python -m tests.benchmarks.stall [SECONDS]

The same service with the same series: unscraped, scraped with our /metrics, and with prometheus_client's. They run
one after the other, each in a process that measures how late a task of its loop is that wakes each millisecond.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from typing import Annotated, Literal, TypedDict

import httpx
import prometheus_client
import uvicorn
from fastapi import FastAPI

import telemetry
from telemetry import Open
from tests.documents import ROOT
from tests.services import free_port
from tests.waiting import wait_until

SECONDS = 15
SIZES: tuple[tuple[str, int], ...] = (
    ("counters", 10_000),
    ("histograms", 10_000),
    ("counters", 100_000),
    ("histograms", 100_000),
)
SIDES = ("unscraped", "ours", "prometheus_client")


class ThingLabels(TypedDict):
    """Many things."""

    thing: Annotated[str, Open(limit=200_000)]
    side: Literal["buy"]


def main(seconds: float) -> int:
    """Measures, and prints a table."""
    print("| series | side | 99.9th percentile, ms | most, ms | a scrape, ms |\n|---|---|---|---|---|")
    for kind, number in SIZES:
        for side in SIDES:
            print(f"| {number:,} {kind} | {side} | {_measured(kind, number, side, seconds)} |", flush=True)
    return 0


def _measured(kind: str, number: int, side: str, seconds: float) -> str:
    port = free_port()
    arguments = [sys.executable, "-m", "tests.benchmarks.stall", "serve", kind, str(number), side, str(port)]
    process = subprocess.Popen(arguments, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(url), 300, "it serves", every=0.5)
        httpx.get(f"{url}/lags", timeout=60)  # of the start
        took = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            if side != "unscraped":
                httpx.get(f"{url}/metrics/", timeout=60, follow_redirects=True).raise_for_status()
                took.append(time.monotonic() - began)
            time.sleep(max(0.0, began + 1 - time.monotonic()))
        lags = httpx.get(f"{url}/lags", timeout=60).json()
    finally:
        process.kill()
        process.wait()
    lags.sort()
    worst = f"{lags[int(len(lags) * 0.999)] * 1000:.1f} | {lags[-1] * 1000:.1f}"
    return f"{worst} | {sorted(took)[len(took) // 2] * 1000:.0f}" if took else f"{worst} | -"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/lags", timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def serve(kind: str, number: int, side: str, port: int) -> None:
    """One of the sides, which says at /lags how late its loop was since it was asked last."""
    app = FastAPI()
    lags: list[float] = []

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - began - 0.001)

    @app.get("/lags")
    async def said() -> list[float]:
        said, lags[:] = lags[:], []
        return said

    if side == "prometheus_client":
        app.mount("/metrics", prometheus_client.make_asgi_app())
        _fill_theirs(kind, number)
    else:
        telemetry.init("stall", app)
        _fill_ours(kind, number)
    gc.collect()
    gc.freeze()  # as a service does that cares for its latency
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))

    async def both() -> None:
        watching = asyncio.create_task(watch())
        await server.serve()
        watching.cancel()

    asyncio.run(both())


def _fill_ours(kind: str, number: int) -> None:
    if kind == "counters":
        counter = telemetry.Counter("things_total", "Things.", ThingLabels)
        for at in range(number):
            counter.add(1.5, {"thing": f"T{at}", "side": "buy"})
    else:
        histogram = telemetry.Histogram("things_seconds", "Things.", ThingLabels, unit="s")
        for at in range(number):
            histogram.record(0.3, {"thing": f"T{at}", "side": "buy"})


def _fill_theirs(kind: str, number: int) -> None:
    names = ("thing", "side")
    if kind == "counters":
        counter = prometheus_client.Counter("things", "Things.", names)
        for at in range(number):
            counter.labels(f"T{at}", "buy").inc(1.5)
    else:
        histogram = prometheus_client.Histogram("things_seconds", "Things.", names)
        for at in range(number):
            histogram.labels(f"T{at}", "buy").observe(0.3)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
