"""The desk's side of the venue: sends it orders, cancellations and dates, and fetches its executions."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from apps.background import AWAY
from apps.execution_gateway import commands
from apps.execution_gateway.book import Position, adds_risk
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.duties import Wake, WatchedDuty
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.execution_gateway.pnl import Day, ProfitAndLoss
from apps.execution_gateway.switch import KillSwitch
from apps.execution_gateway.waiting import succeeded
from apps.execution_gateway.writer import Request, Writer
from apps.market import MarketState

SEND_SECONDS = 5.0
"""An order that the venue has not confirmed for this long is withdrawn: the quote that it was checked at is old."""
SENT_AT_ONCE = 25
BOOKED_AT_ONCE = 1000
"""How many executions are booked in one commit, so that other commands do not wait for very many."""


class Dispatch:
    """What the venue must be told is an obligation in the book. It is repeated until the venue has confirmed it."""

    def __init__(
        self,
        broker: Broker,
        writer: Writer,
        switch: KillSwitch,
        pnl: ProfitAndLoss,
        ticking: WatchedDuty,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._broker = broker
        self._writer = writer
        self._switch = switch
        self._pnl = pnl
        self._ticking = ticking
        self._now = now
        self._reported: set[UUID] = set()
        """Orders whose answer of the venue is on its way into the book."""
        self._booking: dict[Request[None], int] = {}
        """What `fetch` has asked to book, and the number of the last execution of each."""
        self._shown: MarketState | None = None
        """The last state of the market that the venue was given."""
        self.date: dt.date | None = None
        """The trading date that the venue has confirmed in this process."""
        self.market: MarketState | None = None
        self.mended: dt.date | None = None
        """The date that a person wants, also if it is an earlier one."""
        self.send_now, self.fetch_now, self.tick_now = Wake(), Wake(), Wake()

    def book_changed(self, anew: bool) -> None:
        """After each commit. `anew`: the book was read, and another process may have told the venue other things."""
        if anew:
            self.date = self._shown = None

    async def tick(self) -> None:
        """Gives the venue the state of the market, once the desk has begun its date."""
        market = self.market
        if market is None or market is self._shown:
            return
        if not market.trading_date == self.date == self._writer.opened.trading_date:
            return
        if await self._broker.see(market):
            self.fetch_now()
        self._shown = market

    async def send(self) -> None:
        """Sends the venue a new date, orders and cancellations, again and again until it has confirmed them."""
        await self._begin_day()
        if self._shown is None or self._shown.trading_date != self.date:
            # The venue refuses the first order of a process or of a date if it has not seen that the market is open.
            await self._ticking.attempt(self.tick)
        # New orders first: one that reduces risk must not wait for thousands of cancellations.
        waiting = sorted(
            (
                order
                for order in self._writer.opened.waiting.to_send.values()
                if order.id not in self._reported and not self._must_wait(order)  # nor hold up those behind it
            ),
            key=lambda o: (o.cancelling is not None, o.created_at),
        )
        if len(waiting) > SENT_AT_ONCE:
            self.send_now()
        await self._send([order.id for order in waiting[:SENT_AT_ONCE]])

    async def _send(self, ids: Sequence[UUID]) -> None:
        accepted: list[UUID] = []
        refused: dict[UUID, str] = {}
        ended: dict[UUID, bool] = {}
        problem: Exception | None = None
        try:
            for order_id in ids:
                order = self._writer.opened.orders.get(order_id)  # it may have changed since the last one was sent
                if order is None or self._must_wait(order):
                    continue
                try:
                    if order.cancelling is not None or self._is_late(order):
                        ended[order_id] = await self._broker.cancel(order_id)
                    else:
                        await self._broker.submit(order)
                        accepted.append(order_id)
                except VenueRejected as refusal:
                    refused[order_id] = str(refusal)
                except AWAY:
                    raise
                except Exception as error:  # about this order only: the others must not wait for it
                    problem = error
            executions, complete = await self._executions() if ended or accepted else ([], True)
        except BaseException:
            self._report(accepted, refused, {}, [])  # what is known is told, also when the rest failed
            self.fetch_now()
            raise
        if not complete:
            self.fetch_now()
        # A cancelled order ends only when all its fills are booked: its reservation covers those before.
        self._report(accepted, refused, ended if complete else {}, executions)
        if problem is not None:
            raise problem

    def _must_wait(self, order: Order) -> bool:
        """Whether a trip is being stored, which decides what becomes of a new order that adds risk."""
        if not self._switch.halting or order.cancelling is not None or self._is_late(order):
            return False
        held = self._writer.opened.positions.get(order.symbol, Position())
        return adds_risk(held.shares, order.side, order.remaining)

    def _is_late(self, order: Order) -> bool:
        return self._now() - order.created_at.timestamp() > SEND_SECONDS

    def _report(
        self,
        accepted: Sequence[UUID],
        refused: Mapping[UUID, str],
        ended: Mapping[UUID, bool],
        executions: Sequence[Execution],
    ) -> None:
        if not (accepted or refused or ended):
            return

        def report(draft: Draft) -> None:
            for order_id in accepted:
                commands.accept(draft, order_id)
            for order_id, message in refused.items():
                commands.refuse(draft, order_id, message)
            commands.book_executions(draft, executions)
            for order_id, taken in ended.items():
                commands.end(draft, order_id, taken)

        ids = {*accepted, *refused, *ended}
        self._reported |= ids
        self._writer.ask(report).done.add_done_callback(lambda _: self._reported.difference_update(ids))

    async def fetch(self) -> None:
        """Fetches executions that are not booked yet, and the next ones while those are being booked."""
        if len(self._booking) == 2:
            return
        after = max(self._writer.opened.booked_seq, *self._booking.values(), 0)
        executions, complete = await self._executions(after)
        if not executions:
            return
        request = self._writer.ask(partial(commands.book_executions, executions=executions, after=after))
        self._booking[request] = executions[-1].seq
        request.done.add_done_callback(lambda _: self._booked(request))
        if not complete:
            self.fetch_now()

    def _booked(self, request: Request[None]) -> None:
        del self._booking[request]
        self.fetch_now()

    async def _executions(self, after: int | None = None) -> tuple[Sequence[Execution], bool]:
        """The next executions to book, and whether these are all."""
        if after is None:
            after = self._writer.opened.booked_seq
        executions = await self._broker.executions_after(after, BOOKED_AT_ONCE)
        return executions, len(executions) < BOOKED_AT_ONCE

    async def _begin_day(self) -> None:
        """Begins the newest date at the venue, then books what the venue filled before, then stores the date."""
        due = list(self._pnl.due)
        date = due[-1].trading_date if due else self._writer.opened.trading_date
        if date is None:
            return
        if date != self.date:
            await self._broker.begin_day(date)
            self.date = date
        if not due or self._writer.is_asked("day"):
            return
        executions, complete = await self._executions()
        if not complete:
            self.fetch_now()
            return
        last = due[-1]
        mends = last.trading_date == self.mended

        def begin(draft: Draft) -> None:
            commands.book_executions(draft, executions)
            for day in due:
                begins = commands.set_day if mends and day is last else commands.start_day
                begins(draft, day.trading_date, day.previous_closes)
                day.store(draft, self._now())

        request = self._writer.ask_once("day", begin)
        if request is not None:
            request.done.add_done_callback(lambda done: self._days_stored(done, due, mends))

    def _days_stored(self, done: asyncio.Future[object], days: list[Day], mended: bool) -> None:
        if succeeded(done):
            self._pnl.stored(days)
            if mended and days[-1].trading_date == self.mended:
                self.mended = None
        self.send_now()
