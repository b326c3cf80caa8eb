"""Wires the market data service: the feed, its endpoints, telemetry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio
from fastapi import FastAPI, HTTPException

import telemetry
from apps.database import Database
from apps.market import MarketState
from apps.market_data_service.closes import BadCloses, read_closes
from apps.market_data_service.feed import TICK_SECONDS, Feed
from apps.market_data_service.replay import Replay
from apps.market_data_service.settings import Settings
from apps.market_data_service.storage import SCHEMA
from apps.service import add_health, background, every, load

settings = load(Settings)
try:
    replay = Replay(
        read_closes(settings.replay_path), settings.replay_start, settings.replay_end, settings.replay_day_seconds
    )
except BadCloses as wrong:
    raise SystemExit(str(wrong)) from None
database = Database(settings.database_url, SCHEMA)
feed = Feed(
    replay,
    settings.replay_path.name,
    database,
    redis.asyncio.from_url(settings.redis_url, socket_timeout=1, socket_connect_timeout=1),
)
redis_probe = telemetry.RedisProbe(settings.redis_url)
database_probe = telemetry.DatabaseProbe(settings.database_url)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """The feed plays as long as the service runs."""
    async with background(
        feed.run(),
        every(TICK_SECONDS, feed.remember),
        every(TICK_SECONDS, feed.watch),
        redis_probe.run(),
        database_probe.run(),
    ):
        yield
    await database.close()
    telemetry.shutdown()


app = FastAPI(title="market-data", lifespan=lifespan)
telemetry.init("market_data", app)
add_health(
    app,
    "market-data",
    redis_probe,
    database_probe,
    lambda: {"ready": feed.state is not None, "replay_finished": feed.state is not None and feed.state.finished},
)


def _state() -> MarketState:
    if feed.state is None:
        raise HTTPException(503, "the replay has not started: PostgreSQL, where its place is stored, is not there yet")
    return feed.state


@app.get("/api/v1/session")
async def session() -> dict[str, object]:
    """The trading date, whether the market is open, and whether the replay is over."""
    state = _state()
    return {"trading_date": state.trading_date.isoformat(), "open": state.open, "finished": state.finished}


@app.get("/api/v1/quotes")
async def quotes() -> dict[str, dict[str, object]]:
    """The last quote of every symbol: price in dollars, and when it ticked."""
    return {symbol: {"price": str(quote.price), "at": quote.at} for symbol, quote in _state().quotes.items()}
