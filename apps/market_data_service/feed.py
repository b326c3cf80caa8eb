"""Plays the replay in real time. Ticks go to metrics and Redis, the position in the replay goes to PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import redis.asyncio

from apps.background import Duty, described, every
from apps.catalogue import (
    feed_connection_status,
    feed_reconnects_total,
    last_tick_timestamp_seconds,
    market_session_open,
    market_state_published_timestamp_seconds,
    market_states_published_total,
    quote_price_dollars,
    subscribed_symbols,
    tick_gaps_total,
    tick_processing_duration_seconds,
    ticks_received_total,
    trading_date_timestamp_seconds,
)
from apps.database import Database, when_there
from apps.labels import SYMBOL
from apps.market import MarketState, Quote
from apps.market_data_service import storage
from apps.market_data_service.replay import Replay, ReplayPoint
from apps.market_stream import publish
from apps.vocabulary import Outcome

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.5
"""The pause between two ticks. Each symbol must tick at least once a second."""
PUBLISH_SECONDS = 0.4
"""Limit for publishing one state, so that a Redis that hangs does not delay the ticks."""
UNPUBLISHED_SECONDS = 5.0
"""Without a published state for this time the service is not healthy. Its followers trade no more on what they have."""
LOST_SECONDS = 2.0
"""A feed that has played no state for this time counts as not connected, also while the market is closed."""
LONGEST_STEP_SECONDS = 1.0
"""The longest step of the replay. So if this process was stopped for a while, the market pauses and skips nothing."""


class Feed:
    """The feed of ticks: its position in the replay, and the last state of the market."""

    def __init__(self, replay: Replay, file: str, database: Database, client: redis.asyncio.Redis) -> None:
        self._replay = replay
        self._file = file
        self._database = database
        self._redis = client
        self._publishing = Duty("publishing the market's state", logger)
        self._published_at: float | None = None
        self._ticked_at: float | None = None
        self._played_at: float | None = None
        self.point: ReplayPoint | None = None
        """Where the replay is; None until the stored point has been read."""
        self.state: MarketState | None = None
        """The last state that was played; None until the stored point has been read."""

    @property
    def publishing(self) -> bool:
        """Whether Redis took a state in the last seconds. It may answer a ping and take none, for example when full."""
        return self._published_at is not None and time.monotonic() - self._published_at <= UNPUBLISHED_SECONDS

    async def run(self) -> None:
        """Plays until cancelled. Raises `storage.MadeWithOtherData` if the stored point belongs to another replay."""
        symbols = self._replay.closes.symbols
        SYMBOL.know(symbols)
        subscribed_symbols.set(len(symbols))
        feed_connection_status.set(0)
        await self._database.open()
        point = await when_there(lambda: storage.load(self._database, self._file, self._replay))
        logger.info("the replay continues at %s, %.1f s after the open", point.trading_date, point.seconds)
        last = time.monotonic()
        left = 0.0
        while True:
            point = await self.play(point)
            if left == 0.0:
                await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            before = point.trading_date
            point, left = self._replay.after(point, left + min(now - last, LONGEST_STEP_SECONDS))
            if point.trading_date != before:
                logger.info("trading date %s opens", point.trading_date)
            last = now

    async def play(self, point: ReplayPoint) -> ReplayPoint:
        """Publishes the state at that point. Returns the point with the time of this tick, if the market is open.

        While it is closed, a last tick that is ahead of the clock counts as of now: else each state would be refused
        as one of the future, until the clock has caught up or the market opens.
        """
        is_open = self._replay.is_open(point)
        now = time.time()
        if is_open:
            point = replace(point, last_tick=now)
        elif point.last_tick > now:
            ahead = point.last_tick - now
            logger.warning("the clock of this machine went back: the last tick was %.1f s ahead, it is of now", ahead)
            point = replace(point, last_tick=now)
        with tick_processing_duration_seconds.time():
            self.state = self._state_at(point, is_open)
            self._record(self.state)
            await self._publish(self.state)
        self.point = point
        return point

    def _state_at(self, point: ReplayPoint, is_open: bool) -> MarketState:
        return MarketState(
            at=time.time(),
            trading_date=point.trading_date,
            open=is_open,
            finished=self._replay.is_finished(point),
            previous_closes=self._replay.previous_closes(point),
            quotes={symbol: Quote(price, point.last_tick) for symbol, price in self._replay.prices(point).items()},
        )

    def _record(self, state: MarketState) -> None:
        now = time.monotonic()
        if self._played_at is not None and now - self._played_at > LOST_SECONDS:
            feed_reconnects_total.add(1)
        self._played_at = now
        feed_connection_status.set(1)
        market_session_open.set(1 if state.open else 0)
        midnight = dt.datetime.combine(state.trading_date, dt.time(), dt.UTC)
        trading_date_timestamp_seconds.set(midnight.timestamp())
        quote_price_dollars.replace({symbol: quote.price for symbol, quote in state.quotes.items()})
        last_tick_timestamp_seconds.replace({symbol: quote.at for symbol, quote in state.quotes.items()})
        if state.open:
            for symbol in state.quotes:
                ticks_received_total.add(1, {"symbol": symbol})
        if state.open and self._ticked_at is not None and now - self._ticked_at > LONGEST_STEP_SECONDS:
            tick_gaps_total.add(1)
        self._ticked_at = now if state.open else None

    async def _publish(self, state: MarketState) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await publish(self._redis, state)
        except (redis.asyncio.RedisError, OSError, TimeoutError) as error:
            # Nothing needs to be sent again, because the next state replaces this one.
            market_states_published_total.add(1, {"result": Outcome.FAILED})
            self._publishing.failed(described(error), error)
        else:
            self._published_at = time.monotonic()
            market_states_published_total.add(1, {"result": Outcome.SUCCESS})
            market_state_published_timestamp_seconds.set(time.time())
            self._publishing.succeeded()

    def duties(self) -> list[Coroutine[Any, Any, None]]:
        """The repeated jobs that run beside `run`."""
        return [
            every(TICK_SECONDS, Duty("storing the replay's point", logger), self.remember),
            every(TICK_SECONDS, Duty("watching the feed", logger), self.watch),
        ]

    async def watch(self) -> None:
        """Sets the status to not connected if the feed is silent. The feed cannot do this itself while it hangs."""
        if self._played_at is not None and time.monotonic() - self._played_at > LOST_SECONDS:
            feed_connection_status.set(0)

    async def remember(self) -> None:
        """Stores the point for a restart. It is not a part of `run`, which must go on while PostgreSQL hangs."""
        if self.point is not None:
            await storage.store(self._database, self.point)
