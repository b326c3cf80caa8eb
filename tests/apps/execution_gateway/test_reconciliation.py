"""Reconciliation: drift counts only if two runs in a row find it."""

from __future__ import annotations

import time

import pytest

from apps.catalogue import (
    SYMBOL,
    reconciliation_drift_shares,
    reconciliation_last_success_timestamp_seconds,
    reconciliation_runs_total,
)
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.reconciliation import Reconciliation
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import order, set_away


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
def reconciliation(desk: Desk, venue: Book) -> Reconciliation:
    return Reconciliation(desk.database, venue)  # type: ignore[arg-type]  # it has the one method that is called


async def test_books_that_agree_have_a_drift_of_zero_for_every_configured_symbol(
    desk: Desk, reconciliation: Reconciliation, venue: Book, recorded: Recorded
) -> None:
    await desk.placement.place(order("AAPL", qty=10))
    venue.held = {"AAPL": 10}

    assert await reconciliation.run() == {}

    assert [recorded(reconciliation_drift_shares, symbol=symbol) for symbol in ("AAPL", "MSFT", "XOM")] == [0, 0, 0]
    assert recorded(reconciliation_runs_total, result="success") == 1
    assert (recorded(reconciliation_last_success_timestamp_seconds) or 0) == pytest.approx(time.time(), abs=5)


async def test_a_symbol_that_a_client_invented_has_no_series(
    desk: Desk, reconciliation: Reconciliation, recorded: Recorded
) -> None:
    with pytest.raises(Exception, match="NOPE is not quoted here"):
        await desk.placement.place(order("NOPE"))

    await reconciliation.run()

    assert "NOPE" not in SYMBOL.known
    assert recorded(reconciliation_drift_shares, symbol="NOPE") is None


async def test_drift_counts_from_the_second_run_that_finds_it(
    reconciliation: Reconciliation, venue: Book, recorded: Recorded
) -> None:
    venue.held = {"AAPL": 5, "MSFT": -3}

    assert await reconciliation.run() == {}
    assert recorded(reconciliation_drift_shares, symbol="AAPL") == 0
    assert await reconciliation.run() == {"AAPL": 5, "MSFT": -3}
    assert recorded(reconciliation_drift_shares, symbol="AAPL") == 5
    assert recorded(reconciliation_drift_shares, symbol="MSFT") == -3

    venue.held = {"MSFT": -3}
    assert await reconciliation.run() == {"MSFT": -3}
    assert recorded(reconciliation_drift_shares, symbol="AAPL") == 0


async def test_drift_that_changes_from_run_to_run_does_not_count(reconciliation: Reconciliation, venue: Book) -> None:
    for shares in (5, 6, 7):
        venue.held = {"AAPL": shares}
        assert await reconciliation.run() == {}


async def test_a_position_that_the_venue_does_not_have_is_drift(
    desk: Desk, reconciliation: Reconciliation, recorded: Recorded
) -> None:
    await desk.placement.place(order("AAPL", qty=10))

    await reconciliation.run()

    assert await reconciliation.run() == {"AAPL": -10}


async def test_a_failed_run_is_counted_and_does_not_change_the_gauges(
    desk: Desk, reconciliation: Reconciliation, venue: Book, recorded: Recorded
) -> None:
    venue.held = {"AAPL": 5}
    await reconciliation.run()
    await reconciliation.run()
    set_away(desk, True)
    before = recorded(reconciliation_last_success_timestamp_seconds)

    with pytest.raises(Exception, match="gone"):
        await reconciliation.run()

    assert recorded(reconciliation_runs_total, result="failed") == 1
    assert recorded(reconciliation_drift_shares, symbol="AAPL") == 5
    assert recorded(reconciliation_last_success_timestamp_seconds) == before


async def test_the_desk_and_the_paper_venue_have_no_drift(desk: Desk) -> None:
    await desk.placement.place(order("AAPL", qty=10))
    await desk.placement.place(order("XOM", qty=10))
    await desk.placement.place(order("XOM", "sell", 10))

    reconciliation = Reconciliation(desk.database, desk.broker)
    assert [await reconciliation.run() for _ in range(2)] == [{}, {}]
    async with desk.database.connection() as connection:
        await connection.execute("UPDATE gateway.positions SET shares = 7")
    assert [await reconciliation.run() for _ in range(2)] == [{}, {"AAPL": 3}]
