"""Builds the FastAPI application of the orchestrator: its runs, the endpoint and telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

import telemetry
from apps.background import background
from apps.database import Database
from apps.guard import guarded
from apps.health import add_health
from apps.orchestrator.api import routes
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.orchestration import Orchestration
from apps.orchestrator.settings import Settings
from apps.orchestrator.storage import SCHEMA
from apps.session import Session


def create(settings: Settings) -> FastAPI:
    """The application. The orchestrator works while the application runs."""
    database = Database(settings.database_url, SCHEMA, name="orchestrator")
    # trust_env=False, because a proxy in the environment is not for our own services.
    signals = SignalService(httpx.AsyncClient(base_url=settings.signal_service_url, timeout=3, trust_env=False))
    gateway = ExecutionGateway(httpx.AsyncClient(base_url=settings.execution_gateway_url, timeout=5, trust_env=False))
    session = Session(settings.market_data_url)
    orchestration = Orchestration(settings, database, signals, gateway, session.trading_date)
    redis_probe = telemetry.RedisProbe(settings.redis_url)
    database_probe = telemetry.DatabaseProbe(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background(*orchestration.duties(), redis_probe.run(), database_probe.run()):
            yield
        await database.close()
        await signals.http.aclose()
        await gateway.http.aclose()
        await session.close()
        telemetry.shutdown()

    app = guarded("orchestrator", lifespan, settings.hosts)
    telemetry.init("orchestrator", app)
    add_health(app, "orchestrator", redis_probe, database_probe)
    app.include_router(routes(database))
    return app
