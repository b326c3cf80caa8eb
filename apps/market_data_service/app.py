"""Builds the FastAPI application of the market data service: the feed, the endpoints and telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio
from fastapi import FastAPI

import telemetry
from apps.background import background
from apps.database import Database
from apps.guard import guarded
from apps.health import add_health
from apps.market_data_service.api import routes
from apps.market_data_service.closes import BadCloses, read_closes
from apps.market_data_service.feed import Feed
from apps.market_data_service.replay import Replay
from apps.market_data_service.settings import Settings
from apps.market_data_service.storage import SCHEMA


def create(settings: Settings) -> FastAPI:
    """The application. If the file of closes cannot be replayed, ends the process with a sentence that says why."""
    try:
        closes = read_closes(settings.replay_path)
        replay = Replay(closes, settings.replay_start, settings.replay_end, settings.replay_day_seconds)
    except BadCloses as wrong:
        raise SystemExit(str(wrong)) from None
    database = Database(settings.database_url, SCHEMA, name="market_data_service")
    client = redis.asyncio.from_url(settings.redis_url, socket_timeout=1, socket_connect_timeout=1)
    feed = Feed(replay, settings.replay_path.name, database, client)
    redis_probe = telemetry.RedisProbe(settings.redis_url)
    database_probe = telemetry.DatabaseProbe(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background(feed.run(), *feed.duties(), redis_probe.run(), database_probe.run()):
            yield
        await database.close()
        telemetry.shutdown()

    app = guarded("market-data", lifespan, settings.hosts)
    telemetry.init("market_data", app)
    add_health(
        app,
        "market-data",
        redis_probe,
        database_probe,
        lambda: {
            "ready": feed.state is not None and feed.publishing,
            "publishing": feed.publishing,
            "replay_finished": feed.state is not None and feed.state.finished,
        },
    )
    app.include_router(routes(feed))
    return app
