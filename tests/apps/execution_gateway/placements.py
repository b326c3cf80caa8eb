"""Venues that fail, and what is true of every placement: it has one outcome, the same in answer, metrics and rows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from apps.catalogue import (
    order_rejections_total,
    orders_placed_total,
    orders_total,
)
from apps.execution_gateway import ledger
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.labels import PlacementLabels, RejectionLabels
from apps.vocabulary import OrderStatus, PlacementStatus, Rejection, Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    Venue,
)

COUNTED_AS = {
    OrderStatus.ACCEPTED: PlacementStatus.SUCCESS,
    OrderStatus.PARTLY_FILLED: PlacementStatus.SUCCESS,
    OrderStatus.FILLED: PlacementStatus.SUCCESS,
    OrderStatus.CANCELLED: PlacementStatus.SUCCESS,
    OrderStatus.REJECTED: PlacementStatus.REJECTED,
    OrderStatus.FAILED: PlacementStatus.FAILED,
}


@contextmanager
def exactly_one(
    recorded: Recorded, status: PlacementStatus, symbol: str = "AAPL", side: Side = Side.BUY, times: int = 1
) -> Iterator[None]:
    """Fails unless the block raises the count of this status by `times`, and of no other status."""

    def counts() -> Counter[str]:
        return Counter(
            {
                s: int(recorded(orders_total, PlacementLabels(symbol=symbol, side=side, status=s)) or 0)
                for s in PlacementStatus
            }
        )

    before, everything, placed = (
        counts(),
        sum(orders_total.values().values()),
        sum(orders_placed_total.values().values()),
    )
    yield
    assert counts() - before == Counter({status: times})
    assert sum(orders_total.values().values()) == everything + times
    accepted = times if status is PlacementStatus.SUCCESS else 0
    assert sum(orders_placed_total.values().values()) == placed + accepted


async def all_orders(desk: Desk) -> list[Order]:
    async with desk.database.connection() as connection:
        return await ledger.find_orders(connection, limit=10_000)


async def assert_counters_equal_the_rows(desk: Desk, recorded: Recorded) -> None:
    """Compares the counts of AAPL since the test began with what is stored. No order may be pending."""
    orders = await all_orders(desk)
    counted = {
        (side, status): recorded(orders_total, PlacementLabels(symbol="AAPL", side=side, status=status))
        for side in Side
        for status in PlacementStatus
    }
    rows = Counter((o.side, COUNTED_AS[o.status]) for o in orders)
    assert counted == {key: rows[key] for key in counted}
    refused = Counter(o.reason for o in orders if o.status is OrderStatus.REJECTED)
    assert {r: recorded(order_rejections_total, RejectionLabels(reason=r)) for r in Rejection} == {
        r: refused[r] for r in Rejection
    }


class Refusing(Venue):
    """Refuses every order."""

    async def submit(self, order: Order) -> None:
        raise VenueRejected("not today")


class Breaking(Venue):
    """Raises an error before the venue has the order."""

    async def submit(self, order: Order) -> None:
        raise ConnectionError("no route")


class LosingTheAnswer(Venue):
    """Takes the order, but the answer is lost, and so are its executions."""

    async def submit(self, order: Order) -> None:
        await self.real.submit(order)
        raise TimeoutError

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        return []


class Waiting(Venue):
    """Takes the order only when the test allows it."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()

    async def submit(self, order: Order) -> None:
        self.arrived.set()
        await self.go.wait()
        await self.real.submit(order)
