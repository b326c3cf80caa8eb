"""Several processes at one venue, crashes between two statements, lost answers, and rows that somebody else made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

import asyncpg
import pytest

from apps.database import Connection, Database
from apps.execution_gateway.broker import VenueRejected
from apps.paper_venue import SCHEMA, PaperVenue
from apps.paper_venue.settings import VenueSettings
from apps.vocabulary import Side
from tests.apps.markets import MONDAY, TUESDAY, market
from tests.apps.paper_venue.conftest import LIMITS, opened, parts, venue, wanted


class Crash(Exception):
    """The process ends here."""


class Holding(Database):
    """While `holding` is set, a transaction waits before its COMMIT until `go` is set."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, SCHEMA)
        self.holding = False
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
            if self.holding:
                self.reached.set()
                await self.go.wait()


class LosingTheAnswer(Database):
    """Runs every statement, also COMMIT. While `losing` is set, it then raises as if the answer was lost."""

    losing = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            yield connection
        if self.losing:
            raise TimeoutError


class Doubting(Database):
    """While `doubting` is set, COMMIT is not answered in time. It is done when the test calls `end`."""

    doubting = False
    end: Callable[[], Awaitable[object]]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        if not self.doubting:
            async with super().transaction() as connection:
                yield connection
            return
        self.doubting = False
        transaction = super().transaction()
        yield await transaction.__aenter__()
        self.end = lambda: transaction.__aexit__(None, None, None)
        raise TimeoutError


class _Until:
    """A connection that runs `left` statements."""

    def __init__(self, real: Connection, left: int) -> None:
        self._real = real
        self._left = left

    def __getattr__(self, name: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Crash
        return getattr(self._real, name)


class Crashing(Database):
    """While `after` is set, a process crashes when it has run so many statements of a transaction."""

    after: int | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            if self.after is None:
                yield connection
            else:
                yield cast(Connection, _Until(connection, self.after))
                raise Crash


class Counting(Database):
    """Counts what is sent to PostgreSQL, also BEGIN and COMMIT."""

    sent: list[str] = []  # noqa: RUF012

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            with cast("asyncpg.Connection[asyncpg.Record]", connection).query_logger(
                lambda record: self.sent.append(record.query)
            ):
                yield connection


async def at(database: Database, **more: Any) -> PaperVenue:
    """A venue on Monday with AAPL at 100."""
    broker = PaperVenue(database, VenueSettings(**{**LIMITS, **more}))
    await broker.begin_day(MONDAY)
    await broker.see(market({"AAPL": 100}))
    return broker


async def whole(database: Database) -> bool:
    """Whether the orders, the executions, the positions and the state agree."""
    async with database.connection() as connection:
        return bool(
            await connection.fetchval(
                """
                WITH filled AS (SELECT order_id, sum(qty) AS qty FROM venue.executions GROUP BY order_id),
                held AS (
                    SELECT symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END)
                    FROM venue.executions GROUP BY symbol
                )
                SELECT NOT EXISTS (
                    SELECT FROM venue.orders LEFT JOIN filled ON order_id = id
                    WHERE NOT cancelled AND orders.qty - remaining <> coalesce(filled.qty, 0)
                )
                AND NOT EXISTS (SELECT * FROM held EXCEPT SELECT symbol, shares FROM venue.positions)
                AND (SELECT seq = (SELECT count(*) FROM venue.executions) FROM venue.state)
                AND (SELECT seq = (SELECT coalesce(max(seq), 0) FROM venue.executions) FROM venue.state)
                """
            )
        )


async def test_no_process_fills_while_another_one_has_not_committed(database_url: str) -> None:
    async with (
        opened(Holding(database_url)) as first,
        opened(Database(database_url, SCHEMA, timeout=0.3)) as second,
    ):
        assert isinstance(first, Holding)
        one, two = await at(first), await at(second)
        held, other = wanted(), wanted()
        first.holding = True
        stalled = asyncio.create_task(one.submit(held))
        await first.reached.wait()

        for attempt in (two.submit(other), two.halt(), two.cancel(other.id), two.begin_day(MONDAY)):
            with pytest.raises(TimeoutError):
                await attempt
        assert await two.executions_after(0) == []

        first.go.set()
        await stalled
        await two.submit(other)
        assert [(fill.seq, fill.order_id) for fill in await two.executions_after(0)] == [(1, held.id), (2, other.id)]


async def test_a_process_that_waited_for_another_one_fills_after_it(database_url: str) -> None:
    async with opened(Holding(database_url)) as first, opened(Database(database_url, SCHEMA)) as second:
        assert isinstance(first, Holding)
        one, two = await at(first), await at(second)
        await one.submit(wanted())  # so that the memory of the second is stale
        held, other = wanted(), wanted()
        first.holding = True
        stalled = asyncio.create_task(one.submit(held))
        await first.reached.wait()
        waiting = asyncio.create_task(two.submit(other))
        first.go.set()
        await asyncio.gather(stalled, waiting)

        executions = await two.executions_after(1)
        assert [(fill.seq, fill.order_id) for fill in executions] == [(2, held.id), (3, other.id)]


async def test_after_an_error_nothing_is_answered_before_the_transaction_in_doubt_has_ended(database_url: str) -> None:
    async with opened(Doubting(database_url, SCHEMA, timeout=0.3)) as database:
        assert isinstance(database, Doubting)
        broker, order = await at(database), wanted()
        await broker.submit(wanted())
        database.doubting = True
        with pytest.raises(TimeoutError):
            await broker.submit(order)
        await broker.see(market({"AAPL": 100}, is_open=False))

        with pytest.raises(TimeoutError):  # not VenueRejected: it may have been taken
            await broker.submit(order)
        await database.end()
        await broker.submit(order)

        assert await parts(broker, order) == [10]


async def test_two_processes_never_fill_one_part_twice(database_url: str) -> None:
    async with venue(database_url) as one, venue(database_url) as two:
        await one.begin_day(MONDAY)
        order = wanted(qty=1000)
        for broker in (one, two):
            await broker.see(market({"AAPL": 100}))
        await one.submit(order)
        while sum(await parts(one, order)) < 1000:
            await asyncio.gather(*(broker.see(market({"AAPL": 100})) for broker in (one, two)))

        assert [fill.seq for fill in await one.executions_after(0)] == list(range(1, 11))
        assert await one.shares() == {"AAPL": 1000}


@pytest.mark.parametrize("after", range(4))
async def test_a_crash_between_two_statements_leaves_nothing_half_done(
    database_url: str, database: Database, after: int
) -> None:
    resting, arriving = wanted(qty=150), wanted(qty=20)
    async with opened(Crashing(database_url, SCHEMA)) as crashing:
        assert isinstance(crashing, Crashing)
        broker = await at(crashing)
        await broker.submit(resting)
        crashing.after = after
        for attempt in (
            broker.submit(arriving),
            broker.see(market({"AAPL": 100})),
            broker.cancel(resting.id),
            broker.begin_day(TUESDAY),
        ):
            with pytest.raises(Crash):
                await attempt
            assert await whole(database)
        crashing.after = None

        assert [await parts(broker, order) for order in (resting, arriving)] == [[100], []]
        await broker.submit(arriving)
        await broker.see(market({"AAPL": 100}))
        assert [await parts(broker, order) for order in (resting, arriving)] == [[100, 50], [20]]
        assert await whole(database)


async def test_a_call_whose_answer_was_lost_may_be_repeated(database_url: str, database: Database) -> None:
    order, never = wanted(qty=250), uuid4()
    async with opened(LosingTheAnswer(database_url, SCHEMA)) as losing:
        assert isinstance(losing, LosingTheAnswer)
        broker = await at(losing)

        async def lost(call: Any) -> None:
            losing.losing = True
            with pytest.raises(TimeoutError):
                await call
            losing.losing = False

        await broker.resume()
        await broker.submit(wanted())  # so that the venue is in the memory, and only the COMMIT is lost
        await lost(broker.submit(order))
        await broker.submit(order)
        assert await parts(broker, order) == [100]
        assert await whole(database)

        tick = market({"AAPL": 100})
        await lost(broker.see(tick))
        assert await broker.see(tick) is False
        assert await parts(broker, order) == [100, 100]
        assert await whole(database)

        await lost(broker.halt())
        with pytest.raises(VenueRejected, match="the venue is halted"):
            await broker.submit(wanted())
        await lost(broker.resume())

        await lost(broker.cancel(order.id))
        assert await broker.see(market({"AAPL": 100})) is False
        assert await broker.cancel(order.id) is True
        await lost(broker.cancel(never))
        assert await broker.cancel(never) is False

        await lost(broker.begin_day(TUESDAY))
        with pytest.raises(VenueRejected, match="the venue trades on 2020-03-10"):
            await broker.submit(wanted())


async def test_a_caller_that_gives_up_leaves_no_wrong_memory(database_url: str) -> None:
    async with opened(Holding(database_url)) as database:
        assert isinstance(database, Holding)
        broker = await at(database)
        order = wanted(qty=150)
        database.holding = True
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(broker.submit(order), 0.2)
        database.holding = False

        await broker.see(market({"AAPL": 100}))
        assert await broker.executions_after(0) == []
        await broker.submit(order)
        assert await parts(broker, order) == [100]


async def test_an_execution_that_somebody_else_inserted_is_in_the_book_and_later_ones_come_after_it(
    broker: PaperVenue, database: Database
) -> None:
    order = wanted(qty=150)
    await broker.submit(order)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO venue.executions VALUES (1000, $1, 'AAPL', 'sell', 7, 100, 0, $2),"
            " (1001, $1, 'MSFT', 'buy', 3, 200, 0, $2)",
            order.id,
            MONDAY,
        )
        await connection.execute("INSERT INTO venue.executions SELECT * FROM venue.executions WHERE false")

    assert await broker.shares() == {"AAPL": 93, "MSFT": 3}
    assert await broker.see(market({"AAPL": 100})) is True
    assert [fill.seq for fill in await broker.executions_after(0)] == [1, 1000, 1001, 1002]
    assert await broker.halt() == 1002


async def test_a_seq_that_was_inserted_behind_the_back_of_the_venue_stops_no_later_fill(
    broker: PaperVenue, database: Database
) -> None:
    order = wanted(qty=150)
    await broker.submit(order)
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")  # no trigger runs
        await connection.execute(
            "INSERT INTO venue.executions VALUES (2, $1, 'AAPL', 'buy', 7, 100, 0, $2)", order.id, MONDAY
        )

    assert await broker.see(market({"AAPL": 100})) is True
    assert [fill.seq for fill in await broker.executions_after(0)] == [1, 2, 3]


async def test_an_order_that_somebody_else_inserted_is_known_and_filled_after_a_restart(
    broker: PaperVenue, database: Database, database_url: str
) -> None:
    strange = wanted(qty=50)
    await broker.submit(wanted())
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO venue.orders (id, symbol, side, qty, remaining, trading_date)"
            " VALUES ($1, 'AAPL', 'buy', 50, 50, $2), ($3, 'AAPL', 'buy', 50, 50, $4)",
            strange.id,
            MONDAY,
            uuid4(),
            TUESDAY,
        )
    await broker.submit(strange)
    assert await parts(broker, strange) == []

    async with venue(database_url) as restarted:
        await restarted.see(market({"AAPL": 100}))
        assert await parts(restarted, strange) == [50]
        assert await restarted.cancel(strange.id) is True
        assert await restarted.shares() == {"AAPL": 60}


@pytest.mark.parametrize("statement", ["UPDATE venue.orders SET remaining = 0", "DELETE FROM venue.orders"])
async def test_an_order_that_somebody_else_ended_is_not_filled(
    broker: PaperVenue, database: Database, statement: str
) -> None:
    await broker.submit(wanted(qty=50, limit="99"))
    async with database.connection() as connection:
        await connection.execute(statement)

    assert await broker.see(market({"AAPL": 98})) is False
    await broker.submit(wanted(Side.SELL))

    assert [fill.seq for fill in await broker.executions_after(0)] == [1]


async def test_a_filled_order_needs_five_round_trips_and_a_tick_without_fills_none(database_url: str) -> None:
    async with opened(Counting(database_url, SCHEMA)) as database:
        assert isinstance(database, Counting)
        broker = await at(database)
        await broker.submit(wanted(qty=150))  # asyncpg asks for types and plans when a connection needs them first
        await broker.see(market({"AAPL": 100}))
        for _ in range(10):
            await broker.submit(wanted(limit="99"))

        database.sent.clear()
        await broker.submit(wanted())
        assert len(database.sent) == 5

        database.sent.clear()
        assert await broker.see(market({"AAPL": 100})) is False
        assert database.sent == []

        assert await broker.see(market({"AAPL": 98})) is True
        assert len(database.sent) == 5
        assert len(await broker.executions_after(0)) == 13
