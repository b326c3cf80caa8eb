"""The desk: follows the market, values the book, and holds together what works on orders, venue and breaker."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from apps.background import Duty, background
from apps.catalogue import (
    daily_loss_limit_ratio,
    drawdown_limit_ratio,
    gross_exposure_limit_dollars,
    order_placement_limit_seconds,
    order_size_limit_dollars,
    order_slippage_limit_bps,
    orders_outcome_unknown,
    position_limit_dollars,
)
from apps.database import Database
from apps.execution_gateway import commands, ledger
from apps.execution_gateway.book import Book
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.dispatch import Dispatch
from apps.execution_gateway.draft import Draft, MarkReset
from apps.execution_gateway.duties import LATE_SECONDS, Wake, WatchedDuty
from apps.execution_gateway.models import Order
from apps.execution_gateway.orders import Orders
from apps.execution_gateway.pnl import ProfitAndLoss, show_book
from apps.execution_gateway.rate import OrderRate
from apps.execution_gateway.reconciliation import Reconciliation
from apps.execution_gateway.settings import Settings
from apps.execution_gateway.switch import KillSwitch
from apps.execution_gateway.valuation import Valuation
from apps.execution_gateway.waiting import answered
from apps.execution_gateway.writer import Writer
from apps.labels import SYMBOL
from apps.market import FUTURE_SECONDS, MarketState
from apps.market_stream import follow
from apps.session import ConfirmedDate, refuse
from apps.vocabulary import DeskDuty, StateRefusal

logger = logging.getLogger(__name__)

_SECONDS = {
    DeskDuty.COMMAND: 10.0,
    DeskDuty.HALT: 5.0,
    DeskDuty.SEND: 10.0,
    DeskDuty.FETCH: 10.0,
    DeskDuty.RECONCILE: 10.0,
    DeskDuty.FOLLOW_MARKET: 3.0,
    DeskDuty.TICK_VENUE: 10.0,
    DeskDuty.READ_BREAKER: 5.0,
}
"""The time limit of each duty."""


class Desk:
    """The gateway's work at one venue, and the state that it keeps in memory."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        settings: Settings,
        session: Callable[[], Awaitable[dt.date]],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`session` returns the trading date of the market data service, which confirms a new one."""
        self.database = database
        self.broker = broker
        self.settings = settings
        self._date = ConfirmedDate(session)
        self._now = now
        self._valued_at: float | None = None
        """When the book was last valued in a new state of the market, with a quote of every holding."""
        self.market: MarketState | None = None
        self.pnl = ProfitAndLoss()
        self.duties = {duty: WatchedDuty(duty, seconds) for duty, seconds in _SECONDS.items()}
        self._remembering = Duty("reading known client_order_ids", logger)
        self.writer = Writer(database, settings, self._book_changed, now)
        reading = self.duties[DeskDuty.READ_BREAKER]
        self.switch = KillSwitch(
            database, broker, self.writer, reading, lambda book: self.pnl.trips(book, settings.daily_loss_limit), now
        )
        ticking = self.duties[DeskDuty.TICK_VENUE]
        self.dispatch = Dispatch(broker, self.writer, self.switch, self.pnl, ticking, now)
        self.orders = Orders(
            database,
            self.writer,
            self.switch,
            lambda: (self.market, self._valued_at),
            reading,
            self.dispatch.send_now,
            now,
        )
        self.rate = OrderRate(settings)
        self.reconciliation = Reconciliation(
            database, broker, lambda: self.writer.opened, lambda: () if self.market is None else self.market.quotes
        )

    async def run(self) -> None:
        """Works until cancelled. Raises `ledger.MadeWithOtherCash` or `OtherSchema` if the data cannot be used."""
        gross_exposure_limit_dollars.set(self.settings.gross_exposure_limit)
        position_limit_dollars.set(self.settings.position_limit)
        order_size_limit_dollars.set(self.settings.order_size_limit)
        daily_loss_limit_ratio.set(self.settings.daily_loss_limit)
        drawdown_limit_ratio.set(self.settings.drawdown_limit)
        order_placement_limit_seconds.set(self.settings.order_placement_limit_seconds)
        order_slippage_limit_bps.set(self.settings.order_slippage_limit_bps)
        orders_outcome_unknown.set(0)
        await self.database.open()
        async with background(*self.work(), self._follow()):
            await asyncio.Event().wait()

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """The duties, except that of following the market. Each runs until cancelled."""
        dispatch = self.dispatch
        return [
            self._command_for_ever(),
            self._repeat(DeskDuty.HALT, self.switch.halt, self.switch.wake, 1),
            self._repeat(DeskDuty.SEND, dispatch.send, dispatch.send_now, 1),
            self._repeat(DeskDuty.FETCH, dispatch.fetch, dispatch.fetch_now, 1),
            self._repeat(DeskDuty.TICK_VENUE, dispatch.tick, dispatch.tick_now, 1),
            self._repeat(DeskDuty.RECONCILE, self.reconciliation.run, Wake(), 5),
            self._repeat(DeskDuty.READ_BREAKER, self._read, Wake(), 1),
        ]

    async def _command_for_ever(self) -> None:
        duty = self.duties[DeskDuty.COMMAND]
        while True:
            if not await duty.attempt(self.writer.step):
                if isinstance(duty.error, ledger.MadeWithOtherCash):
                    raise duty.error
                await asyncio.sleep(0.5)
            await self.writer.arrived(1)

    async def _repeat(self, duty: DeskDuty, work: Callable[[], Awaitable[object]], wake: Wake, seconds: float) -> None:
        await self.switch.opened()
        await self.duties[duty].repeat(work, lambda: wake.wait(seconds))

    async def _read(self) -> None:
        await self.switch.read()
        await self._remembering.attempt(self.orders.remember)  # the breaker is read also when this fails

    async def _follow(self) -> None:
        await self.switch.opened()
        duty = self.duties[DeskDuty.FOLLOW_MARKET]
        async for state in follow(self.settings.redis_url, duty.succeeded):
            await duty.attempt(partial(self.see, state))

    @property
    def ready(self) -> bool:
        """Whether the book has been read."""
        return self.writer.book is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way: no command, no order or cancellation to the venue, no day, no halt."""
        book = self.writer.opened
        return not (
            not self.writer.trusted
            or self.writer.waiting
            or self.writer.in_doubt
            or self.pnl.due
            or book.waiting.to_send
            or not self.switch.agreed
            or self.dispatch.date != book.trading_date
        )

    @property
    def late(self) -> list[str]:
        """The duties that have not succeeded for some time."""
        return [duty.duty for duty in self.duties.values() if duty.age > LATE_SECONDS]

    @property
    def failing(self) -> list[str]:
        """The duties whose last run failed."""
        return [duty.duty for duty in self.duties.values() if duty.error is not None]

    # --- the market

    async def see(self, state: MarketState) -> None:
        """Takes a state of the market: values the book, and has done what the day and the loss demand.

        Raises `StateRefused` for a state that is older than the present one, or of a date that the session does not
        allow, and `NotConfirmed` for a new date while the session does not answer.
        """
        book = self.writer.opened
        self._check_age(state)
        await self._check_date(book, state)
        SYMBOL.know(state.quotes)
        self.market = self.dispatch.market = state
        valuation = self._value()
        if valuation is not None and not valuation.partial:
            self._valued_at = self._now()
        if not state.open and len(book.orders) > len(book.waiting.to_send):
            self.writer.ask_once("close", commands.close_session)
        self.dispatch.tick_now()

    def _check_age(self, state: MarketState) -> None:
        # A present state ahead of the clock says that the clock was set back: then the next one is taken.
        if self.market is not None and state.at < self.market.at <= self._now() + FUTURE_SECONDS:
            refuse(StateRefusal.OLD, f"the state of the market is {self.market.at - state.at:.1f} s older")

    async def _check_date(self, book: Book, state: MarketState) -> None:
        known = self.pnl.trading_date or book.trading_date
        if state.trading_date == known:
            return
        if known is not None and state.trading_date < known and state.trading_date != self.dispatch.mended:
            refuse(
                StateRefusal.TRADING_DATE, f"the state of the market is of {state.trading_date}, the desk is at {known}"
            )
        await self._date.confirm(state.trading_date)

    def _value(self) -> Valuation | None:
        """Values the present book in the present state of the market, and sees to its loss."""
        book, market = self.writer.opened, self.market
        if market is None:
            return None
        valuation = self.pnl.see(book, market)
        self.switch.show()
        today, limit = self.pnl.today, self.settings.daily_loss_limit
        assert today is not None
        if self.pnl.due:
            self.dispatch.send_now()
        if today.trips(book, limit):
            self.writer.ask_once("loss trip", partial(today.store, at=self._now()), first=True)
            self.switch.wake()
        elif not self.pnl.due and not today.is_stored(book, limit):
            self.writer.ask_once("mark", partial(today.store, at=self._now()))
        return valuation

    @property
    def valuation(self) -> Valuation | None:
        """The last valuation: one version of the book in one state of the market."""
        return self.pnl.valuation

    async def mend_trading_date(self) -> dt.date:
        """Goes to the trading date of the market data service, also to an earlier one. Returns it."""
        date = self.dispatch.mended = await self._date.ask()
        if date != self.pnl.trading_date:
            self.pnl.forget_today()
            logger.warning("a person has the trading date set to %s", date)
        return date

    async def reset_high_water_mark(self, reason: str, by: str) -> MarkReset | None:
        """Sets the high-water mark to the present equity. None if it is not known. Raises `Busy` or `NotStoredYet`."""
        valuation = self.valuation
        if valuation is None or valuation.partial:
            return None

        def reset(draft: Draft) -> MarkReset:
            self.pnl.forget_highest()  # here, because a mark that is applied next would set the old one again
            return commands.reset_high_water_mark(draft, valuation.equity, reason, by)

        return await answered(self.writer, reset)

    def _book_changed(self, book: Book, changed: Mapping[UUID, Order] | None) -> None:
        show_book(book)
        self.dispatch.book_changed(anew=changed is None)
        self.orders.book_changed(book, changed)
        self._value()
        self.switch.book_changed(anew=changed is None)
        if book.waiting.to_send:
            self.dispatch.send_now()
