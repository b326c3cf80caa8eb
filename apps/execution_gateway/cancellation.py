"""Cancels resting orders for a client, at the close of the session, or when the breaker is tripped."""

from __future__ import annotations

from uuid import UUID

from apps.catalogue import order_cancellations_total
from apps.database import Database
from apps.execution_gateway import ledger
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.errors import NotOpen, UnknownOrder
from apps.execution_gateway.fills import Fills
from apps.execution_gateway.holdings import Holdings
from apps.execution_gateway.models import RESTING, Order
from apps.vocabulary import Cancellation, OrderStatus


async def cancel(database: Database, broker: Broker, fills: Fills, order_id: UUID, reason: Cancellation) -> Order:
    """Cancels the unfilled rest of an order. Raises `UnknownOrder` or `NotOpen`."""
    async with database.connection() as connection:
        order = await ledger.find_order(connection, order_id)
    if order is None:
        raise UnknownOrder(f"no order has the id {order_id}")
    if order.status not in RESTING:
        raise NotOpen(f"the order is {order.status} and cannot be cancelled")
    await broker.cancel(order_id)
    await fills.book()
    async with database.connection() as connection:
        changed = await ledger.set_status(connection, order_id, OrderStatus.CANCELLED, only_from=RESTING, reason=reason)
        order = await ledger.find_order(connection, order_id) or order
    if not changed:
        raise NotOpen(f"the order is {order.status} and cannot be cancelled")
    order_cancellations_total.add(1, {"symbol": order.symbol, "side": order.side, "reason": reason})
    return order


def adding_risk(holdings: Holdings) -> list[Order]:
    """The resting orders that add risk, if all earlier resting orders that do not add risk are filled.

    Adding risk means that a position becomes larger in absolute terms, or crosses zero.
    """
    stay: list[Order] = []
    adding: list[Order] = []
    for order in sorted(holdings.open_orders, key=lambda o: (o.created_at, o.id)):
        if order.status in RESTING:
            adds = Holdings(holdings.book, stay).adds_risk(order.symbol, order.side, order.remaining)
            (adding if adds else stay).append(order)
    return adding
