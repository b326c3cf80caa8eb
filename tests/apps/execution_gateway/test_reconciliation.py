"""Reconciliation: drift counts only if two runs in a row find it."""

from __future__ import annotations

import time

import pytest

from apps.catalogue import (
    day_orders_outlived,
    reconciliation_drift_shares,
    reconciliation_last_success_timestamp_seconds,
    reconciliation_runs_total,
)
from apps.execution_gateway.reconciliation import Reconciliation
from apps.labels import SYMBOL, OutcomeLabels, SymbolLabels
from apps.vocabulary import Outcome
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import TestDesk, order, see, set_away, settled
from tests.apps.markets import market
from tests.waiting import until


class Book:
    """A venue that holds the shares that the test sets."""

    def __init__(self, **shares: int) -> None:
        self.held = shares

    async def shares(self) -> dict[str, int]:
        return self.held


@pytest.fixture
def venue() -> Book:
    return Book()


@pytest.fixture
def reconciliation(desk: TestDesk, venue: Book) -> Reconciliation:
    assert desk.market is not None
    quoted = desk.market.quotes
    return Reconciliation(desk.database, venue, lambda: desk.writer.opened, lambda: quoted)  # type: ignore[arg-type]  # it has the one method that is called


async def test_books_that_agree_have_a_drift_of_zero_for_every_configured_symbol(
    desk: TestDesk, reconciliation: Reconciliation, venue: Book, recorded: Recorded
) -> None:
    await desk.orders.place(order("AAPL", qty=10))
    venue.held = {"AAPL": 10}

    assert await reconciliation.run() == {}

    assert [
        recorded(reconciliation_drift_shares, SymbolLabels(symbol=symbol)) for symbol in ("AAPL", "MSFT", "XOM")
    ] == [0, 0, 0]
    assert recorded(reconciliation_runs_total, OutcomeLabels(result=Outcome.SUCCESS)) == 1
    assert (recorded(reconciliation_last_success_timestamp_seconds) or 0) == pytest.approx(time.time(), abs=5)


async def test_a_symbol_that_left_the_market_is_shown_as_long_as_it_is_held(desk: TestDesk, recorded: Recorded) -> None:
    await desk.orders.place(order("AAPL", qty=10))
    await see(desk, market({"MSFT": 200}))

    await desk.reconciliation.run()

    shown = [recorded(reconciliation_drift_shares, SymbolLabels(symbol=symbol)) for symbol in ("AAPL", "MSFT", "XOM")]
    assert shown == [0, 0, None]


async def test_a_symbol_that_a_client_invented_has_no_series(
    desk: TestDesk, reconciliation: Reconciliation, recorded: Recorded
) -> None:
    with pytest.raises(Exception, match="NOPE is not quoted here"):
        await desk.orders.place(order("NOPE"))

    await reconciliation.run()

    assert "NOPE" not in SYMBOL.known
    assert recorded(reconciliation_drift_shares, SymbolLabels(symbol="NOPE")) is None


async def test_drift_counts_from_the_second_run_that_finds_it(
    reconciliation: Reconciliation, venue: Book, recorded: Recorded
) -> None:
    venue.held = {"AAPL": 5, "MSFT": -3}

    assert await reconciliation.run() == {}
    assert recorded(reconciliation_drift_shares, SymbolLabels(symbol="AAPL")) == 0
    assert await reconciliation.run() == {"AAPL": 5, "MSFT": -3}
    assert recorded(reconciliation_drift_shares, SymbolLabels(symbol="AAPL")) == 5
    assert recorded(reconciliation_drift_shares, SymbolLabels(symbol="MSFT")) == -3

    venue.held = {"MSFT": -3}
    assert await reconciliation.run() == {"MSFT": -3}
    assert recorded(reconciliation_drift_shares, SymbolLabels(symbol="AAPL")) == 0


async def test_drift_that_changes_from_run_to_run_does_not_count(reconciliation: Reconciliation, venue: Book) -> None:
    for shares in (5, 6, 7):
        venue.held = {"AAPL": shares}
        assert await reconciliation.run() == {}


async def test_a_position_that_the_venue_does_not_have_is_drift(
    desk: TestDesk, reconciliation: Reconciliation, recorded: Recorded
) -> None:
    await desk.orders.place(order("AAPL", qty=10))

    await reconciliation.run()

    assert await reconciliation.run() == {"AAPL": -10}


async def test_a_failed_run_is_counted_and_does_not_change_the_gauges(
    desk: TestDesk, reconciliation: Reconciliation, venue: Book, recorded: Recorded
) -> None:
    venue.held = {"AAPL": 5}
    await reconciliation.run()
    await reconciliation.run()
    set_away(desk, True)
    before = recorded(reconciliation_last_success_timestamp_seconds)

    with pytest.raises(Exception, match="gone"):
        await reconciliation.run()

    assert recorded(reconciliation_runs_total, OutcomeLabels(result=Outcome.FAILED)) == 1
    assert recorded(reconciliation_drift_shares, SymbolLabels(symbol="AAPL")) == 5
    assert recorded(reconciliation_last_success_timestamp_seconds) == before


async def test_the_desk_and_the_paper_venue_have_no_drift(desk: TestDesk) -> None:
    await desk.orders.place(order("AAPL", qty=10))
    await desk.orders.place(order("XOM", qty=10))
    await desk.orders.place(order("XOM", "sell", 10))

    assert [await desk.reconciliation.run() for _ in range(2)] == [{}, {}]


async def test_a_position_that_somebody_changed_in_postgresql_is_drift_once_the_book_is_read_again(
    desk: TestDesk, reconciliation: Reconciliation, venue: Book
) -> None:
    await desk.orders.place(order("AAPL", qty=10))
    venue.held = {"AAPL": 10}
    before = desk.writer.opened
    async with desk.database.connection() as connection:
        await connection.execute("UPDATE gateway.positions SET shares = 7")

    desk.writer.distrust()
    await until(lambda: desk.writer.opened is not before, "the book is read again")

    assert [await reconciliation.run() for _ in range(2)] == [{}, {"AAPL": 3}]


async def test_an_execution_that_was_set_aside_is_drift(desk: TestDesk) -> None:
    await desk.orders.place(order("AAPL", qty=10))
    async with desk.database.transaction() as connection:  # an order that is not ours
        await connection.execute(
            "INSERT INTO venue.orders (id, symbol, side, qty, remaining, trading_date)"
            " VALUES (gen_random_uuid(), 'XOM', 'buy', 100, 0, '2020-03-09')"
        )
        await connection.execute(
            "INSERT INTO venue.executions (seq, order_id, symbol, side, qty, price, fee, trading_date)"
            " SELECT (SELECT max(seq) + 1 FROM venue.executions), id, 'XOM', 'buy', 100, 50, 0, '2020-03-09'"
            " FROM venue.orders WHERE symbol = 'XOM'"
        )
    await desk.dispatch.fetch()
    await settled(desk)

    assert desk.writer.opened.set_aside == 1
    assert await run_twice(desk) == {"XOM": 100}
    await desk.orders.place(order("AAPL", qty=5))  # and the rest goes on
    assert desk.writer.opened.positions["AAPL"].shares == 15


async def run_twice(desk: TestDesk) -> dict[str, int]:
    await desk.reconciliation.run()
    return await desk.reconciliation.run()


async def test_open_orders_that_outlived_their_date_are_counted(
    desk: TestDesk, reconciliation: Reconciliation, recorded: Recorded
) -> None:
    await desk.orders.place(order("AAPL", qty=1, order_type="limit", limit_price="95"))
    await reconciliation.run()
    assert recorded(day_orders_outlived) == 0

    async with desk.database.connection() as connection:
        await connection.execute("UPDATE gateway.orders SET trading_date = '2020-03-06'")
    await reconciliation.run()

    assert recorded(day_orders_outlived) == 1
