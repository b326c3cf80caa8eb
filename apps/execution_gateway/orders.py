"""Takes orders and cancellations from clients, and tells their outcomes as they become known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4

import asyncpg

from apps.background import AWAY
from apps.catalogue import order_placement_duration_seconds, orders_outcome_unknown
from apps.database import Database
from apps.execution_gateway import commands, ledger, waiting
from apps.execution_gateway.book import Book
from apps.execution_gateway.commands import Arrival
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.duties import Wake, WatchedDuty
from apps.execution_gateway.errors import Busy, Failed, NotOpen, OutcomeUnknown, Rejected, UnknownOrder
from apps.execution_gateway.models import OPEN, Order, OrderRequest
from apps.execution_gateway.switch import KillSwitch
from apps.execution_gateway.waiting import succeeded, within
from apps.execution_gateway.writer import Writer
from apps.market import MarketState
from apps.vocabulary import Cancellation, OrderStatus, Rejection

QUEUE = 200
"""How many commands and unsent orders may wait before a new order is refused as busy.

The last of them must reach the venue before it is late, also if the venue takes only 50 in a second.
"""
REFUSALS = 10_000
"""How many refusals of an outage wait to be stored."""
KNOWN_IDS = 100_000
ENDED_ORDERS = 1_000


class Orders:
    """The orders of clients, from their arrival to their outcome.

    `market` is the present state of the market, and when the book was last valued. `reading` is the duty of reading
    the breaker.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        switch: KillSwitch,
        market: Callable[[], tuple[MarketState | None, float | None]],
        reading: WatchedDuty,
        send_now: Wake,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._writer = writer
        self._switch = switch
        self._market = market
        self._reading = reading
        self._send_now = send_now
        self._now = now
        self._unsent: set[UUID] = set()
        """Orders that are stored, and that the venue has not confirmed yet."""
        self._known: dict[str, Order] = {}
        """The newest orders by client_order_id."""
        self.remembers = False
        """Whether the orders of other processes are known, too."""
        self._placing: dict[UUID, str | None] = {}
        """Orders that are on their way to PostgreSQL, with their client_order_id, the first one first."""
        self._ended: dict[UUID, Order] = {}
        self._told_unknown: set[UUID] = set()
        self._awaited: dict[UUID, list[tuple[Callable[[Order], bool], asyncio.Future[Order]]]] = {}

    async def remember(self) -> None:
        """Reads the newest orders, to know a client_order_id that is repeated while PostgreSQL is away."""
        if not self.remembers:
            known = self._known
            async with self._database.connection() as connection:
                earlier = await ledger.find_newest_known(connection)
            if known is self._known:  # the book was not read anew meanwhile
                self._known, self.remembers = {**earlier, **known}, True

    async def place(self, request: OrderRequest) -> tuple[Order, bool]:
        """Returns the order, and whether it is new. With a known client_order_id it is the first order with that id.

        Raises an `OrderError`: `Rejected`, `ClientOrderIdConflict`, `Busy`, `OutcomeUnknown` or `Failed`.
        """
        with order_placement_duration_seconds.time({"symbol": request.symbol, "side": request.side}):
            order, new = await self._place(request)
        if order.status is OrderStatus.REJECTED:
            raise Rejected(
                Rejection(order.reason or Rejection.VENUE_REJECTED), order.message or "the order was refused"
            )
        if order.status is OrderStatus.FAILED:
            raise Failed(order.message or "the order could not be placed")
        return order, new

    async def _place(self, request: OrderRequest) -> tuple[Order, bool]:
        if self._writer.book is None:
            raise Busy("the book has not been read from PostgreSQL yet")
        market, valued_at = self._market()
        arrival = Arrival(
            uuid4(), request, self._now(), market, valued_at, halting=self._switch.halting, unread=self._switch.unread
        )
        if arrival.unread and (known := self._while_unread(arrival)) is not None:
            return known
        if self._writer.waiting + len(self._unsent) >= QUEUE:
            raise Busy(f"{QUEUE} commands and orders are waiting")
        deadline = time.monotonic() + waiting.ANSWER_SECONDS
        order, new = await self._store(arrival)
        if order.status is OrderStatus.PENDING:
            self._send_now()
            try:
                order = await self._outcome(
                    order, lambda o: o.status is not OrderStatus.PENDING, deadline - time.monotonic()
                )
            except TimeoutError:
                raise self._unknown(order.id, request) from None
        return order, new

    async def _store(self, arrival: Arrival) -> tuple[Order, bool]:
        client_order_id = arrival.request.client_order_id
        asked = self._writer.ask(partial(commands.place, arrival=arrival), client_order_id=client_order_id)
        self._placing[arrival.id] = client_order_id
        asked.done.add_done_callback(partial(self._stored, arrival))
        try:
            return await within(waiting.ANSWER_SECONDS, asked.done)
        except TimeoutError:
            if self._writer.withdraw(asked):
                raise Busy("the order could not be stored in time") from None
            raise self._unknown(self._first_placing(client_order_id) or arrival.id, arrival.request) from None
        except asyncpg.PostgresError as error:
            raise Failed(f"{type(error).__name__}: the order could not be stored") from error

    def _stored(self, arrival: Arrival, done: asyncio.Future[tuple[Order, bool]]) -> None:
        del self._placing[arrival.id]
        # Only an order that is stored has an outcome that is still to come.
        if not succeeded(done) or done.result()[0].id != arrival.id:
            self._told_unknown.discard(arrival.id)
            self._show_unknown()

    def _while_unread(self, arrival: Arrival) -> tuple[Order, bool] | None:
        """Answers with what is in memory, if that is enough to know the answer while the breaker cannot be read.

        Refuses an order that adds risk. The refusal is stored later.
        """
        request = arrival.request
        if request.client_order_id is not None:
            first = self._first(request.client_order_id, request)
            if first is not None:
                draft = Draft(self._writer.opened, self._writer.settings, {request.client_order_id: first})
                order, _ = commands.place(draft, arrival)
                if order.status is OrderStatus.PENDING:
                    raise self._unknown(order.id, request)
                return order, False
        if self._writer.opened.adds_risk(request.symbol, request.side, request.qty):
            if self._writer.waiting >= REFUSALS:
                raise Busy(f"PostgreSQL does not answer, and {REFUSALS} refusals wait to be stored")
            refused = replace(arrival, refused=True)
            self._writer.ask(partial(commands.place, arrival=refused), client_order_id=request.client_order_id)
            raise Rejected(Rejection.BREAKER_UNKNOWN, commands.UNREAD)
        if isinstance(self._reading.error, AWAY):
            raise Busy("PostgreSQL does not answer")
        return None

    def _first(self, client_order_id: str, request: OrderRequest) -> Order | None:
        """The earlier order with that id. Raises `OutcomeUnknown` if one is on its way, `Busy` if nobody can know."""
        placing = self._first_placing(client_order_id)
        if placing is not None:
            raise self._unknown(placing, request)
        if not self.remembers:
            raise Busy("PostgreSQL does not answer, and the client_order_id may be known")
        return self._known.get(client_order_id)

    def _first_placing(self, client_order_id: str | None) -> UUID | None:
        if client_order_id is None:
            return None
        return next((order_id for order_id, of in self._placing.items() if of == client_order_id), None)

    async def cancel(self, order_id: UUID, reason: Cancellation) -> Order:
        """Cancels the unfilled rest of an order. Raises `UnknownOrder`, `NotOpen`, `Busy` or `OutcomeUnknown`."""
        deadline = time.monotonic() + waiting.ANSWER_SECONDS
        if self._writer.book is None:
            raise Busy("the book has not been read from PostgreSQL yet")
        if order_id not in self._writer.opened.orders:
            async with self._database.snapshot() as connection:
                stored = await ledger.find_order(connection, order_id)
            if stored is None:
                raise UnknownOrder(f"no order has the id {order_id}")
            if order_id not in self._writer.opened.orders:
                raise NotOpen(f"the order is {stored.status} and cannot be cancelled")
        if self._writer.waiting >= QUEUE:
            raise Busy(f"{QUEUE} commands are waiting")
        asked = self._writer.ask(partial(commands.cancel, order_id=order_id, reason=reason))
        try:
            order = await within(deadline - time.monotonic(), asked.done)
            self._send_now()
            order = await self._outcome(order, lambda o: o.status not in OPEN, deadline - time.monotonic())
        except TimeoutError:
            if self._writer.withdraw(asked):
                raise Busy("the cancellation could not be stored in time") from None
            raise OutcomeUnknown(order_id) from None
        if order.status is not OrderStatus.CANCELLED:
            raise NotOpen(f"the order is {order.status} and cannot be cancelled")
        return order

    async def _outcome(self, order: Order, reached: Callable[[Order], bool], seconds: float) -> Order:
        """Waits until a commit makes the order such. Raises TimeoutError."""
        # It may have ended in the same commit that answered: then no later one changes it.
        now = self._present(order.id)
        if now is not None and reached(now):
            return now
        future: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(order.id, []).append((reached, future))
        try:
            return await within(seconds, future)
        finally:
            left = [one for one in self._awaited.pop(order.id, []) if one[1] is not future]
            if left:
                self._awaited[order.id] = left

    def _present(self, order_id: UUID) -> Order | None:
        return self._writer.opened.orders.get(order_id) or self._ended.get(order_id)

    def _unknown(self, order_id: UUID, request: OrderRequest) -> OutcomeUnknown:
        present = self._present(order_id)
        if order_id in self._placing or (present is not None and present.status is OrderStatus.PENDING):
            self._told_unknown.add(order_id)
            self._show_unknown()
        return OutcomeUnknown(order_id, request.client_order_id)

    def _show_unknown(self) -> None:
        orders_outcome_unknown.set(len(self._told_unknown))

    def book_changed(self, book: Book, changed: Mapping[UUID, Order] | None) -> None:
        """After each commit, with the orders that it changed. None: the book was read anew."""
        if changed is None:
            self._known, self.remembers = {}, False
            self._told_unknown &= {*book.orders, *self._placing}  # another process may have ended others
            self._unsent = {order.id for order in book.orders.values() if order.status is OrderStatus.PENDING}
        for order in (changed or {}).values():
            self._order_changed(order)
        self._show_unknown()

    def _order_changed(self, order: Order) -> None:
        if order.client_order_id is not None:
            self._known[order.client_order_id] = order
            if len(self._known) > KNOWN_IDS:
                del self._known[next(iter(self._known))]
        if order.status is OrderStatus.PENDING:
            self._unsent.add(order.id)
        else:
            self._unsent.discard(order.id)
            self._told_unknown.discard(order.id)
        if order.status not in OPEN:
            self._ended[order.id] = order
            if len(self._ended) > ENDED_ORDERS:
                del self._ended[next(iter(self._ended))]
        for reached, future in self._awaited.get(order.id, ()):
            if reached(order) and not future.done():
                future.set_result(order)
