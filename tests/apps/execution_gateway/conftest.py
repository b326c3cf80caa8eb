"""A desk in an open market with a real PostgreSQL, and ways to make PostgreSQL or the venue fail."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import httpx
import pytest

from apps import paper_venue
from apps.background import background
from apps.catalogue import (
    book_partial,
    cash_dollars,
    circuit_breaker_state,
    daily_loss_ratio,
    daily_pnl_dollars,
    equity_dollars,
    equity_high_water_mark_dollars,
    gross_exposure_dollars,
    net_exposure_dollars,
    pnl_dollars,
    pnl_updated_timestamp_seconds,
    position_value_dollars,
    positions_current,
    positions_total,
    start_of_day_equity_dollars,
    unrealized_pnl_dollars,
)
from apps.database import Connection, Database, Unavailable
from apps.execution_gateway import ledger
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order, OrderRequest
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.settings import Settings
from apps.market import MarketState
from apps.paper_venue import PaperVenue
from tests.apps.markets import market
from tests.waiting import until

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


class Session:
    """The session as the market data service would tell it. None: it does not answer."""

    def __init__(self) -> None:
        self.date: dt.date | None = None
        self.follows = True

    async def trading_date(self) -> dt.date:
        if self.date is None:
            raise httpx.ConnectError("the market data service does not answer")
        return self.date


class Venue:
    """Passes every call on to `real`. A test may replace `real` with another venue."""

    def __init__(self, real: Broker) -> None:
        self.real = real

    async def submit(self, order: Order) -> None:
        await self.real.submit(order)

    async def cancel(self, order_id: UUID) -> bool:
        return await self.real.cancel(order_id)

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        return await self.real.executions_after(seq, limit)

    async def halt(self) -> int:
        return await self.real.halt()

    async def resume(self) -> int:
        return await self.real.resume()

    async def begin_day(self, trading_date: dt.date) -> None:
        await self.real.begin_day(trading_date)

    async def shares(self) -> dict[str, int]:
        return await self.real.shares()

    async def see(self, market: MarketState) -> bool:
        return await self.real.see(market)


V = TypeVar("V", bound=Venue)
T = TypeVar("T")


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


class TestDesk(Desk):
    """A desk whose session is in the test's hands. By default it confirms each state of the market that is seen."""

    __test__ = False
    session: Session


@asynccontextmanager
async def opened(
    url: str, database: Database | None = None, *, now: Callable[[], float] = time.time, **settings: Any
) -> AsyncIterator[TestDesk]:
    """A desk whose duties run, but which follows no market. Slippage and fee are 0 unless given."""
    database = database or GoingAway(url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))
    chosen = Settings(**{"slippage_bps": Decimal(0), "fee_per_share": Decimal(0), **settings})
    session = Session()
    desk = TestDesk(database, Venue(PaperVenue(database, chosen)), chosen, session.trading_date, now)
    desk.session = session
    await database.open()
    try:
        async with background(*desk.work()):
            await until(lambda: desk.ready, "the book is read")
            yield desk
    finally:
        await database.close()


async def see(desk: TestDesk, state: MarketState) -> None:
    """Shows the desk and its venue a state of the market, and waits until all that follows from it is done."""
    if desk.session.follows:
        desk.session.date = state.trading_date
    await desk.see(state)
    await settled(desk)
    await desk.dispatch.tick()
    await desk.dispatch.fetch()
    await settled(desk)


async def do(desk: Desk, command: Callable[[Draft], T]) -> T:
    """Has a command stored, and returns its answer."""
    return await desk.writer.ask(command).done


async def settled(desk: Desk) -> None:
    """Waits until nothing of the desk is on its way."""
    await until(lambda: desk.idle, "the desk is idle")


@asynccontextmanager
async def account_locked(url: str) -> AsyncIterator[None]:
    """Nothing is stored meanwhile, because another session holds the lock on the account."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM gateway.account FOR UPDATE")
            yield
    finally:
        await connection.close()


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[TestDesk]:
    """A desk in an open market: AAPL at 100, MSFT at 200, XOM at 50."""
    async with opened(database_url) as started:
        await see(started, market({"AAPL": 100, "MSFT": 200, "XOM": 50}))
        yield started


async def stored(desk: Desk, one: Order) -> Order:
    """The order as PostgreSQL has it now."""
    async with desk.database.connection() as connection:
        found = await ledger.find_order(connection, one.id)
    assert found is not None
    return found


async def shares(desk: Desk) -> dict[str, int]:
    """Our own positions as PostgreSQL has them: signed shares by symbol."""
    async with desk.database.connection() as connection:
        return await ledger.read_shares(connection)


async def changes(desk: Desk) -> list[tuple[str, str, str]]:
    """The changes of the breaker as PostgreSQL has them: state, reason, and who."""
    async with desk.database.connection() as connection:
        rows = await connection.fetch("SELECT state, reason, by FROM gateway.breaker_changes ORDER BY id")
    return [tuple(row) for row in rows]


async def is_halted(desk: Desk) -> bool:
    """Whether the venue is halted as PostgreSQL has it."""
    async with desk.database.connection() as connection:
        return bool(await connection.fetchval("SELECT halted FROM venue.state"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person waits only a moment for the outcome of a trip."""
    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.5)


@pytest.fixture
def unknown() -> None:
    """Removes the gauges' series, which would still have the values of the last test."""
    for gauge in (
        cash_dollars, daily_loss_ratio, daily_pnl_dollars, equity_dollars, equity_high_water_mark_dollars,
        gross_exposure_dollars, net_exposure_dollars, pnl_updated_timestamp_seconds, positions_total,
        start_of_day_equity_dollars, circuit_breaker_state, book_partial,
    ):  # fmt: skip
        gauge.remove()
    for one in (unrealized_pnl_dollars, position_value_dollars, positions_current):
        one.replace({})
    pnl_dollars.replace({})
