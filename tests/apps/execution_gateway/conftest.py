"""A desk in an open market, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from apps.database import Connection, Database, Unavailable
from apps.execution_gateway import ledger
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.schema import SCHEMA
from apps.execution_gateway.settings import Settings
from tests.apps.markets import market

OpenDesk = Callable[..., Awaitable[Desk]]


def order(symbol: str = "AAPL", side: str = "buy", qty: int = 10, **more: Any) -> OrderRequest:
    """An order, as it comes in."""
    return OrderRequest.model_validate({"symbol": symbol, "side": side, "qty": qty, **more})


class GoingAway(Database):
    """A PostgreSQL that is away while a test says so."""

    away = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        if self.away:
            raise Unavailable("gone")
        async with super().connection() as connection:
            yield connection


def set_away(desk: Desk, away: bool) -> None:
    """Has PostgreSQL go away from the desk, or come back."""
    assert isinstance(desk.database, GoingAway)
    desk.database.away = away


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[Desk]:
    """A desk that has started, and follows no market by itself. Costs are 0 unless they are given."""
    database = GoingAway(url, SCHEMA)
    chosen = Settings(**{"slippage_bps": Decimal(0), "fee_per_share": Decimal(0), **settings})
    await database.open()
    try:
        await ledger.open_account(database, chosen.initial_cash)
        desk = Desk(database, chosen)
        await desk.placement.settle()
        yield desk
    finally:
        await database.close()


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """A desk in an open market: AAPL at 100, MSFT at 200, XOM at 50."""
    async with opened(database_url) as started:
        await started.see(market({"AAPL": 100, "MSFT": 200, "XOM": 50}))
        yield started


async def stored(desk: Desk, one: Order) -> Order:
    """The order as it is in PostgreSQL."""
    async with desk.database.connection() as connection:
        found = await ledger.find_order(connection, one.id)
    assert found is not None
    return found


async def shares(desk: Desk) -> dict[str, int]:
    """Our own positions."""
    async with desk.database.connection() as connection:
        book, _ = await ledger.read_book(connection)
    return {symbol: position.shares for symbol, position in book.positions.items()}
