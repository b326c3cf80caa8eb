"""Makes signals at the beginning of each session, and then every few seconds until it closes."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from apps.background import Duty
from apps.catalogue import (
    signal_generation_duration_seconds,
    signal_generation_failures_total,
    signals_generated_total,
    signals_last_generated_timestamp_seconds,
    target_weight_ratio,
)
from apps.database import Database
from apps.labels import SYMBOL
from apps.market import MarketState
from apps.market_stream import follow
from apps.session import ConfirmedDate
from apps.signal_service import storage
from apps.signal_service.settings import Settings
from apps.signal_service.strategies import equal_weight, momentum
from apps.vocabulary import Direction, SignalFailure, Strategy

logger = logging.getLogger(__name__)

OLD_SECONDS = 5.0
"""A state that is older is not used. The last one stays in Redis while the market data service is away."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The part of equity that the strategy wants in each symbol. `made_at` is in unix seconds."""

    trading_date: dt.date
    strategy: Strategy
    weights: dict[str, Decimal]
    made_at: float


class Signals:
    """Makes targets, and keeps the last ones."""

    def __init__(self, settings: Settings, database: Database, session: Callable[[], Awaitable[dt.date]]) -> None:
        """`session` returns the trading date of the market data service, which confirms a new one."""
        self._settings = settings
        self._database = database
        self._closes_stored: dt.date | None = None
        self._next = 0.0
        self._date = ConfirmedDate(session)
        self._confirming = Duty("confirming a new trading date", logger)
        self._making = Duty("making signals", logger)
        self.targets: Targets | None = None

    async def run(self) -> None:
        """Follows the market until cancelled."""
        await self._database.open()
        async for state in follow(self._settings.redis_url):
            await self.see(state)

    async def see(self, state: MarketState) -> None:
        """Makes signals if the market is open, and they are due or a trading date begins. Never raises.

        An old state makes none, and neither does one of a trading date that is not confirmed.
        """
        new_date = self.targets is None or self.targets.trading_date != state.trading_date
        if time.time() - state.at > OLD_SECONDS:
            return
        if not state.open or not (new_date or time.monotonic() >= self._next):
            return
        if not await self._confirming.attempt(lambda: self._date.confirm(state.trading_date)):
            return
        SYMBOL.know(state.quotes)
        self._next = time.monotonic() + self._settings.signal_seconds
        if not state.quotes:
            signal_generation_failures_total.add(1, {"reason": SignalFailure.NO_QUOTES})
            self._making.failed("no symbol has a quote")
            return
        # If this fails, the last targets stay in use, and their age is in the metrics.
        if not await self._making.attempt(lambda: self.make(state)):
            signal_generation_failures_total.add(1, {"reason": SignalFailure.STORAGE})
        elif new_date and self.targets is not None:
            logger.info("first targets of %s, by %s", state.trading_date, self.targets.strategy)

    async def make(self, state: MarketState) -> None:
        """Turns the quotes of a state into targets, and stores them."""
        strategy = self._settings.strategy
        with signal_generation_duration_seconds.time({"strategy": strategy}):
            weights = await self._weigh(strategy, state)
            await storage.store_targets(self._database, state.trading_date, strategy, weights)
        self.targets = Targets(state.trading_date, strategy, weights, time.time())
        signals_last_generated_timestamp_seconds.set(self.targets.made_at)
        target_weight_ratio.replace(weights)
        for symbol, weight in weights.items():
            signals_generated_total.add(
                1, {"symbol": symbol, "direction": Direction.LONG if weight else Direction.FLAT}
            )

    async def _weigh(self, strategy: Strategy, state: MarketState) -> dict[str, Decimal]:
        if self._closes_stored != state.trading_date:
            await storage.store_closes(self._database, state.trading_date, state.previous_closes)
            self._closes_stored = state.trading_date
        prices = {symbol: quote.price for symbol, quote in state.quotes.items()}
        if strategy is Strategy.EQUAL_WEIGHT:
            return equal_weight(prices)
        before = await storage.closes_before(self._database, state.trading_date, self._settings.momentum_days)
        return momentum(prices, before)
