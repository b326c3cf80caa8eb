"""Wires the execution gateway: the desk, its endpoints, telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

import telemetry
from apps.database import Database
from apps.execution_gateway.api import bad_input, routes
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.schema import SCHEMA
from apps.execution_gateway.settings import Settings
from apps.service import add_database_errors, add_health, background, load

settings = load(Settings)
database = Database(settings.database_url, SCHEMA)
desk = Desk(database, settings)
redis_probe = telemetry.RedisProbe(settings.redis_url)
database_probe = telemetry.DatabaseProbe(settings.database_url)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """The desk works as long as the service runs."""
    async with background(desk.run(), redis_probe.run(), database_probe.run()):
        yield
    await database.close()
    telemetry.shutdown()


app = FastAPI(title="execution-gateway", lifespan=lifespan)
telemetry.init("execution_gateway", app)
app.add_exception_handler(RequestValidationError, bad_input)
add_health(app, "execution-gateway", redis_probe, database_probe, lambda: {"ready": desk.ready})
app.include_router(routes(desk))
add_database_errors(app)
