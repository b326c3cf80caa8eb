"""A desk in an open market with a real PostgreSQL, and ways to make PostgreSQL or the venue fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import pytest

from apps import paper_venue
from apps.database import Connection, Database, Unavailable
from apps.execution_gateway import ledger
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.schema import SCHEMA
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.paper_venue import PaperVenue
from tests.apps.markets import market

OpenDesk = Callable[..., Awaitable[Desk]]


def order(symbol: str = "AAPL", side: str = "buy", qty: int = 10, **more: Any) -> OrderRequest:
    """The request for an order."""
    return OrderRequest.model_validate({"symbol": symbol, "side": side, "qty": qty, **more})


class GoingAway(Database):
    """A database that is unavailable while `away` is set."""

    away = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        if self.away:
            raise Unavailable("gone")
        async with super().connection() as connection:
            yield connection


def set_away(desk: Desk, away: bool) -> None:
    """Makes PostgreSQL unavailable for the desk, or available again."""
    assert isinstance(desk.database, GoingAway)
    desk.database.away = away


class Venue:
    """Passes every call on to `real`. A test may replace `real` with another venue."""

    def __init__(self, real: Broker) -> None:
        self.real = real

    async def submit(self, order: Order) -> None:
        await self.real.submit(order)

    async def cancel(self, order_id: UUID) -> None:
        await self.real.cancel(order_id)

    async def knows(self, order_id: UUID) -> bool:
        return await self.real.knows(order_id)

    async def executions_after(self, seq: int) -> Sequence[Execution]:
        return await self.real.executions_after(seq)

    async def shares(self) -> dict[str, int]:
        return await self.real.shares()

    async def see(self, market: MarketState) -> bool:
        return await self.real.see(market)


V = TypeVar("V", bound=Venue)


def put_between(desk: Desk, kind: Callable[[Broker], V]) -> V:
    """Puts a venue of this kind between the desk and its venue, and returns it."""
    assert isinstance(desk.broker, Venue)
    between = kind(desk.broker.real)
    desk.broker.real = between
    return between


def take_away(desk: Desk) -> None:
    """Removes the venue that `put_between` added."""
    assert isinstance(desk.broker, Venue)
    assert isinstance(desk.broker.real, Venue)
    desk.broker.real = desk.broker.real.real


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[Desk]:
    """A desk that has started, but does not follow a market. Slippage and fee are 0 unless given."""
    database = GoingAway(url, SCHEMA + paper_venue.SCHEMA)
    chosen = Settings(**{"slippage_bps": Decimal(0), "fee_per_share": Decimal(0), **settings})
    await database.open()
    try:
        await ledger.open_account(database, chosen.initial_cash)
        desk = Desk(database, Venue(PaperVenue(database, chosen)), chosen)
        await desk.placement.resolve_pending()
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
    """The order as PostgreSQL has it now."""
    async with desk.database.connection() as connection:
        found = await ledger.find_order(connection, one.id)
    assert found is not None
    return found


async def shares(desk: Desk) -> dict[str, int]:
    """Our own positions: signed shares by symbol."""
    async with desk.database.connection() as connection:
        book, _ = await ledger.read_book(connection)
    return {symbol: position.shares for symbol, position in book.positions.items()}
