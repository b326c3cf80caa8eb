"""The valuation is of one moment: no fill, date or slow statement comes between its parts."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from apps import paper_venue
from apps.catalogue import (
    circuit_breaker_state,
    daily_loss_ratio,
    equity_dollars,
    equity_high_water_mark_dollars,
    start_of_day_equity_dollars,
)
from apps.database import Connection
from apps.execution_gateway.api import routes
from apps.execution_gateway.book import ZERO
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.inputs import TICK
from apps.vocabulary import Rejection, Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    GoingAway,
    TestDesk,
    opened,
    order,
    see,
    set_away,
    settled,
)
from tests.apps.execution_gateway.test_book import Fill, recomputed
from tests.apps.execution_gateway.trading import PRICES, account, buy, sell, show
from tests.apps.markets import TUESDAY, market
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("unknown")


async def test_an_order_that_adds_risk_is_refused_when_the_book_was_not_valued_for_ten_seconds(
    database_url: str,
) -> None:
    later = 0.0
    async with opened(database_url, now=lambda: time.time() + later, stale_quote_seconds=60) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 10)
        later = 10.5

        for _ in range(2):  # also after the first refusal was stored
            with pytest.raises(Rejected) as refused:
                await buy(desk, "AAPL", 1)
            assert (refused.value.reason, refused.value.status) == (Rejection.BOOK_UNKNOWN, 503)
        await desk.see(market(PRICES, age=-1))
        await buy(desk, "AAPL", 1)


async def test_pnl_never_mixes_the_equity_of_one_date_with_the_start_of_another(desk: TestDesk) -> None:
    app = FastAPI()
    app.include_router(routes(desk))
    await buy(desk, "AAPL", 1000)
    await see(desk, market({**PRICES, "AAPL": 104}, is_open=False))
    previous = {**PRICES, "AAPL": 104}

    set_away(desk, True)  # so that Tuesday is not stored
    await show(desk, market({**PRICES, "AAPL": 101}, date=TUESDAY, previous=previous))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        answer = (await client.get("/api/v1/pnl")).json()

    assert (answer["trading_date"], answer["start_of_day_equity"]) == ("2020-03-10", "1004000.00")
    assert (answer["equity"], answer["daily"]) == ("1001000.00", "-3000.00")


class Watched:
    """A connection that calls `before` ahead of each statement."""

    def __init__(self, real: Connection, before: Callable[[], Awaitable[None]]) -> None:
        self._real = real
        self._before = before

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in {"execute", "fetch", "fetchrow", "fetchval"}:
            return real

        async def statement(*arguments: Any) -> Any:
            await self._before()
            return await real(*arguments)

        return statement


class Interrupted(GoingAway):
    """A database that calls `between` ahead of each statement."""

    between: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            yield cast(Connection, Watched(connection, self._before))

    async def _before(self) -> None:
        if self.between is not None:
            await self.between()


def interrupted(url: str) -> Interrupted:
    return Interrupted(url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))


@pytest.mark.parametrize("operation", ["a state", "another order", "taking over", "reading the breaker"])
async def test_a_fill_between_any_two_statements_of_another_operation_is_never_half_in_the_valuation(
    database_url: str, recorded: Recorded, operation: str
) -> None:
    database = interrupted(database_url)
    async with opened(database_url, database) as desk:
        operations: dict[str, Callable[[], Awaitable[object]]] = {
            "a state": lambda: see(desk, market(PRICES)),
            "another order": lambda: buy(desk, "XOM", 1),
            "taking over": lambda: taken_over(desk),
            "reading the breaker": desk.switch.read,
        }
        await see(desk, market(PRICES))
        for number in range(12):
            await buy(desk, "AAPL", 1900)
            await between_statements(database, number, operations[operation], lambda: sell(desk, "AAPL", 1900))
            await see(desk, market(PRICES))

            assert "AAPL" not in desk.writer.opened.positions
            assert recorded(equity_dollars) == 1_000_000
            assert recorded(daily_loss_ratio) == 0
            assert recorded(equity_high_water_mark_dollars) == 1_000_000
            assert recorded(circuit_breaker_state) == 0


async def between_statements(
    database: Interrupted,
    number: int,
    operation: Callable[[], Awaitable[object]],
    other: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Does the operation. The other one is done ahead of its statement of that number, or after the last."""
    begun: list[asyncio.Task[None]] = []
    left = number

    async def between() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            database.between = None
            begun.append(asyncio.create_task(other()))
            await asyncio.wait(begun, timeout=0.1)  # it may have to wait for this statement

    database.between = between
    await operation()
    database.between = None
    if not begun:
        await other()
    await asyncio.gather(*begun)


async def taken_over(desk: Desk) -> None:
    before = desk.writer.opened
    desk.writer.distrust()
    await until(lambda: desk.writer.opened is not before, "the book is read again")


async def test_a_slow_database_does_not_change_the_valuation(database_url: str, recorded: Recorded) -> None:
    database, goes_on = interrupted(database_url), asyncio.Event()

    async def slow() -> None:
        await goes_on.wait()

    async with opened(database_url, database) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 1900)
        database.between = slow

        await show(desk, market(PRICES, date=TUESDAY), market({**PRICES, "AAPL": 50}, date=TUESDAY, previous=PRICES))

        assert recorded(equity_dollars) == 905_000
        assert recorded(start_of_day_equity_dollars) == 1_000_000
        assert recorded(daily_loss_ratio) == 0.095
        assert recorded(circuit_breaker_state) == 1
        database.between = None
        goes_on.set()
        await settled(desk)
        assert (await account(desk))["reasons"] == ["lost 9.50% on 2020-03-10, the limit is 5.00%"]


@pytest.mark.parametrize("seed", range(4))
async def test_the_stored_book_equals_a_computation_from_the_stored_fills_to_the_cent(
    database_url: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    costs: dict[str, Any] = {"slippage_bps": "3.7", "fee_per_share": "0.0049", "max_shares_per_tick": 90}
    async with opened(database_url, allow_short=True, **costs) as desk:
        prices = {symbol: Decimal(price) for symbol, price in PRICES.items()}
        for _ in range(15):
            for symbol, price in prices.items():
                prices[symbol] = (price * Decimal(chance.uniform(0.97, 1.03))).quantize(TICK)
            await see(desk, market(prices))
            await desk.orders.place(
                order(chance.choice(list(PRICES)), chance.choice(["buy", "sell"]), chance.randint(1, 250))
            )
        for _ in range(4):
            await see(desk, market(prices))
        valuation, book = desk.valuation, desk.writer.opened
        assert valuation is not None
        async with desk.database.connection() as connection:
            rows = await connection.fetch("SELECT symbol, side, qty, price, fee FROM gateway.fills ORDER BY venue_seq")
            stored = await connection.fetchrow("SELECT cash, realized FROM gateway.account")
            held_there = {
                row["symbol"]: row["shares"]
                for row in await connection.fetch("SELECT symbol, shares FROM gateway.positions")
            }

    realized = unrealized = cash = Fraction(0)
    for symbol in PRICES:
        fills = [Fill(Side(r["side"]), r["qty"], r["price"], r["fee"]) for r in rows if r["symbol"] == symbol]
        parts = recomputed(fills, prices[symbol])
        realized, unrealized, cash = realized + parts[0], unrealized + parts[1], cash + parts[2]
        held = sum(fill.side.sign * fill.qty for fill in fills)
        assert (book.positions[symbol].shares if symbol in book.positions else 0) == held
        assert held_there.get(symbol, 0) == held
    assert len(rows) > 15
    assert valuation.book is book
    assert stored is not None
    assert tuple(stored) == (book.cash, book.realized)
    assert Fraction(book.cash) == 1_000_000 + cash
    assert abs(Fraction(book.realized) - realized) < Fraction(1, 10**9)
    assert abs(Fraction(valuation.unrealized) - unrealized) < Fraction(1, 10**9)
    assert abs(Fraction(valuation.equity) - 1_000_000 - realized - unrealized) < Fraction(1, 10**9)
    assert book.realized != ZERO
