"""Builds the FastAPI application of the execution gateway: the desk, the paper venue, the endpoints and telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

import telemetry
from apps import paper_venue
from apps.background import background
from apps.database import Database
from apps.execution_gateway.api import order_error, routes
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import OrderError
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.settings import Settings
from apps.guard import guarded
from apps.health import add_health
from apps.session import Session


def create(settings: Settings) -> FastAPI:
    """The application, with a desk at the paper venue. The desk works while the application runs."""
    # The paper venue keeps its tables in the same PostgreSQL, in its own schema. A real venue would not.
    tables = SCHEMA + paper_venue.SCHEMA
    database = Database(settings.database_url, tables, number=("gateway", NUMBER), name="execution_gateway")
    session = Session(settings.market_data_url)
    desk = Desk(database, paper_venue.PaperVenue(database, settings), settings, session.trading_date)
    return serve(desk, settings, session.close)


def serve(desk: Desk, settings: Settings, close: Callable[[], Awaitable[None]]) -> FastAPI:
    """The application with this desk. `close` is called at the end."""
    redis_probe = telemetry.RedisProbe(settings.redis_url)
    database_probe = telemetry.DatabaseProbe(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background(desk.run(), redis_probe.run(), database_probe.run()):
            yield
        await desk.database.close()
        await close()
        telemetry.shutdown()

    app = guarded("execution-gateway", lifespan, settings.hosts)
    telemetry.init("execution_gateway", app)
    add_health(
        app,
        "execution-gateway",
        redis_probe,
        database_probe,
        lambda: {"ready": desk.ready, "late": desk.late, "failing": desk.failing},
    )
    app.include_router(routes(desk))
    app.add_exception_handler(OrderError, order_error)
    return app
