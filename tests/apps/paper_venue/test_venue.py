"""The paper venue: fills in parts, limit orders, slippage, fees, and its own book."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.database import Connection, Database
from apps.execution_gateway.broker import VenueRejected
from apps.execution_gateway.models import Order
from apps.execution_gateway.risk import cost
from apps.execution_gateway.settings import Settings
from apps.paper_venue import SCHEMA, PaperVenue
from apps.vocabulary import OrderStatus, OrderType, Side
from tests.apps.markets import market


def wanted(side: Side = Side.BUY, qty: int = 10, limit: str | None = None, symbol: str = "AAPL") -> Order:
    return Order(
        id=uuid4(),
        client_order_id=None,
        symbol=symbol,
        side=side,
        qty=qty,
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=None if limit is None else Decimal(limit),
        status=OrderStatus.PENDING,
        filled_qty=0,
        reason=None,
        arrival_price=Decimal(100),
        trading_date=None,
        created_at=dt.datetime.now(dt.UTC),
    )


class LosingTheAnswer(Database):
    """A database that runs every statement. While the test sets `losing`, it then raises as if the answer was lost."""

    losing = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            yield connection
        if self.losing:
            raise TimeoutError


@asynccontextmanager
async def venue(url: str, **more: Any) -> AsyncIterator[PaperVenue]:
    database = Database(url, SCHEMA)
    await database.open()
    try:
        yield PaperVenue(database, Settings(**more))
    finally:
        await database.close()


@pytest.fixture
async def broker(database_url: str) -> AsyncIterator[PaperVenue]:
    """A venue with AAPL at 100. It fills 100 shares per tick, with 10 bp slippage and a fee of a cent per share."""
    async with venue(
        database_url, max_shares_per_tick=100, slippage_bps=Decimal(10), fee_per_share=Decimal("0.01")
    ) as started:
        await started.see(market({"AAPL": 100}))
        yield started


async def fills(broker: PaperVenue) -> list[tuple[int, Decimal, Decimal]]:
    return [(fill.qty, fill.price, fill.fee) for fill in await broker.executions_after(0)]


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.1"), (Side.SELL, "99.9")])
async def test_a_market_order_fills_at_once_at_the_quote_with_slippage(
    broker: PaperVenue, side: Side, price: str
) -> None:
    order = wanted(side)

    await broker.submit(order)

    (fill,) = await broker.executions_after(0)
    assert (fill.order_id, fill.symbol, fill.side, fill.qty) == (order.id, "AAPL", side, 10)
    assert [fill.price, fill.fee] == [Decimal(price), Decimal("0.10")]
    assert fill.trading_date == dt.date(2020, 3, 9)
    assert await broker.executions_after(fill.seq) == []
    assert await broker.shares() == {"AAPL": side.sign * 10}


async def test_a_large_order_fills_in_parts_with_one_part_per_tick(broker: PaperVenue) -> None:
    await broker.submit(wanted(qty=250))
    assert await fills(broker) == [(100, Decimal("100.1"), Decimal(1))]

    same = market({"AAPL": 101})
    assert await broker.see(same) is True
    assert await broker.see(same) is False  # the same state again is not a new tick
    assert await broker.see(market({"AAPL": 102})) is True
    assert await broker.see(market({"AAPL": 103})) is False

    assert [(qty, price) for qty, price, _ in await fills(broker)] == [
        (100, Decimal("100.1")),
        (100, Decimal("101.101")),
        (50, Decimal("102.102")),
    ]


async def test_nothing_fills_while_the_market_is_closed(broker: PaperVenue) -> None:
    await broker.submit(wanted(qty=200))

    assert await broker.see(market({"AAPL": 99}, is_open=False)) is False
    with pytest.raises(VenueRejected, match="closed"):
        await broker.submit(wanted())

    assert len(await fills(broker)) == 1


async def test_without_a_quote_or_without_a_market_an_order_is_refused(database_url: str) -> None:
    async with venue(database_url) as broker:
        with pytest.raises(VenueRejected):
            await broker.submit(wanted())
        await broker.see(market({"MSFT": 200}))
        order = wanted()
        with pytest.raises(VenueRejected):
            await broker.submit(order)
        assert not await broker.knows(order.id)


@pytest.mark.parametrize(
    ("side", "limit", "then", "filled_at"),
    [
        (Side.BUY, "99", "99.0001", None),
        (Side.BUY, "99", "99", "99"),
        (Side.BUY, "99", "95", "99"),
        (Side.SELL, "101", "100.9999", None),
        (Side.SELL, "101", "101", "101"),
        (Side.SELL, "101", "105", "101"),
    ],
)
async def test_a_limit_order_rests_until_the_quote_reaches_its_limit_and_fills_at_the_limit(
    broker: PaperVenue, side: Side, limit: str, then: str, filled_at: str | None
) -> None:
    await broker.submit(wanted(side, limit=limit))
    assert await fills(broker) == []

    await broker.see(market({"AAPL": then}))

    assert [price for _, price, _ in await fills(broker)] == ([Decimal(filled_at)] if filled_at else [])


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        (Side.BUY, "105", "100.1"),  # the quote with slippage
        (Side.BUY, "100.05", "100.05"),  # never above the limit
        (Side.BUY, "100", "100"),
        (Side.SELL, "95", "99.9"),
        (Side.SELL, "99.95", "99.95"),
    ],
)
async def test_a_limit_order_that_the_quote_has_reached_fills_at_once_and_never_beyond_its_limit(
    broker: PaperVenue, side: Side, limit: str, price: str
) -> None:
    await broker.submit(wanted(side, limit=limit))

    assert [at for _, at, _ in await fills(broker)] == [Decimal(price)]


async def test_the_same_order_again_changes_nothing(broker: PaperVenue) -> None:
    order = wanted(qty=150)

    await broker.submit(order)
    await broker.submit(order)
    await broker.see(market({"AAPL": 101}))

    assert [qty for qty, _, _ in await fills(broker)] == [100, 50]


async def test_after_a_cancellation_no_more_is_filled(broker: PaperVenue) -> None:
    order, other = wanted(qty=150), wanted(qty=150)
    await broker.submit(order)
    await broker.submit(other)

    await broker.cancel(order.id)
    await broker.cancel(order.id)
    await broker.cancel(uuid4())
    await broker.see(market({"AAPL": 101}))

    executions = await broker.executions_after(0)
    assert [fill.qty for fill in executions if fill.order_id == order.id] == [100]
    assert [fill.qty for fill in executions if fill.order_id == other.id] == [100, 50]


async def test_resting_orders_are_kept_over_a_restart(database_url: str) -> None:
    order, ended = wanted(qty=150), wanted(qty=5)
    for start in range(2):
        async with venue(database_url, max_shares_per_tick=100, slippage_bps=0, fee_per_share=0) as broker:
            await broker.see(market({"AAPL": 100 + start}))
            if start == 0:
                await broker.submit(order)
                await broker.submit(ended)
            assert await broker.knows(order.id)

    async with venue(database_url) as broker:
        executions = await broker.executions_after(0)
        assert [(fill.qty, fill.price) for fill in executions if fill.order_id == order.id] == [
            (100, Decimal(100)),
            (50, Decimal(101)),
        ]
        assert await broker.shares() == {"AAPL": 155}


async def test_a_cancelled_order_is_not_filled_if_the_answer_of_postgresql_was_lost(database_url: str) -> None:
    database = LosingTheAnswer(database_url, SCHEMA)
    await database.open()
    broker = PaperVenue(database, Settings(max_shares_per_tick=100))
    await broker.see(market({"AAPL": 100}))
    order = wanted(qty=150)
    await broker.submit(order)

    database.losing = True
    with pytest.raises(TimeoutError):
        await broker.cancel(order.id)
    database.losing = False

    await broker.see(market({"AAPL": 101}))
    assert [qty for qty, _, _ in await fills(broker)] == [100]
    await database.close()


async def test_a_closed_position_is_not_in_the_book(broker: PaperVenue) -> None:
    await broker.submit(wanted(Side.BUY, 10))
    await broker.submit(wanted(Side.SELL, 10))

    assert await broker.shares() == {}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    qty=st.integers(1, 400),
    price=st.decimals("0.01", "4000", places=4),
    slippage=st.decimals(0, 100, places=2),
    fee=st.decimals(0, "0.05", places=4),
)
async def test_buying_never_costs_more_than_the_risk_check_computed(
    database_url: str, qty: int, price: Decimal, slippage: Decimal, fee: Decimal
) -> None:
    limits = {"max_shares_per_tick": 100, "slippage_bps": slippage, "fee_per_share": fee}
    async with venue(database_url, **limits) as broker:
        last = max((fill.seq for fill in await broker.executions_after(0)), default=0)
        for tick in range(4):
            await broker.see(market({"AAPL": price}))
            if tick == 0:
                await broker.submit(wanted(qty=qty))

        executions = await broker.executions_after(last)

    assert sum(fill.qty for fill in executions) == qty
    spent = sum((fill.qty * fill.price + fill.fee for fill in executions), Decimal(0))
    assert spent <= cost(qty, price, Settings.model_validate(limits))
