"""Orders, and a paper venue with a real PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.database import Database
from apps.execution_gateway.models import Order
from apps.paper_venue import SCHEMA, PaperVenue
from apps.paper_venue.settings import VenueSettings
from apps.vocabulary import OrderStatus, OrderType, Side
from tests.apps.markets import MONDAY, market

LIMITS: dict[str, Any] = {"max_shares_per_tick": 100, "slippage_bps": Decimal(10), "fee_per_share": Decimal("0.01")}


def wanted(
    side: Side = Side.BUY,
    qty: int = 10,
    limit: str | None = None,
    symbol: str = "AAPL",
    *,
    worst: str | None = None,
    date: dt.date | None = MONDAY,
) -> Order:
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
        worst_price=None if worst is None else Decimal(worst),
        trading_date=date,
        created_at=dt.datetime.now(dt.UTC),
    )


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Database]:
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def venue(url: str, **more: Any) -> AsyncIterator[PaperVenue]:
    """A process with a venue. It has seen no market."""
    async with opened(Database(url, SCHEMA)) as database:
        yield PaperVenue(database, VenueSettings(**{**LIMITS, **more}))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A connection of our own to the tables of the venue."""
    async with opened(Database(database_url, SCHEMA)) as started:
        yield started


@pytest.fixture
async def broker(database_url: str) -> AsyncIterator[PaperVenue]:
    """A venue on Monday with AAPL at 100. It fills 100 shares per tick, with 10 bp slippage and a cent per share."""
    async with venue(database_url) as started:
        await started.begin_day(MONDAY)
        await started.see(market({"AAPL": 100}))
        yield started


async def fills(broker: PaperVenue) -> list[tuple[int, Decimal]]:
    """The shares and the price of each fill."""
    return [(fill.qty, fill.price) for fill in await broker.executions_after(0)]


async def parts(broker: PaperVenue, order: Order) -> list[int]:
    """The shares of each fill of the order."""
    return [fill.qty for fill in await broker.executions_after(0) if fill.order_id == order.id]
