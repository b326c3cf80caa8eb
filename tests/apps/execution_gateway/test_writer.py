"""The writer stores each command once, whatever becomes of the connection, and notices every other writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from apps.catalogue import fees_dollars_total, order_fills_total, orders_total
from apps.database import UNAVAILABLE, Connection, Unavailable
from apps.execution_gateway import commands, ledger
from apps.execution_gateway.book import Book
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.errors import NotOpen
from apps.execution_gateway.models import Order
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.writer import BATCH, NotOpened, Writer
from apps.labels import PlacementLabels, SymbolSideLabels
from apps.vocabulary import Cancellation, OrderStatus, PlacementStatus, Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.books import NOW, an_arrival, an_execution, limits
from tests.apps.execution_gateway.conftest import GoingAway, order
from tests.apps.markets import MONDAY
from tests.waiting import until

Placing = Callable[[Draft], tuple[Order, bool]]


class Breaking(GoingAway):
    """A database whose next transactions may be cut before their COMMIT, or whose answer to COMMIT is lost."""

    cut = 0
    lost = 0
    lost_with: Exception = TimeoutError("the answer to COMMIT is lost")
    hangs = False
    """The answer to COMMIT never comes."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
            if self.cut:
                self.cut -= 1
                raise ConnectionResetError("cut before COMMIT")
        if self.hangs:
            await asyncio.Event().wait()
        if self.lost:
            self.lost -= 1
            raise self.lost_with


class Changes:
    """The books that a writer told of, and the orders that each changed."""

    def __init__(self) -> None:
        self.seen: list[tuple[Book, Mapping[UUID, Order] | None]] = []

    def __call__(self, book: Book, orders: Mapping[UUID, Order] | None) -> None:
        self.seen.append((book, None if orders is None else dict(orders)))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Breaking]:
    opened = Breaking(database_url, SCHEMA, number=("gateway", NUMBER))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def writer(database: Breaking) -> Writer:
    """A writer whose book is on Monday."""
    return await begun(database)


async def begun(
    database: Breaking, changes: Callable[[Book, Mapping[UUID, Order] | None], None] | None = None
) -> Writer:
    writer = Writer(database, limits(), changes or Changes())
    writer.ask(partial(commands.start_day, trading_date=MONDAY, previous_closes={}))
    await writer.work()
    return writer


def placing(qty: int = 1, **more: Any) -> Placing:
    """A command that places an order. It is the same order each time that it is applied."""
    return partial(commands.place, arrival=an_arrival(order(qty=qty, **more)))


async def stored(database: Breaking) -> tuple[Book, list[Order]]:
    """The book and all orders as PostgreSQL has them."""
    async with database.connection() as connection:
        orders = await ledger.find_orders(connection)
        transaction = connection.transaction()
        await transaction.start()
        book, _ = await ledger.take_over(connection, limits())
        await transaction.rollback()
    return book, orders


async def until_stored(writer: Writer) -> int:
    """Works as the duty does. Returns how often the work failed."""
    for failures in range(20):
        try:
            await writer.work()
        except (*UNAVAILABLE, Unavailable, asyncpg.PostgresError):
            continue
        return failures
    raise AssertionError("it fails for ever")


async def test_there_is_no_book_before_it_was_read(database: Breaking) -> None:
    writer = Writer(database, limits())

    with pytest.raises(NotOpened):
        _ = writer.opened
    await writer.work()

    assert (writer.opened.cash, writer.opened.initial_cash, writer.opened.orders) == (
        Decimal(1_000_000), Decimal(1_000_000), {},
    )  # fmt: skip


async def test_data_that_was_made_with_other_cash_is_refused(database: Breaking, writer: Writer) -> None:
    other = Writer(database, limits(initial_cash=5))

    with pytest.raises(ledger.MadeWithOtherCash, match=r"INITIAL_CASH=1000000, now it is 5: .*`make clean-data`"):
        await other.work()


async def test_commands_that_wait_together_are_one_commit_and_each_gets_its_answer(
    database: Breaking, writer: Writer
) -> None:
    version = writer.opened.version
    asked = [writer.ask(placing(qty)) for qty in (1, 2, 3000)]
    assert not any(request.done.done() for request in asked)

    await writer.work()

    assert [(r.done.result()[0].qty, r.done.result()[0].status) for r in asked] == [
        (1, OrderStatus.PENDING), (2, OrderStatus.PENDING), (3000, OrderStatus.REJECTED),
    ]  # fmt: skip
    assert writer.opened.version == version + 1
    book, orders = await stored(database)
    assert book.orders == writer.opened.orders
    assert {o.id for o in orders} == {r.done.result()[0].id for r in asked}


async def test_more_commands_than_a_batch_are_several_commits(writer: Writer) -> None:
    version = writer.opened.version
    asked = [writer.ask(placing()) for _ in range(2 * BATCH + 1)]

    await writer.work()

    assert all(request.done.done() for request in asked)
    assert writer.opened.version == version + 3
    assert len(writer.opened.orders) == 2 * BATCH + 1


async def test_a_step_is_one_commit_however_many_commands_wait(database: Breaking, writer: Writer) -> None:
    before = writer.opened.version
    asked = [writer.ask(placing()) for _ in range(2 * BATCH + 1)]

    await writer.step()
    assert (writer.opened.version, writer.waiting) == (before + 1, BATCH + 1)
    assert [request.done.done() for request in asked] == [True] * BATCH + [False] * (BATCH + 1)

    await writer.step()
    await writer.step()
    assert (writer.opened.version, writer.waiting) == (before + 3, 0)


async def test_a_command_that_changes_nothing_is_answered_without_a_commit(database: Breaking, writer: Writer) -> None:
    version = writer.opened.version
    database.cut = 1  # a commit would fail
    looked = writer.ask(lambda draft: draft.book.cash)

    await writer.work()

    assert looked.done.result() == 1_000_000
    assert writer.opened.version == version


async def test_the_first_overtakes_all_others(writer: Writer) -> None:
    order_of_work: list[str] = []
    for name, first in (("a", False), ("b", False), ("c", True)):
        writer.ask(partial(lambda _, said: order_of_work.append(said), said=name), first=first)

    await writer.work()

    assert order_of_work == ["c", "a", "b"]


async def test_the_refusal_of_a_command_goes_to_its_sender_alone(writer: Writer) -> None:
    refused = writer.ask(partial(commands.cancel, order_id=UUID(int=1), reason=Cancellation.CLIENT))
    placed = writer.ask(placing())

    await writer.work()

    assert isinstance(refused.done.exception(), NotOpen)
    assert placed.done.result()[1] is True


async def test_each_commit_is_told_with_the_orders_that_it_changed(database: Breaking) -> None:
    changes = Changes()
    writer = await begun(database, changes)
    placed = writer.ask(placing())

    await writer.work()

    one = placed.done.result()[0]
    assert [orders for _, orders in changes.seen] == [None, {}, {one.id: one}]
    assert changes.seen[-1][0] is writer.opened


async def test_a_client_order_id_that_was_stored_earlier_is_known(database: Breaking, writer: Writer) -> None:
    first = writer.ask(placing(5, client_order_id="a"), client_order_id="a")
    await writer.work()

    again = writer.ask(placing(5, client_order_id="a"), client_order_id="a")
    both = await begun(database)
    other = both.ask(placing(5, client_order_id="a"), client_order_id="a")
    await writer.work()
    await both.work()

    assert again.done.result() == other.done.result() == (first.done.result()[0], False)


@pytest.mark.parametrize("lost", [1, 3])
async def test_a_batch_whose_answer_to_commit_was_lost_is_stored_and_recorded_once(
    database: Breaking, writer: Writer, recorded: Recorded, lost: int
) -> None:
    placed, refused = writer.ask(placing(10)), writer.ask(placing(3000))
    await writer.work()
    bought = placed.done.result()[0]
    fill = an_execution(bought, 1, 4, price=100, fee=2)
    version = writer.opened.version

    database.lost = lost
    booked = writer.ask(partial(commands.book_executions, executions=[fill]))
    with pytest.raises(TimeoutError):
        await writer.work()
    assert (booked.done.done(), writer.in_doubt, writer.opened.cash) == (False, True, Decimal(1_000_000))
    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 0
    await until_stored(writer)

    assert (booked.done.done(), writer.in_doubt) == (True, False)
    assert writer.opened.version == version + 1 + lost  # stored once, then read until that has an answer
    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 1
    assert recorded(fees_dollars_total) == 2
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)) == 1
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)) == 1
    assert refused.done.done()
    book, _ = await stored(database)
    assert (book.cash, book.positions["AAPL"].shares) == (Decimal(999_598), 4)
    assert book.cash == writer.opened.cash


@pytest.mark.parametrize(
    "error", [asyncpg.InternalClientError("unknown protocol state"), KeyError("a bug of the driver")]
)
async def test_no_error_of_a_commit_says_that_nothing_was_stored(
    database: Breaking, writer: Writer, recorded: Recorded, error: Exception
) -> None:
    database.lost, database.lost_with = 1, error
    placed = writer.ask(placing(10))
    with pytest.raises(type(error)):
        await writer.work()
    assert (placed.done.done(), writer.in_doubt) == (False, True)

    await until_stored(writer)

    assert [one.id for one in (await stored(database))[1]] == [placed.done.result()[0].id]


async def test_an_error_in_what_follows_a_commit_leaves_its_answers_and_the_next_commands_as_they_are(
    database: Breaking, recorded: Recorded
) -> None:
    def failing(book: Book, orders: Mapping[UUID, Order] | None) -> None:
        if orders:
            raise ZeroDivisionError

    writer = await begun(database, failing)
    first = writer.ask(placing(10))
    with pytest.raises(ZeroDivisionError):
        await writer.work()
    second = writer.ask(placing(20))
    with pytest.raises(ZeroDivisionError):
        await writer.work()

    assert not writer.in_doubt
    answered = [request.done.result()[0] for request in (first, second)]
    assert [one.qty for one in answered] == [10, 20]
    assert sorted(one.qty for one in (await stored(database))[1]) == [10, 20]


async def test_a_batch_that_changes_an_order_that_is_gone_is_applied_anew_to_the_book_as_it_is(
    database: Breaking, writer: Writer, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    gone, kept = writer.ask(placing(10)), writer.ask(placing(20))
    await writer.work()
    async with database.connection() as connection:
        await connection.execute("DELETE FROM gateway.orders WHERE id = $1", gone.done.result()[0].id)

    fills = [an_execution(request.done.result()[0], seq, 4) for seq, request in enumerate((gone, kept), start=1)]
    writer.ask(partial(commands.book_executions, executions=fills))
    await until_stored(writer)

    assert "another book than expected (1 of its orders are gone)" in caplog.text
    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 1
    book, _ = await stored(database)
    assert (book.positions["AAPL"].shares, book.booked_seq, book.set_aside) == (4, 2, 1)


async def test_a_batch_in_doubt_whose_commit_is_found_when_the_book_is_read_again_is_recorded_once(
    database: Breaking, writer: Writer, recorded: Recorded
) -> None:
    refused = writer.ask(placing(3000))
    database.lost = 2  # of the batch, and of reading the book again
    with pytest.raises(TimeoutError):
        await writer.work()

    writer.distrust()
    await until_stored(writer)

    assert refused.done.result()[0].status is OrderStatus.REJECTED
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)) == 1
    assert len((await stored(database))[1]) == 1


@pytest.mark.parametrize("cut", [1, 4])
async def test_a_batch_that_was_cut_before_its_commit_is_stored_later(
    database: Breaking, writer: Writer, recorded: Recorded, cut: int
) -> None:
    database.cut = cut
    placed, refused = writer.ask(placing()), writer.ask(placing(3000))

    assert await until_stored(writer) == cut

    assert placed.done.result()[0].status is OrderStatus.PENDING
    assert refused.done.result()[0].status is OrderStatus.REJECTED
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)) == 1
    assert len((await stored(database))[1]) == 2


async def test_what_waits_while_postgresql_is_away_is_stored_when_it_is_back(
    database: Breaking, writer: Writer
) -> None:
    database.away = True
    asked = [writer.ask(placing(), client_order_id=name) for name in ("a", None)]
    for _ in range(3):
        with pytest.raises(Unavailable):
            await writer.work()
    assert not any(request.done.done() for request in asked)

    database.away = False
    await writer.work()

    assert len(writer.opened.orders) == 2


async def test_work_that_is_ended_in_the_middle_of_a_commit_goes_on_later(database: Breaking, writer: Writer) -> None:
    database.hangs = True
    placed = writer.ask(placing())
    version = writer.opened.version
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await writer.work()
    assert not placed.done.done()

    database.hangs = False
    await writer.work()

    assert placed.done.result()[0].status is OrderStatus.PENDING
    assert writer.opened.version == version + 2  # stored once, and then read again
    assert len((await stored(database))[1]) == 1


async def test_a_change_by_another_process_is_noticed_and_the_command_is_applied_to_it(
    database: Breaking, caplog: pytest.LogCaptureFixture
) -> None:
    changes = Changes()
    writer = await begun(database, changes)
    async with database.connection() as connection:
        await connection.execute("UPDATE gateway.account SET version = version + 1, cash = 50")
    rich, poor = writer.ask(placing(10)), writer.ask(lambda draft: draft.book.cash)

    await writer.work()

    assert rich.done.result()[0].reason == "insufficient_cash"
    assert poor.done.result() == 50
    assert changes.seen[-2][1] is None  # it was read again
    assert "another book than expected (its version differs)" in caplog.text


async def test_two_writers_in_turn_lose_nothing(database: Breaking, writer: Writer, recorded: Recorded) -> None:
    other = await begun(database)

    for number in range(4):
        for one in (writer, other):
            one.ask(placing(number + 1))
            await one.work()

    book, orders = await stored(database)
    assert sorted(o.qty for o in orders) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len(book.orders) == 8
    assert other.opened.orders == book.orders


async def test_two_writers_at_once_spend_no_dollar_twice(database: Breaking) -> None:
    poor = limits(initial_cash=1000, market_order_band=0)
    writers = [Writer(database, poor) for _ in range(2)]
    writers[0].ask(partial(commands.start_day, trading_date=MONDAY, previous_closes={}))
    await writers[0].work()
    asked = [one.ask(placing(3)) for _ in range(5) for one in writers]

    await asyncio.gather(*(one.work() for one in writers))

    statuses = [request.done.result()[0].status for request in asked]
    assert statuses.count(OrderStatus.PENDING) == 3  # 900 dollars and some cents


async def test_an_order_whose_commit_was_in_doubt_while_another_process_filled_it_is_not_placed_again(
    database: Breaking, writer: Writer, recorded: Recorded
) -> None:
    placed, refused = writer.ask(placing(10)), writer.ask(placing(3000))
    database.lost = 1
    with pytest.raises(TimeoutError):
        await writer.work()
    other = Writer(database, limits())
    await other.work()
    [bought] = other.opened.orders.values()
    other.ask(partial(commands.book_executions, executions=[an_execution(bought, 1, 10)]))
    await other.work()

    await until_stored(writer)

    assert placed.done.result()[0].status is OrderStatus.PENDING  # as it was stored
    assert refused.done.result()[0].status is OrderStatus.REJECTED
    book, orders = await stored(database)
    assert sorted((o.qty, o.status, o.filled_qty) for o in orders) == [
        (10, OrderStatus.FILLED, 10), (3000, OrderStatus.REJECTED, 0),
    ]  # fmt: skip
    assert (book.orders, book.positions["AAPL"].shares) == ({}, 10)
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)) == 1
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)) == 1


async def test_a_fill_whose_commit_was_in_doubt_while_another_process_wrote_is_counted_once(
    database: Breaking, writer: Writer, recorded: Recorded
) -> None:
    placed = writer.ask(placing(10))
    await writer.work()
    writer.ask(partial(commands.book_executions, executions=[an_execution(placed.done.result()[0], 1, 10)]))
    database.lost = 1
    with pytest.raises(TimeoutError):
        await writer.work()
    other = Writer(database, limits())
    other.ask(partial(commands.trip, reason="a test", by="me", at=NOW))
    await other.work()

    await until_stored(writer)

    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 1
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)) == 1
    assert writer.opened.tripped
    assert (await stored(database))[0].positions["AAPL"].shares == 10


async def test_a_batch_in_doubt_that_was_not_stored_is_applied_to_what_another_process_wrote(
    database: Breaking, writer: Writer, recorded: Recorded
) -> None:
    placed = writer.ask(placing(10))
    database.cut = 1
    with pytest.raises(ConnectionResetError):
        await writer.work()
    await begun(database)

    await until_stored(writer)

    one = placed.done.result()[0]
    assert (await stored(database))[0].orders == {one.id: one}


class Poison(Exception):
    """Raised by a command that is broken."""


def unstorable(draft: Draft) -> None:
    """Text with a zero byte, which PostgreSQL cannot store."""
    commands.place(draft, an_arrival(order(qty=3000)))
    [poisoned] = [o for o in draft.changed_orders.values() if o.qty == 3000]
    draft.put_order(poisoned.model_copy(update={"message": "a\x00b"}))


def broken(_: Draft) -> None:
    raise Poison


@pytest.mark.parametrize("poison", [unstorable, broken])
@pytest.mark.parametrize("cut", [0, 1, 2])
async def test_a_poison_command_fails_alone_and_the_others_of_its_batch_are_stored(
    database: Breaking, writer: Writer, recorded: Recorded, poison: Callable[[Draft], None], cut: int
) -> None:
    before = [writer.ask(placing(qty)) for qty in (1, 2)]
    bad = writer.ask(poison)
    after = [writer.ask(placing(qty)) for qty in (3, 4)]
    database.cut = cut

    await until_stored(writer)

    assert isinstance(bad.done.exception(), Poison | asyncpg.DataError)
    placed = [request.done.result()[0] for request in before + after]
    book, orders = await stored(database)
    assert sorted(o.qty for o in orders) == [1, 2, 3, 4]
    assert set(book.orders) == set(writer.opened.orders) == {o.id for o in placed}
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)) == 0
    assert not writer.in_doubt


async def test_a_command_that_waits_can_be_taken_back(database: Breaking, writer: Writer) -> None:
    kept, withdrawn = writer.ask(placing(1)), writer.ask(placing(2))

    assert writer.withdraw(withdrawn)
    await writer.work()

    assert withdrawn.done.cancelled()
    assert [o.qty for o in (await stored(database))[1]] == [1]
    assert kept.done.result()[1] is True


async def test_a_command_that_the_writer_has_begun_with_cannot_be_taken_back(
    database: Breaking, writer: Writer
) -> None:
    database.lost = 1
    asked = writer.ask(placing())
    with pytest.raises(TimeoutError):
        await writer.work()

    assert not writer.withdraw(asked)
    await writer.work()

    assert not writer.withdraw(asked)
    assert asked.done.result()[0].status is OrderStatus.PENDING


async def test_a_sender_that_went_away_does_not_stop_its_command_or_the_others(
    database: Breaking, writer: Writer
) -> None:
    gone, here = writer.ask(placing(1)), writer.ask(placing(2))
    gone.done.cancel()

    await writer.work()

    assert here.done.result()[0].qty == 2
    assert len((await stored(database))[1]) == 2


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """PostgreSQL takes no changes while the block runs."""
    admin = await asyncpg.connect(url)
    try:
        name = await admin.fetchval("SELECT current_database()")
        await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await end_others(admin)
        try:
            yield
        finally:
            await admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            await end_others(admin)
    finally:
        await admin.close()


async def end_others(admin: asyncpg.Connection[asyncpg.Record]) -> None:
    """Ends the connections that have the old setting."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    # The second argument waits until each has ended.
    await admin.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")


async def test_a_read_only_postgresql_passes_again(
    database: Breaking, writer: Writer, database_url: str, recorded: Recorded
) -> None:
    version = writer.opened.version
    async with read_only(database_url):
        placed, refused = writer.ask(placing()), writer.ask(placing(3000))
        failed = 0
        while failed < 3:
            try:
                await writer.work()
            except asyncpg.ReadOnlySQLTransactionError:
                failed += 1
            except UNAVAILABLE:
                pass  # a connection of the pool that was ended
        assert not placed.done.done()
        assert not refused.done.done()

    await until_stored(writer)

    assert placed.done.result()[0].status is OrderStatus.PENDING
    assert recorded(orders_total, PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)) == 1
    assert writer.opened.version == version + 1


async def test_a_version_of_ours_is_known_and_one_of_another_process_is_not(database: Breaking, writer: Writer) -> None:
    async def known() -> bool:
        before = writer.opened
        async with database.connection() as connection:
            return writer.is_known(await ledger.read_present(connection), before)

    assert await known()
    database.lost = 1
    writer.ask(placing())
    with pytest.raises(TimeoutError):
        await writer.work()
    assert await known()  # it is ours, though we do not know yet that it is stored
    await writer.work()
    assert await known()

    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO gateway.breaker_changes (state, reason, by) VALUES ('TRIPPED', 'why', 'a person with psql')"
        )
    assert not await known()
    writer.distrust()
    await writer.work()
    assert await known()
    assert writer.opened.tripped

    await begun(database)
    assert not await known()


async def test_a_command_wakes_the_writer(writer: Writer) -> None:
    waiting = asyncio.create_task(writer.arrived(60))
    await asyncio.sleep(0)
    assert not waiting.done()

    writer.ask(lambda draft: commands.trip(draft, "why", "ann", NOW))

    await until(waiting.done, "it is awake")
    assert writer.waiting == 1
