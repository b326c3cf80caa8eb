"""Once a session: targets from the signal service become orders at the gateway."""

from __future__ import annotations

import datetime as dt
import logging
import time

import httpx

from apps.catalogue import (
    RunResult,
    SubmissionResult,
    dependency_available,
    orchestration_duration_seconds,
    orchestration_last_success_timestamp_seconds,
    orchestration_runs_total,
    orders_submitted_total,
)
from apps.database import Database
from apps.market import MarketState, follow
from apps.orchestrator import storage
from apps.orchestrator.allocation import WantedOrder, orders_for
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.settings import Settings

logger = logging.getLogger(__name__)


class NotYet(Exception):
    """The targets of this trading date are not there yet."""


class Orchestration:
    """Follows the market, and runs when a session has not been worked off."""

    def __init__(
        self, settings: Settings, database: Database, signals: SignalService, gateway: ExecutionGateway
    ) -> None:
        self._settings = settings
        self._database = database
        self._signals = signals
        self._gateway = gateway
        self._done: dt.date | None = None
        self._halted: dt.date | None = None
        self._opened: tuple[dt.date | None, float] = (None, 0.0)
        self._next = 0.0

    async def follow_market(self) -> None:
        """Works for ever."""
        await self._database.open()
        async for state in follow(self._settings.redis_url):
            if not state.open or state.trading_date == self._done or time.monotonic() < self._next:
                continue
            # A state that waited in the queue during the last run may be old: its quotes say so.
            if time.time() - max((quote.at for quote in state.quotes.values()), default=0.0) > 2:
                continue
            try:
                await self._see(state)
            except Exception as error:  # PostgreSQL in any of its moods; the session is still there in a moment
                logger.warning("no run: %s: %s", type(error).__name__, error)
                self._next = time.monotonic() + self._settings.retry_seconds

    async def _see(self, state: MarketState) -> None:
        if await storage.is_done(self._database, state.trading_date):
            self._done = state.trading_date
            return
        if await self._should_wait(state):
            return
        result = await self.run(state)
        if result is RunResult.SUCCESS:
            self._done = state.trading_date
        else:
            self._next = time.monotonic() + self._settings.retry_seconds

    async def _should_wait(self, state: MarketState) -> bool:
        """Whether the session is so young that targets of the last one are no failure yet."""
        if self._opened[0] != state.trading_date:
            self._opened = (state.trading_date, time.monotonic())
        if time.monotonic() - self._opened[1] > self._settings.retry_seconds:
            return False
        try:
            return (await self._signals.targets()).trading_date != state.trading_date
        except Exception:  # a run finds out the same, and says so
            return True

    async def run(self, state: MarketState) -> RunResult:
        """One run, recorded and stored whatever comes of it."""
        number = await storage.start_run(self._database, state.trading_date)
        placed = 0
        with orchestration_duration_seconds.time():
            try:
                result, placed = await self._place_orders(state, number)
            except NotYet as reason:
                logger.info("run %d: %s", number, reason)
                result = RunResult.FAILED
            except Exception as error:  # a run that is not counted would be one that nobody misses
                logger.warning("run %d failed: %s: %s", number, type(error).__name__, error)
                result = RunResult.FAILED
        orchestration_runs_total.add(1, {"result": result})
        if result is RunResult.SUCCESS:
            orchestration_last_success_timestamp_seconds.set(time.time())
        await storage.end_run(self._database, number, result, placed)
        return result

    async def _place_orders(self, state: MarketState, run: int) -> tuple[RunResult, int]:
        targets = await self._signals.targets()
        if targets.trading_date != state.trading_date:
            raise NotYet(f"the targets are of {targets.trading_date}, the session is of {state.trading_date}")
        orders = orders_for(
            targets.weights,
            await self._gateway.shares(),
            {symbol: quote.price for symbol, quote in state.quotes.items()},
            await self._gateway.equity(),
            self._settings.invested,
        )
        if await self._gateway.tripped():
            if self._halted != state.trading_date:  # once: the same orders are wanted again at each try
                self._halted = state.trading_date
                orders_submitted_total.add(len(orders), {"result": SubmissionResult.HALTED})
            return RunResult.HALTED, 0
        results = [await self._submit(order, f"{state.trading_date}-{run}-{order.symbol}") for order in orders]
        good = all(result is SubmissionResult.ACCEPTED for result in results)
        return RunResult.SUCCESS if good else RunResult.FAILED, results.count(SubmissionResult.ACCEPTED)

    async def _submit(self, order: WantedOrder, client_order_id: str) -> SubmissionResult:
        try:
            result = await self._gateway.place(order, client_order_id)
        except httpx.HTTPError as error:
            logger.warning("%s %d %s: %s", order.side, order.qty, order.symbol, type(error).__name__)
            result = SubmissionResult.FAILED
        orders_submitted_total.add(1, {"result": result})
        return result

    async def watch_dependencies(self) -> None:
        """Asks the two services whether they are healthy."""
        for name, http in (("execution-gateway", self._gateway.http), ("signal-service", self._signals.http)):
            try:
                healthy = (await http.get("/health")).status_code == 200
            except httpx.HTTPError:
                healthy = False
            dependency_available.set(1 if healthy else 0, {"dependency": name})
