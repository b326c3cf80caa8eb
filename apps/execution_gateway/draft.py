"""The next version of a book while commands are applied to it, and what must be stored with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from apps.execution_gateway.book import ZERO, Book, Breaker, Position, Waiting
from apps.execution_gateway.events import Cancelled, Event, Filled, Placed, RiskAdded, SetAside
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import OPEN, Order
from apps.execution_gateway.reservation import reserved
from apps.execution_gateway.settings import Settings
from apps.vocabulary import Cancellation, OrderStatus, PlacementStatus, Rejection, Side


@dataclass(frozen=True, slots=True)
class MarkReset:
    """A person set the high-water mark."""

    reason: str
    by: str
    before: Decimal
    after: Decimal


class Draft:
    """A copy of a book that commands change. A command that raises must not have changed anything.

    `known` holds earlier orders by client_order_id, which are not open any more or may not be.
    """

    def __init__(
        self,
        book: Book,
        settings: Settings,
        known: Mapping[str, Order] | None = None,
    ) -> None:
        self.settings = settings
        self.events: list[Event] = []
        self.known = dict(known or {})
        self.changed_orders: dict[UUID, Order] = {}
        self.changed_positions: set[str] = set()
        self.fills: list[Execution] = []
        self.set_aside: list[SetAside] = []
        self.breaker_changes: list[Breaker] = []
        self.mark_resets: list[MarkReset] = []
        self._book = book
        self._positions = dict(book.positions)
        self._orders = dict(book.orders)
        self._shares = dict(book.waiting.shares)
        self._reserved = book.waiting.cash
        self._buys = book.waiting.buys
        self._to_send = dict(book.waiting.to_send)
        self._now = book
        self._stale = True
        self._new: dict[str, Any] = {}
        """The fields that were set since `_now` was made. A commit of many fills sets them often, and reads few."""

    @property
    def book(self) -> Book:
        """The book with all that was applied so far. Its maps go on changing with the draft."""
        if self._stale:
            self._now = replace(
                self._now,
                positions=MappingProxyType(self._positions),
                orders=MappingProxyType(self._orders),
                waiting=Waiting(
                    MappingProxyType(self._shares), self._reserved, self._buys, MappingProxyType(self._to_send)
                ),
                **self._new,
            )
            self._new = {}
            self._stale = False
        return self._now

    def _get(self, name: str) -> Any:
        """A field of the book, without making the whole book."""
        return self._new[name] if name in self._new else getattr(self._now, name)

    @property
    def changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(
            self.changed_orders
            or self.fills
            or self.set_aside
            or self.breaker_changes
            or self.mark_resets
            or self.changed_positions
            or self._scalars(self.book) != self._scalars(self._book)
        )

    def is_new(self, order: Order) -> bool:
        """Whether the order is not in the book that this draft began with."""
        return order.id not in self._book.orders

    def finished(self, version: int, at: float) -> Book:
        """The book after all commands, with maps of its own."""
        return replace(
            self.book,
            version=version,
            at=at,
            positions=MappingProxyType(dict(self._positions)),
            orders=MappingProxyType(dict(self._orders)),
            waiting=Waiting(
                MappingProxyType(dict(self._shares)),
                self._reserved,
                self._buys,
                MappingProxyType(dict(self._to_send)),
            ),
        )

    def set(self, **fields: object) -> None:
        """Sets fields of the book that are neither positions nor orders."""
        self._new.update(fields)
        self._stale = True

    def put_order(self, order: Order) -> None:
        """Adds or changes an order. One that is not open any more leaves the book."""
        before = self._orders.get(order.id)
        if before is not None:
            self._wait(before, -1)
        if order.status in OPEN:
            self._orders[order.id] = order
            self._wait(order, 1)
        else:
            self._orders.pop(order.id, None)
        self.changed_orders[order.id] = order
        if order.client_order_id is not None:
            self.known[order.client_order_id] = order
        self._stale = True

    def put_position(self, symbol: str, position: Position) -> None:
        """Changes a position. A closed one leaves the book."""
        if position.shares:
            self._positions[symbol] = position
        else:
            self._positions.pop(symbol, None)
        self.changed_positions.add(symbol)

    def change_breaker(self, breaker: Breaker) -> None:
        """Changes the state of the breaker. The venue has not confirmed it yet."""
        self.breaker_changes.append(breaker)
        self.set(breaker=breaker)

    def book_execution(self, execution: Execution) -> None:
        """Books an execution, or sets it aside if it does not fit its order. One that was booked changes nothing."""
        if execution.seq <= self._get("booked_seq"):
            return
        held = self._positions.get(execution.symbol, Position())
        order = self._orders.get(execution.order_id)
        if self._get("halt").covers(execution.seq) and abs(held.shares + execution.side.sign * execution.qty) > abs(
            held.shares
        ):
            self.events.append(RiskAdded(execution))
        problem = "there is no open order with its id" if order is None else _problem(order, execution)
        if order is None or problem is not None:
            self.set_aside.append(SetAside(execution, problem or ""))
            self.events.append(self.set_aside[-1])
            self.set(booked_seq=execution.seq, set_aside=self._get("set_aside") + 1)
            return
        if order.status is OrderStatus.PENDING:  # the venue has it, so it is accepted
            self.events.append(Placed(order, PlacementStatus.SUCCESS))
        filled = order.filled_qty + execution.qty
        status = OrderStatus.FILLED if filled == order.qty else OrderStatus.PARTLY_FILLED
        self.put_order(order.model_copy(update={"filled_qty": filled, "status": status}))
        position, realized = held.after(execution.side, execution.qty, execution.price)
        self.put_position(execution.symbol, position)
        self.fills.append(execution)
        self.set(
            booked_seq=execution.seq,
            cash=self._get("cash") - execution.side.sign * execution.qty * execution.price - execution.fee,
            realized=self._get("realized") + realized - execution.fee,
        )
        self.events.append(Filled(order, execution))

    def cancel_order(self, order: Order, reason: Cancellation) -> None:
        """Ends an open order as cancelled. If it was still pending, it counts as accepted first."""
        if order.status is OrderStatus.PENDING:
            self.events.append(Placed(order, PlacementStatus.SUCCESS))
        self.events.append(Cancelled(order, reason))
        self.put_order(order.model_copy(update={"status": OrderStatus.CANCELLED, "reason": reason, "cancelling": None}))

    def reject_order(self, order: Order, reason: Rejection, message: str) -> None:
        """Ends an order, new or pending, as rejected."""
        rejected = order.model_copy(
            update={"status": OrderStatus.REJECTED, "reason": reason, "message": message, "cancelling": None}
        )
        self.put_order(rejected)
        self.events.append(Placed(rejected, PlacementStatus.REJECTED))

    def fail_order(self, order: Order, message: str) -> None:
        """Ends a pending order that the venue never had."""
        self.put_order(order.model_copy(update={"status": OrderStatus.FAILED, "message": message, "cancelling": None}))
        self.events.append(Placed(order, PlacementStatus.FAILED))

    def _wait(self, order: Order, sign: int) -> None:
        key = (order.symbol, order.side)
        shares = self._shares.get(key, 0) + sign * order.remaining
        if shares:
            self._shares[key] = shares
        else:
            self._shares.pop(key, None)
        if order.side is Side.BUY:
            self._reserved += sign * reserved(order, self.settings)
            self._buys += sign
        if sign > 0 and must_be_sent(order):
            self._to_send[order.id] = order
        else:
            self._to_send.pop(order.id, None)

    @staticmethod
    def _scalars(book: Book) -> tuple[object, ...]:
        return (
            book.cash, book.realized, book.high_water_mark, book.trading_date, book.start_of_day_equity,
            book.daily_loss_ratio, book.loss_tripped_on, book.booked_seq, book.halt,
        )  # fmt: skip


def waiting(orders: Mapping[UUID, Order], settings: Settings) -> Waiting:
    """The sums of open orders, counted anew."""
    shares: dict[tuple[str, Side], int] = {}
    cash, buys = ZERO, 0
    for order in orders.values():
        key = (order.symbol, order.side)
        shares[key] = shares.get(key, 0) + order.remaining
        if order.side is Side.BUY:
            cash += reserved(order, settings)
            buys += 1
    to_send = {order.id: order for order in orders.values() if must_be_sent(order)}
    return Waiting(
        MappingProxyType({key: count for key, count in shares.items() if count}),
        cash,
        buys,
        MappingProxyType(to_send),
    )


def must_be_sent(order: Order) -> bool:
    """Whether the venue must be told something about this open order."""
    return order.status is OrderStatus.PENDING or order.cancelling is not None


def _problem(order: Order, execution: Execution) -> str | None:
    if (order.symbol, order.side) != (execution.symbol, execution.side):
        return f"its order is to {order.side} {order.symbol}"
    if execution.qty <= 0 or execution.qty > order.remaining:
        return f"only {order.remaining} shares of its order are open"
    if not execution.price.is_finite() or execution.price <= 0 or not execution.fee.is_finite():
        return "its price or fee is not a number that can be booked"
    return None
