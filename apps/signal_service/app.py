"""Builds the FastAPI application of the signal service: signals, the endpoint and telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import telemetry
from apps.background import background
from apps.database import Database
from apps.guard import guarded
from apps.health import add_health
from apps.session import Session
from apps.signal_service.api import routes
from apps.signal_service.settings import Settings
from apps.signal_service.signals import Signals
from apps.signal_service.storage import SCHEMA


def create(settings: Settings) -> FastAPI:
    """The application. Signals are made while the application runs."""
    database = Database(settings.database_url, SCHEMA, name="signal_service")
    session = Session(settings.market_data_url)
    signals = Signals(settings, database, session.trading_date)
    redis_probe = telemetry.RedisProbe(settings.redis_url)
    database_probe = telemetry.DatabaseProbe(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background(signals.run(), redis_probe.run(), database_probe.run()):
            yield
        await database.close()
        await session.close()
        telemetry.shutdown()

    app = guarded("signal-service", lifespan, settings.hosts)
    telemetry.init("signal_service", app)
    add_health(app, "signal-service", redis_probe, database_probe)
    app.include_router(routes(signals))
    return app
