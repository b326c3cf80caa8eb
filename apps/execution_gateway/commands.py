"""The commands that change the book. Each is a pure function of a draft: the writer decides when it is committed.

A command that raises has changed nothing. Only `place` raises, and it stores a refusal before that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from apps.execution_gateway.book import ZERO, Breaker, orders_adding_risk
from apps.execution_gateway.draft import Draft, MarkReset
from apps.execution_gateway.errors import ClientOrderIdConflict, NotOpen, Rejected
from apps.execution_gateway.events import DayStarted, Placed, Reset, Tripped
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import RESTING, Order, OrderRequest
from apps.execution_gateway.reservation import worst_price
from apps.execution_gateway.risk import check
from apps.execution_gateway.valuation import equity_at
from apps.market import MarketState
from apps.vocabulary import BreakerState, Cancellation, OrderStatus, PlacementStatus, Rejection, TripReason

UNREAD = "the circuit breaker cannot be read, and the order adds risk"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order as it arrived, with what the desk knew at that moment.

    `halting` says that a trip was asked for. `unread` says that the breaker could not be read: then the order is
    refused if it adds risk. `refused` says that its client was told so already: then it is refused in any case.
    """

    id: UUID
    request: OrderRequest
    at: float
    market: MarketState | None
    valued_at: float | None
    halting: bool = False
    unread: bool = False
    refused: bool = False


def place(draft: Draft, arrival: Arrival) -> tuple[Order, bool]:
    """Checks and stores an order. Returns the order and whether it is new.

    A new order is pending: it must be sent. A refused one is stored as rejected. With a known client_order_id the
    answer is the first order with that id. Raises `ClientOrderIdConflict` if that was another order.
    """
    request = arrival.request
    first = None if request.client_order_id is None else draft.known.get(request.client_order_id)
    if first is not None:
        if not _is_same(first, request):
            raise ClientOrderIdConflict(f"client_order_id {request.client_order_id!r} belongs to another order")
        return draft.book.orders.get(first.id, first), False
    order = Order(
        id=arrival.id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        qty=request.qty,
        order_type=request.order_type,
        limit_price=request.limit_price,
        status=OrderStatus.PENDING,
        filled_qty=0,
        reason=None,
        arrival_price=None,
        trading_date=None if arrival.market is None else arrival.market.trading_date,
        created_at=dt.datetime.fromtimestamp(arrival.at, dt.UTC),
    )
    try:
        if arrival.refused or (arrival.unread and draft.book.adds_risk(request.symbol, request.side, request.qty)):
            raise Rejected(Rejection.BREAKER_UNKNOWN, UNREAD)
        quote = check(
            request, draft.book, arrival.market, arrival.at, arrival.valued_at, arrival.halting, draft.settings
        )
    except Rejected as refusal:
        draft.reject_order(order, refusal.reason, str(refusal))
        return draft.changed_orders[order.id], True
    order = order.model_copy(
        update={"arrival_price": quote, "worst_price": worst_price(request, quote, draft.settings)}
    )
    draft.put_order(order)
    return order, True


def accept(draft: Draft, order_id: UUID) -> None:
    """The venue has taken the order."""
    order = draft.book.orders.get(order_id)
    if order is not None and order.status is OrderStatus.PENDING:
        draft.put_order(order.model_copy(update={"status": OrderStatus.ACCEPTED}))
        draft.events.append(Placed(order, PlacementStatus.SUCCESS))


def refuse(draft: Draft, order_id: UUID, message: str) -> None:
    """The venue has refused the order."""
    order = draft.book.orders.get(order_id)
    if order is not None and order.status is OrderStatus.PENDING:
        draft.reject_order(order, Rejection.VENUE_REJECTED, message)


def cancel(draft: Draft, order_id: UUID, reason: Cancellation) -> Order:
    """Notes that the rest of an open order is to be cancelled at the venue. Raises `NotOpen` if it has ended."""
    order = draft.book.orders.get(order_id)
    if order is None:
        raise NotOpen("the order has ended and cannot be cancelled")
    if order.cancelling is None:
        draft.put_order(order.model_copy(update={"cancelling": reason}))
    return draft.book.orders[order_id]


def end(draft: Draft, order_id: UUID, taken: bool) -> None:
    """The venue fills no more of the order, and all its fills are booked. `taken` is whether the venue ever had it."""
    order = draft.book.orders.get(order_id)
    if order is None:
        return
    if order.status is not OrderStatus.PENDING or taken or order.cancelling is Cancellation.CLIENT:
        draft.cancel_order(order, order.cancelling or Cancellation.LATE)
    elif order.cancelling is Cancellation.BREAKER:
        draft.reject_order(order, Rejection.BREAKER_TRIPPED, "the circuit breaker was tripped before it was sent")
    elif order.cancelling is Cancellation.SESSION_CLOSED:
        draft.reject_order(order, Rejection.MARKET_CLOSED, "the session ended before it was sent")
    else:
        draft.fail_order(order, "it could not be sent to the venue in time")


def book_executions(draft: Draft, executions: Sequence[Execution], after: int = 0) -> None:
    """Books executions in the order of the venue, if all up to number `after` are booked. Else changes nothing."""
    if draft.book.booked_seq < after:  # those before could not be booked, and must not be skipped
        return
    for execution in executions:
        draft.book_execution(execution)


def close_session(draft: Draft) -> None:
    """Notes that every open order is to be cancelled: orders are good for a day."""
    for order in list(draft.book.orders.values()):
        if order.status in RESTING and order.cancelling is None:
            draft.put_order(order.model_copy(update={"cancelling": Cancellation.SESSION_CLOSED}))


def start_day(draft: Draft, trading_date: dt.date, previous_closes: Mapping[str, Decimal]) -> None:
    """Begins a trading date: stores start-of-day equity, and ends the orders of other dates.

    The venue must have begun the date, and all its executions of other dates must be booked. A date that is not later
    than the present one changes nothing.
    """
    if draft.book.trading_date is not None and trading_date <= draft.book.trading_date:
        return
    set_day(draft, trading_date, previous_closes)


def set_day(draft: Draft, trading_date: dt.date, previous_closes: Mapping[str, Decimal]) -> None:
    """Begins a trading date as `start_day` does, also an earlier one: a person mends a wrong date with it."""
    book = draft.book
    for order in [o for o in book.orders.values() if o.trading_date != trading_date]:
        if order.status is OrderStatus.PENDING:
            reason = order.cancelling or Cancellation.SESSION_CLOSED
            draft.put_order(order.model_copy(update={"cancelling": reason}))
        else:
            draft.cancel_order(order, order.cancelling or Cancellation.SESSION_CLOSED)
    equity = equity_at(book, previous_closes)
    for symbol, position in book.positions.items():
        if symbol in previous_closes:
            draft.put_position(symbol, replace(position, last_price=previous_closes[symbol]))
    draft.set(trading_date=trading_date, start_of_day_equity=equity, daily_loss_ratio=ZERO)
    draft.events.append(DayStarted(f"trading date {trading_date} starts with an equity of {equity:.2f}"))


def mark(draft: Draft, trading_date: dt.date, loss: Decimal, equity: Decimal | None) -> None:
    """Stores a worse loss of that trading date, and a higher equity. Lower values change nothing."""
    if draft.book.trading_date == trading_date and loss > draft.book.daily_loss_ratio:
        draft.set(daily_loss_ratio=loss)
    if equity is not None and equity > draft.book.high_water_mark:
        draft.set(high_water_mark=equity)


def trip(draft: Draft, reason: str, by: str, at: float) -> Breaker:
    """Trips the breaker for a person. Changes nothing if it is tripped already."""
    if not draft.book.tripped:
        _trip(draft, reason, by, at)
        said = "by a person; GET /api/v1/circuit-breaker says who, and why"
        draft.events.append(Tripped(TripReason.MANUAL, said))
    return draft.book.breaker


def trip_for_loss(draft: Draft, trading_date: dt.date, why: str, at: float) -> None:
    """Trips the breaker for a daily loss, once per trading date. So a reset by a person holds until the next date."""
    if draft.book.loss_tripped_on == trading_date:
        return
    draft.set(loss_tripped_on=trading_date)
    if not draft.book.tripped:
        _trip(draft, why, "daily loss limit", at)
        draft.events.append(Tripped(TripReason.DAILY_LOSS, why))


def _trip(draft: Draft, reason: str, by: str, at: float) -> None:
    draft.change_breaker(Breaker(BreakerState.TRIPPED, reason, by, dt.datetime.fromtimestamp(at, dt.UTC)))
    open_orders = [order for order in draft.book.orders.values() if order.cancelling is None]
    for order in orders_adding_risk(draft.book, open_orders):
        draft.put_order(order.model_copy(update={"cancelling": Cancellation.BREAKER}))


def reset(draft: Draft, reason: str, by: str, at: float) -> Breaker:
    """Opens the breaker for a person, so that trading is allowed. Changes nothing if it is open already."""
    if draft.book.tripped:
        draft.change_breaker(Breaker(BreakerState.OPEN, reason, by, dt.datetime.fromtimestamp(at, dt.UTC)))
        draft.events.append(Reset())
    return draft.book.breaker


def confirm_halt(draft: Draft, halted: bool, seq: int) -> None:
    """The venue has confirmed that it is halted, or not any more. `seq` is its last execution before that."""
    if halted is draft.book.halt.confirmed:
        return
    if halted:
        draft.set(halt=replace(draft.book.halt, confirmed=True, began_at=seq, ended_at=None))
    else:
        draft.set(halt=replace(draft.book.halt, confirmed=False, ended_at=seq))


def reset_high_water_mark(draft: Draft, equity: Decimal, reason: str, by: str) -> MarkReset:
    """Sets the high-water mark to this equity for a person."""
    change = MarkReset(reason, by, draft.book.high_water_mark, equity)
    draft.mark_resets.append(change)
    draft.set(high_water_mark=equity)
    return change


def _is_same(order: Order, request: OrderRequest) -> bool:
    return (order.symbol, order.side, order.qty, order.order_type, order.limit_price) == (
        request.symbol,
        request.side,
        request.qty,
        request.order_type,
        request.limit_price,
    )
