"""Once a session, turns the targets of the signal service into orders at the gateway."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import httpx

import telemetry
from apps.background import Duty, described, every
from apps.catalogue import (
    orchestration_duration_seconds,
    orchestration_last_success_timestamp_seconds,
    orchestration_runs_total,
    orders_submitted_total,
)
from apps.database import Database
from apps.market import MarketState
from apps.market_stream import follow
from apps.orchestrator import storage
from apps.orchestrator.allocation import WantedOrder, fitting, orders_for
from apps.orchestrator.clients import BadAnswer, Book, ExecutionGateway, SignalService, Submitted, Targets
from apps.orchestrator.dependencies import Dependencies
from apps.orchestrator.settings import Settings
from apps.session import ConfirmedDate
from apps.vocabulary import RunResult, Side, SubmissionResult

logger = logging.getLogger(__name__)

ZERO = Decimal(0)
FILL_SECONDS = 0.1
"""The pause between two looks at whether sells are filled."""


class NotYet(Exception):
    """The signal service or the gateway has not begun this trading date yet."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, how many of its orders were accepted, and the reason if it did not succeed.

    `detail` is what may differ from run to run while the reason is the same. `error` is an error of ours. `wait` is for
    how many seconds the gateway wants no further order.
    """

    result: RunResult
    accepted: int
    why: str = ""
    detail: str = ""
    error: Exception | None = None
    wait: float = 0.0


class Orchestration:
    """Follows the market, and starts runs until one has succeeded in the session."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        signals: SignalService,
        gateway: ExecutionGateway,
        session: Callable[[], Awaitable[dt.date]],
    ) -> None:
        """`session` returns the trading date of the market data service, which confirms a new one."""
        self._settings = settings
        self._database = database
        self._signals = signals
        self._gateway = gateway
        self._date = ConfirmedDate(session)
        self._done: dt.date | None = None
        self._halted: dt.date | None = None
        self._opened: tuple[dt.date | None, float] = (None, 0.0)
        self._next = 0.0
        self._confirming = Duty("confirming a new trading date", logger)
        self._starting = Duty("starting a run", logger)
        self._running = Duty("the session's run", logger)
        self._storing = Duty("storing how a run ended", logger)
        self._pricing = Duty("finding a price for every position", logger)
        self._ended: dict[int, Ended] = {}
        """Runs whose end is not stored yet. They have been counted."""
        self._dependencies = Dependencies({"execution-gateway": gateway.http, "signal-service": signals.http})

    def duties(self) -> list[Coroutine[Any, Any, None]]:
        """The jobs of the orchestrator. They run until cancelled."""
        return [
            self.follow_market(),
            every(self._settings.retry_seconds, self._storing, self.store_ends),
            every(5, Duty("watching dependencies", logger), self._dependencies.ask),
        ]

    async def follow_market(self) -> None:
        """Starts runs at the states of the market, until cancelled."""
        await self._database.open()
        async for state in follow(self._settings.redis_url):
            if self.is_due(state):
                await self.see(state)

    def is_due(self, state: MarketState) -> bool:
        """Whether a run may be needed now. It is not while an earlier one of the session has said when to try again."""
        if not state.open or state.trading_date == self._done or time.monotonic() < self._next:
            return False
        # The last state in Redis stays there while the market data service is away. With old quotes it is skipped.
        return time.time() - max((quote.at for quote in state.quotes.values()), default=0.0) <= 2

    async def see(self, state: MarketState) -> None:
        """Starts a run if its trading date is confirmed. Never raises.

        A state of another date is not used, and does not put off what the next one needs.
        """
        if not await self._confirming.attempt(lambda: self._date.confirm(state.trading_date)):
            return
        if not await self._starting.attempt(lambda: self._start(state)):
            # Try again later in the same session.
            self._next = time.monotonic() + self._settings.retry_seconds

    async def _start(self, state: MarketState) -> None:
        """Starts a run, unless one has succeeded in this session, or what it needs is not there yet."""
        if await self._dependencies.start():
            return
        if state.trading_date == self._done or await storage.is_done(self._database, state.trading_date):
            self._done = state.trading_date
            return
        if await self._should_wait(state):
            return
        await self.run(state)

    async def _should_wait(self, state: MarketState) -> bool:
        """Whether the session has just begun, and the other services have not begun it. This is not a failure yet."""
        if self._opened[0] != state.trading_date:
            self._opened = (state.trading_date, time.monotonic())
        if time.monotonic() - self._opened[1] > self._settings.retry_seconds:
            return False
        try:
            targets, book = await self._signals.targets(), await self._gateway.book()
            return targets.trading_date != state.trading_date or book.trading_date != state.trading_date
        except Exception:  # wait; if the error stays, the next run has it too, and logs it
            return True

    async def run(self, state: MarketState) -> RunResult:
        """One run. Its result is counted, logged and stored, also when it fails.

        It is counted once, and has ended, whether or not that can be stored at once.
        """
        number = await storage.start_run(self._database, state.trading_date)
        answers: list[Submitted] = []
        with orchestration_duration_seconds.time():
            try:
                ended = await self._place_orders(state, number, answers)
            except NotYet as reason:
                ended = Ended(RunResult.FAILED, 0, str(reason))
            except (BadAnswer, httpx.HTTPError) as error:
                ended = Ended(RunResult.FAILED, _accepted(answers), described(error))
            except Exception as error:  # every failed run must be counted, or nobody notices it
                ended = Ended(RunResult.FAILED, _accepted(answers), described(error), error=error)
        orchestration_runs_total.add(1, {"result": ended.result})
        self._ended[number] = ended
        if ended.result is RunResult.SUCCESS:
            self._done = state.trading_date
            orchestration_last_success_timestamp_seconds.set(time.time())
            self._running.succeeded()
            logger.info("run %d of %s: %d orders accepted", number, state.trading_date, ended.accepted)
        else:
            self._next = time.monotonic() + max(self._settings.retry_seconds, ended.wait)
            which = f"run {number} of {state.trading_date} {ended.result}"
            self._running.failed(ended.why, ended.error, f"{which}: {ended.detail}".removesuffix(": "))
        await self._storing.attempt(self.store_ends)
        return ended.result

    async def store_ends(self) -> None:
        """Stores how runs ended. One that cannot be stored is kept for the next call."""
        for number, ended in list(self._ended.items()):
            await storage.end_run(self._database, number, ended.result, ended.accepted)
            self._ended.pop(number, None)

    async def _place_orders(self, state: MarketState, run: int, answers: list[Submitted]) -> Ended:
        """Places the orders of a run. Adds what became of each to `answers`."""
        targets = await self._signals.targets()
        if targets.trading_date != state.trading_date:
            raise NotYet(f"the targets are of {targets.trading_date}, the session is of {state.trading_date}")
        book = await self._gateway.book()
        if book.trading_date != state.trading_date:
            raise NotYet(f"the gateway is at {book.trading_date}, the session is of {state.trading_date}")
        if book.equity is None:
            return Ended(RunResult.FAILED, 0, "the gateway does not know its equity")
        if book.equity <= 0:
            return Ended(RunResult.FAILED, 0, "there is no equity to invest, nothing is placed", f"it is {book.equity}")
        orders = self._orders_for(targets, book, state)
        if book.tripped:
            if self._halted != state.trading_date:  # count them once, because each try wants the same orders again
                self._halted = state.trading_date
                orders_submitted_total.add(len(orders), {"result": SubmissionResult.HALTED})
            return Ended(RunResult.HALTED, 0, "the circuit breaker is tripped, nothing is placed")
        sells = [order for order in orders if order.side is Side.SELL]
        buys = [order for order in orders if order.side is Side.BUY]
        await self._submit_all(sells, state, run, answers)
        fits = [] if _stopped(answers) else await self._fitting(buys, book, state, sold=bool(sells))
        await self._submit_all(fits, state, run, answers)
        refused = [answer for answer in answers if answer.result is not SubmissionResult.ACCEPTED]
        accepted = _accepted(answers)
        if refused:
            why = f"orders were not accepted: {', '.join(sorted({answer.why for answer in refused}))}"
            detail = f"{len(refused)} of {len(orders)}, the first: {refused[0].text}"
            return Ended(RunResult.FAILED, accepted, why, detail, wait=answers[-1].wait)
        if fits != buys:
            why = "sells are not filled yet, and buys need the room and the cash that they leave"
            return Ended(RunResult.FAILED, accepted, why)
        missing = sorted(symbol for symbol, weight in targets.weights.items() if weight and symbol not in state.quotes)
        if missing:
            return Ended(RunResult.FAILED, accepted, f"there is a target but no price for {', '.join(missing)}")
        return Ended(RunResult.SUCCESS, accepted)

    def _orders_for(self, targets: Targets, book: Book, state: MarketState) -> list[WantedOrder]:
        """The orders for every symbol that has a price. Positions without one are logged, and stay as they are."""
        assert book.equity is not None
        unpriced = _unpriced(book, state)
        if unpriced:
            self._pricing.failed(f"{', '.join(unpriced)} cannot be traded")
        else:
            self._pricing.succeeded()
        return orders_for(
            targets.weights,
            book.holdings,
            _prices(state),
            book.equity,
            self._settings.invested,
            book.limits,
            unpriced=sum(unpriced.values(), ZERO),
        )

    async def _fitting(
        self, buys: list[WantedOrder], book: Book, state: MarketState, *, sold: bool
    ) -> list[WantedOrder]:
        """The buys, each cut to what the gateway takes now. If they do not fit, waits a moment for sells to be filled.

        `sold` says that the book is older than sells of this run.
        """
        until = time.monotonic() + self._settings.retry_seconds
        while buys:
            if sold:
                book = await self._gateway.book()
            unpriced = sum(_unpriced(book, state).values(), ZERO)
            fits = fitting(buys, book.holdings, _prices(state), book.limits, unpriced=unpriced)
            if fits == buys or time.monotonic() > until:
                return fits
            await asyncio.sleep(FILL_SECONDS)
            sold = True
        return []

    async def _submit_all(
        self, orders: list[WantedOrder], state: MarketState, run: int, answers: list[Submitted]
    ) -> None:
        """Places orders one after the other. Stops when the gateway says that it had too many."""
        for order in orders:
            if not _stopped(answers):
                answers.append(await self._submit(order, f"{state.trading_date}-{run}-{order.symbol}"))

    async def _submit(self, order: WantedOrder, client_order_id: str) -> Submitted:
        """Places an order, and counts it once, whatever the answer is."""
        try:
            with telemetry.span("submit order"):
                submitted = await self._gateway.place(order, client_order_id)
        except (BadAnswer, httpx.HTTPError) as error:
            submitted = Submitted(SubmissionResult.FAILED, described(error))
        except Exception as error:
            logger.exception("%s %d %s fails", order.side, order.qty, order.symbol)
            submitted = Submitted(SubmissionResult.FAILED, described(error))
        orders_submitted_total.add(1, {"result": submitted.result})
        return replace(submitted, text=f"{order.side} {order.qty} {order.symbol} {submitted.result}: {submitted.text}")


def _accepted(answers: list[Submitted]) -> int:
    return sum(answer.result is SubmissionResult.ACCEPTED for answer in answers)


def _stopped(answers: list[Submitted]) -> bool:
    return bool(answers) and answers[-1].wait > 0


def _prices(state: MarketState) -> dict[str, Decimal]:
    return {symbol: quote.price for symbol, quote in state.quotes.items()}


def _unpriced(book: Book, state: MarketState) -> dict[str, Decimal]:
    """What each position without a quote counts for, in dollars at its last known price."""
    last = {**book.costs, **state.previous_closes}
    return {
        symbol: holding.most * last.get(symbol, ZERO)
        for symbol, holding in sorted(book.holdings.items())
        if holding.most and symbol not in state.quotes
    }
