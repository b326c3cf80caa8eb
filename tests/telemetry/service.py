"""A small service, and what it shows."""

from __future__ import annotations

import asyncio

import httpx
from fastapi import FastAPI
from opentelemetry import trace

import telemetry
from apps.labels import PlacementLabels
from apps.vocabulary import PlacementStatus, Side
from tests.telemetry.test_exposition import Series

ORDER = PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)


def get(app: FastAPI, *paths: str, **headers: str) -> list[httpx.Response]:
    """Sends the requests to the application without a server."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://here"
        ) as client:
            return [await client.get(path, headers=headers) for path in paths]

    return asyncio.run(ask())


def small_app() -> FastAPI:
    app = FastAPI()

    @app.get("/health")
    @app.get("/metrics/more")
    @app.get("/orders/{order_id}")
    async def answer(order_id: int = 0) -> int:
        return order_id

    return app


def values(series: Series, name: str, **labels: str) -> list[float]:
    """The values of the series that have this name and at least these labels."""
    return [value for (sample, have), value in series.items() if sample == name and labels.items() <= set(have)]


def spans_for_nobody() -> float:
    telemetry.init("execution_gateway")
    for _ in range(100):
        with trace.get_tracer("test").start_as_current_span("work"):
            pass
    return 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
