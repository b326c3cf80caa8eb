"""Resting orders are cancelled for a client, at the close of the session, or when the breaker is tripped."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest

from apps.catalogue import open_orders, order_cancellations_total
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import NotOpen, UnknownOrder
from apps.execution_gateway.models import Order
from apps.vocabulary import Cancellation, OrderStatus
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import opened, order, shares, stored
from tests.apps.markets import market

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


async def place(desk: Desk, symbol: str, side: str, qty: int, limit: str | None = None) -> Order:
    more = {} if limit is None else {"order_type": "limit", "limit_price": limit}
    placed, _ = await desk.placement.place(order(symbol, side, qty, **more))
    return placed


async def test_a_client_cancels_a_resting_order(desk: Desk, recorded: Recorded) -> None:
    resting = await place(desk, "AAPL", "buy", 10, "95")

    cancelled = await desk.cancel(resting.id, Cancellation.CLIENT)
    await desk.see(market({**PRICES, "AAPL": 90}))

    assert (cancelled.status, cancelled.reason, cancelled.filled_qty) == (OrderStatus.CANCELLED, "client", 0)
    assert await stored(desk, resting) == cancelled
    assert await shares(desk) == {}
    assert recorded(order_cancellations_total, symbol="AAPL", side="buy", reason="client") == 1


async def test_shares_that_were_filled_before_a_cancellation_stay_filled(database_url: str) -> None:
    async with opened(database_url, max_shares_per_tick=4) as desk:
        await desk.see(market(PRICES))
        resting = await place(desk, "AAPL", "buy", 10)
        await desk.broker.see(market(PRICES))  # the venue fills another part, which we have not booked yet

        cancelled = await desk.cancel(resting.id, Cancellation.CLIENT)

        assert (cancelled.status, cancelled.filled_qty) == (OrderStatus.CANCELLED, 8)
        assert await shares(desk) == {"AAPL": 8}


async def test_an_order_that_has_ended_cannot_be_cancelled(desk: Desk, recorded: Recorded) -> None:
    filled = await place(desk, "AAPL", "buy", 10)
    resting = await place(desk, "AAPL", "buy", 10, "95")
    await desk.cancel(resting.id, Cancellation.CLIENT)

    with pytest.raises(NotOpen, match="the order is filled"):
        await desk.cancel(filled.id, Cancellation.CLIENT)
    with pytest.raises(NotOpen, match="the order is cancelled"):
        await desk.cancel(resting.id, Cancellation.CLIENT)
    with pytest.raises(UnknownOrder, match="no order has the id"):
        await desk.cancel(uuid4(), Cancellation.CLIENT)
    assert recorded(order_cancellations_total, symbol="AAPL", side="buy", reason="client") == 1


async def test_several_cancellations_at_the_same_time_count_once(desk: Desk, recorded: Recorded) -> None:
    resting = await place(desk, "AAPL", "buy", 10, "95")

    answers = await asyncio.gather(
        *(desk.cancel(resting.id, Cancellation.CLIENT) for _ in range(3)), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["NotOpen", "NotOpen", "Order"]
    assert recorded(order_cancellations_total, symbol="AAPL", side="buy", reason="client") == 1


async def test_the_close_of_the_session_cancels_every_resting_order(desk: Desk, recorded: Recorded) -> None:
    await place(desk, "AAPL", "buy", 10)
    buy, sell = await place(desk, "MSFT", "buy", 10, "195"), await place(desk, "AAPL", "sell", 10, "105")
    await desk.see(market(PRICES))
    assert [recorded(open_orders, side=side) for side in ("buy", "sell")] == [1, 1]

    await desk.see(market(PRICES, is_open=False))
    await desk.see(market(PRICES, is_open=False))

    assert [(await stored(desk, o)).status for o in (buy, sell)] == [OrderStatus.CANCELLED] * 2
    assert recorded(order_cancellations_total, symbol="MSFT", side="buy", reason="session_closed") == 1
    assert recorded(order_cancellations_total, symbol="AAPL", side="sell", reason="session_closed") == 1
    assert [recorded(open_orders, side=side) for side in ("buy", "sell")] == [0, 0]


async def test_a_trip_cancels_orders_that_add_risk_and_keeps_orders_that_reduce_it(
    desk: Desk, recorded: Recorded
) -> None:
    await place(desk, "AAPL", "buy", 10)
    adding = await place(desk, "MSFT", "buy", 10, "195")
    more = await place(desk, "AAPL", "buy", 1, "95")
    reducing = await place(desk, "AAPL", "sell", 10, "105")

    await desk.trip("a test", "me")

    assert [(await stored(desk, o)).status for o in (adding, more, reducing)] == [
        OrderStatus.CANCELLED,
        OrderStatus.CANCELLED,
        OrderStatus.ACCEPTED,
    ]
    assert recorded(order_cancellations_total, symbol="MSFT", side="buy", reason="breaker") == 1
    await desk.see(market({**PRICES, "AAPL": 106}))
    assert await shares(desk) == {}


async def test_a_trip_cancels_an_order_that_would_cross_zero_after_the_orders_that_stay(database_url: str) -> None:
    async with opened(database_url, allow_short=True) as desk:
        await desk.see(market(PRICES))
        await place(desk, "AAPL", "buy", 100)
        first = await place(desk, "AAPL", "sell", 80, "105")
        second = await place(desk, "AAPL", "sell", 80, "106")
        third = await place(desk, "AAPL", "sell", 20, "107")

        await desk.trip("a test", "me")
        await desk.see(market({**PRICES, "AAPL": Decimal(108)}))

        assert [(await stored(desk, o)).status for o in (first, second, third)] == [
            OrderStatus.FILLED,
            OrderStatus.CANCELLED,
            OrderStatus.FILLED,
        ]
        assert await shares(desk) == {}
