"""The trading dates of the desk: how one begins, with which equity, and what is kept of those before."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from apps.catalogue import (
    circuit_breaker_state,
    daily_loss_ratio,
    daily_pnl_dollars,
    equity_dollars,
    market_states_refused_total,
    start_of_day_equity_dollars,
)
from apps.execution_gateway.book import Book
from apps.execution_gateway.pnl import ProfitAndLoss
from apps.labels import StateRefusalLabels
from apps.market import MarketState
from apps.session import NotConfirmed, StateRefused
from apps.vocabulary import StateRefusal
from telemetry.testing import Recorded
from tests.apps.execution_gateway.books import NOW, a_book, a_draft
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    opened,
    see,
)
from tests.apps.execution_gateway.trading import PRICES, WEDNESDAY, account, buy, sell
from tests.apps.markets import MONDAY, TUESDAY, market

pytestmark = pytest.mark.usefixtures("unknown")


async def test_start_of_day_equity_is_computed_at_the_open_with_the_previous_closes(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    await see(desk, market({**PRICES, "AAPL": 105}))
    await see(desk, market({**PRICES, "AAPL": 104}, is_open=False))
    assert recorded(daily_pnl_dollars) == 4000  # it is reset at the next open, not at the close

    await see(desk, market({**PRICES, "AAPL": 103}, date=TUESDAY, previous={**PRICES, "AAPL": 104}))

    assert recorded(start_of_day_equity_dollars) == 1_004_000
    assert recorded(daily_pnl_dollars) == -1000
    assert recorded(daily_loss_ratio) == pytest.approx(1000 / 1_004_000)


async def test_start_of_day_equity_is_the_same_if_the_gateway_was_down_at_the_open(
    database_url: str, recorded: Recorded
) -> None:
    tuesday: dict[str, Any] = {"date": TUESDAY, "previous": {**PRICES, "AAPL": 104}}
    async with opened(database_url, fee_per_share="0.01") as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 1000)
        await sell(desk, "AAPL", 300)

    async with opened(database_url) as desk:  # the gateway was down at Tuesday's open
        await see(desk, market({**PRICES, "AAPL": 90}, **tuesday))
        await sell(desk, "AAPL", 700)
        assert recorded(start_of_day_equity_dollars) == 1_000_000 - 13 + 700 * 4
    start_of_day_equity_dollars.remove()

    async with opened(database_url) as desk:
        await see(desk, market({**PRICES, "AAPL": 80}, **tuesday))
        assert recorded(start_of_day_equity_dollars) == 1_000_000 - 13 + 700 * 4
        assert recorded(daily_pnl_dollars) == -700 * 14


async def test_start_of_day_equity_includes_a_fill_that_was_not_booked_before_the_open(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url, fee_per_share="1", max_shares_per_tick=100) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 200)
        await desk.broker.see(market(PRICES))  # the venue fills the rest, and we crash before we book it

    async with opened(database_url) as desk:
        await see(desk, market({**PRICES, "AAPL": 110}, date=TUESDAY, previous={**PRICES, "AAPL": 110}))

        assert desk.writer.opened.positions["AAPL"].shares == 200
    assert recorded(start_of_day_equity_dollars) == 1_000_000 - 200 + 200 * 10


async def test_an_old_state_of_the_market_does_not_start_a_day_and_is_refused(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    await see(desk, market({**PRICES, "AAPL": 95}, date=TUESDAY, previous=PRICES))
    worst = recorded(daily_loss_ratio)

    with pytest.raises(StateRefused):
        await see(desk, market({**PRICES, "AAPL": 100}, date=MONDAY, previous={**PRICES, "AAPL": 1}))

    assert worst == pytest.approx(0.005)
    assert recorded(daily_loss_ratio) == worst
    assert recorded(start_of_day_equity_dollars) == 1_000_000
    assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.TRADING_DATE)) == 1


async def test_a_state_of_a_date_that_is_not_confirmed_is_not_used_and_the_loss_goes_on_being_measured(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1900)
    desk.session.follows = False
    ahead = market({**PRICES, "AAPL": 1}, date=dt.date(2029, 1, 1), previous={**PRICES, "AAPL": 1})
    used = desk.market

    with pytest.raises(StateRefused, match="2029-01-01"):
        await desk.see(ahead)

    assert desk.market is used
    assert recorded(equity_dollars) == 1_000_000
    assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.TRADING_DATE)) == 1
    await see(desk, market({**PRICES, "AAPL": 50}))
    assert recorded(daily_loss_ratio) == 0.095
    assert recorded(circuit_breaker_state) == 1
    assert (await account(desk))["trading_date"] == MONDAY


async def test_a_date_is_not_begun_while_the_market_data_service_does_not_answer(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.session.AGAIN_SECONDS", 0)
    await buy(desk, "AAPL", 1000)
    desk.session.follows = False
    desk.session.date = None
    tuesday = market({**PRICES, "AAPL": 90}, date=TUESDAY, previous=PRICES)

    with pytest.raises(NotConfirmed, match=r"ConnectError: .*does not answer"):
        await desk.see(tuesday)
    assert recorded(equity_dollars) == 1_000_000

    desk.session.date = TUESDAY
    await see(desk, tuesday)
    assert recorded(daily_pnl_dollars) == -10_000


def seen(book: Book, *states: MarketState) -> ProfitAndLoss:
    """P&L after these states of the market, without any commit between them."""
    pnl = ProfitAndLoss()
    for state in states:
        pnl.see(book, state)
    return pnl


def test_days_that_are_not_stored_are_kept_each_with_its_worst_loss_and_its_start() -> None:
    book = a_book({"AAPL": 1000}, cash=900_000, high_water_mark=Decimal(1_000_000))
    pnl = seen(
        book,
        market({"AAPL": 90}),
        market({"AAPL": 80}, date=TUESDAY, previous={"AAPL": 90}),
        market({"AAPL": 85}, date=TUESDAY, previous={"AAPL": 90}),
        market({"AAPL": 85}, date=WEDNESDAY, previous={"AAPL": 85}),
    )

    assert [(day.trading_date, day.start_of_day_equity, day.highest) for day in pnl.due] == [
        (MONDAY, Decimal(900_000), Decimal(990_000)),
        (TUESDAY, Decimal(990_000), Decimal(985_000)),
        (WEDNESDAY, Decimal(985_000), Decimal(985_000)),
    ]
    assert [day.worst for day in pnl.due] == [0, Decimal(10_000) / 990_000, 0]
    assert pnl.trading_date == WEDNESDAY

    pnl.stored(pnl.due[:2])
    assert [day.trading_date for day in pnl.due] == [WEDNESDAY]


def test_what_is_stored_of_a_day_is_its_loss_its_mark_and_its_trip() -> None:
    book = a_book(
        {"AAPL": 1000}, cash=900_000, high_water_mark=Decimal(1_000_000), start_of_day_equity=Decimal(1_000_000)
    )
    pnl = seen(book, market({"AAPL": 110}), market({"AAPL": 40}))
    limit = Decimal("0.05")
    assert pnl.today is not None
    assert not pnl.today.is_stored(book, limit)
    assert pnl.trips(book, limit)

    draft = a_draft(book)
    pnl.today.store(draft, NOW)

    assert [draft.book.daily_loss_ratio, draft.book.high_water_mark] == [Decimal("0.06"), 1_010_000]
    assert draft.book.breaker.reason == "lost 6.00% on 2020-03-09, the limit is 5.00%"
    assert pnl.today.is_stored(draft.book, limit)
    assert not pnl.trips(draft.book, limit)


def test_a_day_that_was_stored_before_a_restart_goes_on_with_its_start_and_its_worst_loss() -> None:
    book = a_book(cash=900_000, start_of_day_equity=Decimal(1_000_000), daily_loss_ratio=Decimal("0.2"))

    pnl = seen(book, market({"AAPL": 110}))

    assert pnl.due == []
    assert pnl.today is not None
    assert [pnl.today.start_of_day_equity, pnl.today.worst] == [1_000_000, Decimal("0.2")]
