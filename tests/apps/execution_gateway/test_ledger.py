"""What a draft stores is what the next process reads."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from apps.database import Database
from apps.execution_gateway import commands, ledger
from apps.execution_gateway.book import Book, Breaker
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.errors import OrderError
from apps.execution_gateway.models import Order
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.vocabulary import BreakerState, OrderStatus, Side
from tests.apps.execution_gateway.books import NOW, a_book, an_arrival, an_execution, an_order, limits
from tests.apps.execution_gateway.conftest import order
from tests.apps.execution_gateway.test_draft import KINDS, SETTINGS, Program
from tests.apps.markets import MONDAY, TUESDAY

CASH = Decimal(1_000_000)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with an account, whose version is 1."""
    opened = Database(database_url, SCHEMA, number=("gateway", NUMBER))
    await opened.open()
    async with opened.transaction() as connection:
        await ledger.open_account(connection, CASH)
        await ledger.take_over(connection, SETTINGS)
    yield opened
    await opened.close()


async def store(database: Database, draft: Draft, version: int, batch: UUID | None = None) -> None:
    async with database.transaction() as connection:
        await ledger.store(connection, version, batch or uuid4(), draft)


async def read(database: Database) -> Book:
    async with database.transaction() as connection:
        return (await ledger.take_over(connection, SETTINGS))[0]


async def rows(database: Database, table: str) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM gateway.{table}"))  # noqa: S608


def fresh(*orders: Order) -> Book:
    return replace(a_book({}, *orders, cash=CASH, settings=SETTINGS), version=1, high_water_mark=CASH)


@pytest.mark.parametrize("seed", range(3))
async def test_the_book_that_is_read_equals_the_one_that_was_stored(database: Database, seed: int) -> None:
    chance, program = random.Random(seed), Program()  # noqa: S311
    for _ in range(600):
        side, flag, price = chance.choice(list(Side)), chance.random() < 0.5, Decimal(chance.randint(1, 9900)) / 100
        program.add(chance.choice(KINDS), chance.randint(0, 20), side, chance.randint(1, 120), price, flag)
    book, fills, set_aside, changes = fresh(), 0, 0, 0
    while program.commands:
        size = chance.randint(1, 9)
        async with database.connection() as connection:
            known = {o.client_order_id: o for o in await ledger.find_orders(connection, limit=1000)}
        draft = Draft(book, SETTINGS, {name: o for name, o in known.items() if name is not None})
        for command in program.commands[:size]:
            with suppress(OrderError):
                command(draft)
        del program.commands[:size]
        if draft.changed:
            await store(database, draft, book.version)
            book = draft.finished(book.version + 1, 0.0)
            fills, set_aside = fills + len(draft.fills), set_aside + len(draft.set_aside)
            changes += len(draft.breaker_changes)

    stored = await read(database)

    assert replace(stored, version=book.version, at=0.0) == book
    assert stored.version == book.version + 1
    assert (await rows(database, "fills"), await rows(database, "executions_set_aside")) == (fills, set_aside)
    assert await rows(database, "breaker_changes") == changes
    assert fills > 20
    assert set_aside > 5


async def test_a_draft_of_another_version_stores_nothing(database: Database) -> None:
    draft = Draft(fresh(), SETTINGS)
    commands.place(draft, an_arrival(order()))
    commands.trip(draft, "why", "ann", NOW)

    for version in (0, 2):
        with pytest.raises(ledger.OtherBook, match="its version differs"):
            await store(database, draft, version)
    assert [await rows(database, table) for table in ("orders", "breaker_changes")] == [0, 0]
    await store(database, draft, 1)
    with pytest.raises(ledger.OtherBook):  # a second time
        await store(database, draft, 1)
    assert [await rows(database, table) for table in ("orders", "breaker_changes")] == [1, 1]


async def test_the_version_the_last_batch_and_the_breaker_are_read_together(database: Database) -> None:
    async with database.connection() as connection:
        assert await ledger.read_present(connection) == ledger.Present(1, [], BreakerState.OPEN)
        assert await ledger.read_breaker(connection) == Breaker()
    draft, batch = Draft(fresh(), SETTINGS), uuid4()
    tripped = commands.trip(draft, "why", "ann", NOW)

    await store(database, draft, 1, batch)

    async with database.connection() as connection:
        assert await ledger.read_present(connection) == ledger.Present(2, [batch], BreakerState.TRIPPED)
        assert await ledger.read_breaker(connection) == tripped


async def test_an_account_of_other_cash_is_refused_and_the_same_cash_changes_nothing(database: Database) -> None:
    async with database.connection() as connection:
        await ledger.open_account(connection, CASH)
        with pytest.raises(ledger.MadeWithOtherCash, match="INITIAL_CASH=1000000, now it is 5"):
            await ledger.open_account(connection, Decimal(5))
        assert await connection.fetchval("SELECT cash FROM gateway.account") == CASH


async def test_an_execution_that_was_set_aside_is_stored_with_its_reason(database: Database) -> None:
    draft = Draft(fresh(), SETTINGS)
    foreign = an_execution(an_order(), 3, 7, price="12.5", fee="0.25")
    draft.book_execution(foreign)

    await store(database, draft, 1)

    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM gateway.executions_set_aside")
    assert row is not None
    assert {name: row[name] for name in ("seq", "order_id", "symbol", "side", "qty", "reason")} == {
        "seq": 3, "order_id": foreign.order_id, "symbol": "AAPL", "side": "buy", "qty": 7,
        "reason": "there is no open order with its id",
    }  # fmt: skip
    assert [row["price"], row["fee"]] == [Decimal("12.5"), Decimal("0.25")]
    assert (row["trading_date"], row["at"]) == (MONDAY, foreign.at)
    assert (await read(database)).set_aside == 1


async def stored_orders(database: Database) -> list[Order]:
    """Five orders, oldest first: of Monday and of Tuesday, and in each status."""
    start = dt.datetime(2020, 3, 9, 15, tzinfo=dt.UTC)
    statuses = (
        OrderStatus.FILLED,
        OrderStatus.PENDING,
        OrderStatus.ACCEPTED,
        OrderStatus.REJECTED,
        OrderStatus.ACCEPTED,
    )
    orders = [
        an_order(
            status=status,
            client_order_id=f"id-{number}",
            created_at=start + dt.timedelta(seconds=number // 2),  # some at the same moment
            trading_date=TUESDAY if number == 4 else MONDAY,
        )
        for number, status in enumerate(statuses)
    ]
    draft = Draft(fresh(), SETTINGS)
    for one in orders:
        draft.put_order(one)
    draft.set(trading_date=TUESDAY)
    await store(database, draft, 1)
    return sorted(orders, key=lambda o: (o.created_at, o.id))


async def test_the_newest_orders_are_found_first_and_page_after_page(database: Database) -> None:
    orders = await stored_orders(database)
    newest = orders[::-1]

    async with database.connection() as connection:
        assert await ledger.find_orders(connection) == newest
        pages = [await ledger.find_orders(connection, limit=2)]
        while pages[-1]:
            pages.append(await ledger.find_orders(connection, limit=2, before=pages[-1][-1].id))
        assert [len(page) for page in pages] == [2, 2, 1, 0]
        assert [one for page in pages for one in page] == newest
        assert await ledger.find_orders(connection, before=uuid4()) == []


async def test_orders_are_found_by_what_they_are(database: Database) -> None:
    orders = await stored_orders(database)
    is_open = {OrderStatus.PENDING, OrderStatus.ACCEPTED}

    async with database.connection() as connection:
        assert await ledger.find_orders(connection, open_only=True) == [o for o in orders[::-1] if o.status in is_open]
        assert await ledger.find_orders(connection, client_order_id="id-3") == [
            o for o in orders if o.client_order_id == "id-3"
        ]
        assert await ledger.find_order(connection, orders[0].id) == orders[0]
        assert await ledger.find_order(connection, uuid4()) is None
        known = await ledger.find_known(connection, ["id-0", "id-4", "nobody's"])
        assert known == {o.client_order_id: o for o in orders if o.client_order_id in {"id-0", "id-4"}}


async def test_open_orders_of_an_earlier_date_than_the_account_are_counted(database: Database) -> None:
    await stored_orders(database)

    async with database.connection() as connection:
        assert await ledger.count_outlived(connection) == 2


async def test_a_closed_position_is_not_stored_any_more(database: Database) -> None:
    buy, sell = an_order(qty=10), an_order("AAPL", Side.SELL, 10)
    draft = Draft(fresh(), SETTINGS)
    for one in (buy, sell):
        draft.put_order(one)
    draft.book_execution(an_execution(buy, 1))
    await store(database, draft, 1)
    async with database.connection() as connection:
        assert await ledger.read_shares(connection) == {"AAPL": 10}

    second = Draft(draft.finished(2, 0.0), limits())
    second.book_execution(an_execution(sell, 2))
    await store(database, second, 2)

    async with database.connection() as connection:
        assert await ledger.read_shares(connection) == {}
    assert await rows(database, "fills") == 2
