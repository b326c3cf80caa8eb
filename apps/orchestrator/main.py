"""Wires the orchestrator: its runs, their endpoint, telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from fastapi import FastAPI, Query

import telemetry
from apps.database import Database
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.orchestration import Orchestration
from apps.orchestrator.settings import Settings
from apps.orchestrator.storage import SCHEMA, last_runs
from apps.service import add_database_errors, add_health, background, every, load

settings = load(Settings)
database = Database(settings.database_url, SCHEMA)
# Our own services are never behind the proxy that the environment names for the world outside.
signals = SignalService(httpx.AsyncClient(base_url=settings.signal_service_url, timeout=3, trust_env=False))
gateway = ExecutionGateway(httpx.AsyncClient(base_url=settings.execution_gateway_url, timeout=5, trust_env=False))
orchestration = Orchestration(settings, database, signals, gateway)
redis_probe = telemetry.RedisProbe(settings.redis_url)
database_probe = telemetry.DatabaseProbe(settings.database_url)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Sessions are worked off as long as the service runs."""
    async with background(
        orchestration.follow_market(),
        every(5, orchestration.watch_dependencies),
        redis_probe.run(),
        database_probe.run(),
    ):
        yield
    await database.close()
    await signals.http.aclose()
    await gateway.http.aclose()
    telemetry.shutdown()


app = FastAPI(title="orchestrator", lifespan=lifespan)
telemetry.init("orchestrator", app)
add_health(app, "orchestrator", redis_probe, database_probe)
add_database_errors(app)


@app.get("/api/v1/runs")
async def runs(limit: Annotated[int, Query(gt=0, le=1000)] = 20) -> list[dict[str, object]]:
    """The last runs, newest first."""
    return await last_runs(database, limit)
