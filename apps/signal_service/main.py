"""Wires the signal service: signals, their endpoint, telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

import telemetry
from apps.database import Database
from apps.service import add_health, background, load
from apps.signal_service.settings import Settings
from apps.signal_service.signals import Signals
from apps.signal_service.storage import SCHEMA

settings = load(Settings)
database = Database(settings.database_url, SCHEMA)
signals = Signals(settings, database)
redis_probe = telemetry.RedisProbe(settings.redis_url)
database_probe = telemetry.DatabaseProbe(settings.database_url)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Signals are made as long as the service runs."""
    async with background(signals.run(), redis_probe.run(), database_probe.run()):
        yield
    await database.close()
    telemetry.shutdown()


app = FastAPI(title="signal-service", lifespan=lifespan)
telemetry.init("signal_service", app)
add_health(app, "signal-service", redis_probe, database_probe)


@app.get("/api/v1/targets")
async def targets() -> dict[str, object]:
    """The last targets: trading date, strategy, weight of each symbol, and when they were made."""
    last = signals.targets
    if last is None:
        raise HTTPException(503, "no targets yet: no session has been seen since this service started")
    return {
        "trading_date": last.trading_date.isoformat(),
        "strategy": last.strategy,
        "weights": {symbol: str(weight) for symbol, weight in last.weights.items()},
        "made_at": last.made_at,
    }
