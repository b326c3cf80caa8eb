"""Once a session, turns the targets of the signal service into orders at the gateway."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import httpx

import telemetry
from apps.background import Duty, described, every
from apps.catalogue import (
    dependency_available,
    orchestration_duration_seconds,
    orchestration_last_success_timestamp_seconds,
    orchestration_runs_total,
    orders_submitted_total,
)
from apps.database import Database
from apps.labels import Dependency
from apps.market import MarketState
from apps.market_stream import follow
from apps.orchestrator import storage
from apps.orchestrator.allocation import WantedOrder, orders_for
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.settings import Settings
from apps.vocabulary import RunResult, SubmissionResult

logger = logging.getLogger(__name__)


class NotYet(Exception):
    """The signal service has no targets for this trading date yet."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, how many of its orders were accepted, and the reason and error if it did not succeed."""

    result: RunResult
    accepted: int
    why: str = ""
    error: Exception | None = None


class Orchestration:
    """Follows the market, and starts runs until one has succeeded in the session."""

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
        self._starting = Duty("starting a run", logger)
        self._running = Duty("the session's run", logger)
        self._reachable: dict[str, bool] = {}

    def duties(self) -> list[Coroutine[Any, Any, None]]:
        """The jobs of the orchestrator. They run until cancelled."""
        return [self.follow_market(), every(5, Duty("watching dependencies", logger), self.watch_dependencies)]

    async def follow_market(self) -> None:
        """Starts runs at the states of the market, until cancelled."""
        await self._database.open()
        async for state in follow(self._settings.redis_url):
            if not state.open or state.trading_date == self._done or time.monotonic() < self._next:
                continue
            # The last state in Redis stays there while the market data service is away. With old quotes it is skipped.
            if time.time() - max((quote.at for quote in state.quotes.values()), default=0.0) > 2:
                continue
            if not await self._starting.attempt(lambda: self.see(state)):  # noqa: B023  # awaited before the next state
                # Try again later in the same session.
                self._next = time.monotonic() + self._settings.retry_seconds

    async def see(self, state: MarketState) -> None:
        """Starts a run, unless one has succeeded in this session or the targets are not due yet."""
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
        """Whether the session has just begun and its targets are not there yet. This is not a failure yet."""
        if self._opened[0] != state.trading_date:
            self._opened = (state.trading_date, time.monotonic())
        if time.monotonic() - self._opened[1] > self._settings.retry_seconds:
            return False
        try:
            return (await self._signals.targets()).trading_date != state.trading_date
        except Exception:  # wait; if the error stays, the next run has it too, and logs it
            return True

    async def run(self, state: MarketState) -> RunResult:
        """One run. Its result is counted, logged and stored, also when it fails."""
        number = await storage.start_run(self._database, state.trading_date)
        with orchestration_duration_seconds.time():
            try:
                ended = await self._place_orders(state, number)
            except NotYet as reason:
                ended = Ended(RunResult.FAILED, 0, str(reason))
            except httpx.HTTPError as error:
                ended = Ended(RunResult.FAILED, 0, described(error))
            except Exception as error:  # every failed run must be counted, or nobody notices it
                ended = Ended(RunResult.FAILED, 0, described(error), error)
        orchestration_runs_total.add(1, {"result": ended.result})
        if ended.result is RunResult.SUCCESS:
            orchestration_last_success_timestamp_seconds.set(time.time())
            self._running.succeeded()
            logger.info("run %d of %s: %d orders accepted", number, state.trading_date, ended.accepted)
        else:
            self._running.failed(f"run {number} of {state.trading_date} {ended.result}: {ended.why}", ended.error)
        await storage.end_run(self._database, number, ended.result, ended.accepted)
        return ended.result

    async def _place_orders(self, state: MarketState, run: int) -> Ended:
        targets = await self._signals.targets()
        if targets.trading_date != state.trading_date:
            raise NotYet(f"the targets are of {targets.trading_date}, the session is of {state.trading_date}")
        book = await self._gateway.book()
        if book.equity is None:
            return Ended(RunResult.FAILED, 0, "the gateway does not know its equity")
        orders = orders_for(
            targets.weights,
            book.shares,
            {symbol: quote.price for symbol, quote in state.quotes.items()},
            book.equity,
            self._settings.invested,
            book.limits,
        )
        if book.tripped:
            if self._halted != state.trading_date:  # count them once, because each try wants the same orders again
                self._halted = state.trading_date
                orders_submitted_total.add(len(orders), {"result": SubmissionResult.HALTED})
            return Ended(RunResult.HALTED, 0, "the circuit breaker is tripped, nothing is placed")
        answers = [await self._submit(order, f"{state.trading_date}-{run}-{order.symbol}") for order in orders]
        refused = [why for result, why in answers if result is not SubmissionResult.ACCEPTED]
        if refused:
            why = f"{len(refused)} of {len(orders)} orders were not accepted, the first: {refused[0]}"
            return Ended(RunResult.FAILED, len(orders) - len(refused), why)
        return Ended(RunResult.SUCCESS, len(orders))

    async def _submit(self, order: WantedOrder, client_order_id: str) -> tuple[SubmissionResult, str]:
        """Places an order. Returns the result, and a text for the log."""
        try:
            with telemetry.span("submit order"):
                result, why = await self._gateway.place(order, client_order_id)
        except httpx.HTTPError as error:
            result, why = SubmissionResult.FAILED, described(error)
        orders_submitted_total.add(1, {"result": result})
        return result, f"{order.side} {order.qty} {order.symbol} {result}: {why}"

    async def watch_dependencies(self) -> None:
        """Asks the two services whether they are healthy, and logs when that changes."""
        asked: dict[Dependency, httpx.AsyncClient] = {
            "execution-gateway": self._gateway.http,
            "signal-service": self._signals.http,
        }
        for name, http in asked.items():
            try:
                status = (await http.get("/health")).status_code
                healthy, answer = status == 200, f"answers {status}"
            except httpx.HTTPError as error:
                healthy, answer = False, described(error)
            dependency_available.set(1 if healthy else 0, {"dependency": name})
            if healthy is not self._reachable.get(name):
                self._reachable[name] = healthy
                level, said = (
                    (logging.INFO, "is healthy") if healthy else (logging.WARNING, f"is not healthy: {answer}")
                )
                logger.log(level, "%s %s", name, said)
