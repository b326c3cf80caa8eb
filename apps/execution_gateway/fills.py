"""Books the fills of the venue and records their metrics. Each fill is booked exactly once, also after a crash."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal

from apps.catalogue import (
    fees_dollars_total,
    filled_notional_dollars_total,
    order_fill_duration_seconds,
    order_fills_total,
    order_price_improvement_bps,
    order_slippage_bps,
)
from apps.database import Database
from apps.execution_gateway import ledger
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order

logger = logging.getLogger(__name__)


class Fills:
    """Copies fills from the venue's book to ours."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._turn = asyncio.Lock()

    async def book(self) -> int:
        """Books every fill that is not booked yet. Returns how many."""
        async with self._turn:
            async with self._database.connection() as connection:
                last = await ledger.last_execution(connection)
            executions = await self._broker.executions_after(last)
            for execution in executions:
                async with self._database.transaction() as connection:
                    order = await ledger.book_fill(connection, execution)
                record(order, execution)
            return len(executions)


def record(order: Order, execution: Execution) -> None:
    """Records the metrics of a booked fill."""
    side = {"side": execution.side}
    order_fills_total.add(1, {"symbol": execution.symbol, **side})
    filled_notional_dollars_total.add(execution.qty * execution.price, side)
    fees_dollars_total.add(execution.fee)
    order_fill_duration_seconds.record(max(0.0, (execution.at - order.created_at).total_seconds()), side)
    if order.arrival_price:
        worse = slippage_bps(order.arrival_price, execution)
        if worse >= 0:
            order_slippage_bps.record(worse, side)
        else:
            order_price_improvement_bps.record(-worse, side)


def slippage_bps(arrival_price: Decimal, execution: Execution) -> Decimal:
    """Basis points by which the fill is worse than the quote at arrival. Negative if it is better."""
    return execution.side.sign * (execution.price / arrival_price - 1) * 10_000
