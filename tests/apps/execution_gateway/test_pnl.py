"""P&L, start-of-day equity, the day's worst loss and the high-water mark, as the desk shows and stores them."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from apps import paper_venue
from apps.catalogue import (
    book_partial,
    cash_dollars,
    circuit_breaker_state,
    circuit_breaker_trips_total,
    daily_loss_ratio,
    daily_pnl_dollars,
    equity_dollars,
    equity_high_water_mark_dollars,
    gross_exposure_dollars,
    market_states_refused_total,
    net_exposure_dollars,
    pnl_dollars,
    pnl_updated_timestamp_seconds,
    position_value_dollars,
    positions_current,
    positions_total,
    start_of_day_equity_dollars,
    unrealized_pnl_dollars,
)
from apps.database import Connection
from apps.execution_gateway.api import routes
from apps.execution_gateway.book import ZERO, Book
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.desk import Desk, StateRefused
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.pnl import ProfitAndLoss
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.inputs import TICK
from apps.labels import PnlLabels, StateRefusalLabels, SymbolLabels, TripLabels
from apps.market import MarketState
from apps.vocabulary import PnlType, Rejection, Side, StateRefusal, TripReason
from telemetry.testing import Recorded
from tests.apps.execution_gateway.books import NOW, a_book, a_draft
from tests.apps.execution_gateway.conftest import (
    GoingAway,
    TestDesk,
    Venue,
    opened,
    order,
    put_between,
    see,
    set_away,
    settled,
)
from tests.apps.execution_gateway.test_book import Fill, recomputed
from tests.apps.markets import MONDAY, TUESDAY, market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
WEDNESDAY = dt.date(2020, 3, 11)


@pytest.fixture(autouse=True)
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


async def buy(desk: Desk, symbol: str, qty: int, **more: Any) -> None:
    await desk.orders.place(order(symbol, "buy", qty, **more))


async def sell(desk: Desk, symbol: str, qty: int, **more: Any) -> None:
    await desk.orders.place(order(symbol, "sell", qty, **more))


async def show(desk: TestDesk, *states: Any) -> None:
    """Shows the desk states of the market without waiting for PostgreSQL."""
    for state in states:
        desk.session.date = state.trading_date
        await desk.see(state)


async def account(desk: Desk) -> dict[str, Any]:
    """What PostgreSQL has of the account, and the reason of each change of the breaker."""
    async with desk.database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM gateway.account")
        reasons = await connection.fetch("SELECT reason FROM gateway.breaker_changes ORDER BY id")
    assert row is not None
    return {**row, "reasons": [reason["reason"] for reason in reasons]}


async def test_every_figure_follows_the_book_and_the_quotes(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, fee_per_share="0.1", allow_short=True) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 100)  # 10 000 dollars and a fee of 10
        await sell(desk, "MSFT", 20)  # 4 000 dollars short and a fee of 2
        await sell(desk, "AAPL", 40)  # a fee of 4

        state = market({**PRICES, "AAPL": 110, "MSFT": 205})
        await see(desk, state)

    assert recorded(positions_current, SymbolLabels(symbol="AAPL")) == 60
    assert recorded(positions_current, SymbolLabels(symbol="MSFT")) == -20
    assert recorded(positions_total) == 2
    assert recorded(cash_dollars) == 1_000_000 - 10_000 + 4_000 + 4_000 - 16
    assert recorded(position_value_dollars, SymbolLabels(symbol="AAPL")) == 6600
    assert recorded(position_value_dollars, SymbolLabels(symbol="MSFT")) == -4100
    assert recorded(unrealized_pnl_dollars, SymbolLabels(symbol="AAPL")) == 600
    assert recorded(unrealized_pnl_dollars, SymbolLabels(symbol="MSFT")) == -100
    assert [
        recorded(pnl_dollars, PnlLabels(type=kind)) for kind in (PnlType.REALIZED, PnlType.UNREALIZED, PnlType.TOTAL)
    ] == [
        -16,
        500,
        484,
    ]
    assert recorded(equity_dollars) == 1_000_484
    assert recorded(gross_exposure_dollars) == 10_700
    assert recorded(net_exposure_dollars) == 2_500
    assert recorded(start_of_day_equity_dollars) == 1_000_000
    assert recorded(daily_pnl_dollars) == 484
    assert recorded(equity_high_water_mark_dollars) == 1_000_484
    assert recorded(pnl_updated_timestamp_seconds) == state.quotes["AAPL"].at
    assert recorded(book_partial) == 0


async def test_a_fill_is_in_every_figure_without_a_new_state_of_the_market(desk: TestDesk, recorded: Recorded) -> None:
    await see(desk, market({**PRICES, "AAPL": 100}))
    await buy(desk, "AAPL", 100)

    assert recorded(cash_dollars) == 990_000
    assert recorded(position_value_dollars, SymbolLabels(symbol="AAPL")) == 10_000
    assert recorded(equity_dollars) == 1_000_000


async def test_a_closed_position_has_no_series(desk: TestDesk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 10)
    await buy(desk, "XOM", 10)
    await sell(desk, "AAPL", 10)

    for gauge in (positions_current, position_value_dollars, unrealized_pnl_dollars):
        assert recorded(gauge, SymbolLabels(symbol="AAPL")) is None
        assert recorded(gauge, SymbolLabels(symbol="XOM")) is not None
    assert recorded(positions_total) == 1


async def test_a_figure_that_is_not_known_yet_has_no_series(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url) as desk:
        assert recorded(cash_dollars) == 1_000_000
        assert recorded(equity_dollars) is None
        assert recorded(start_of_day_equity_dollars) is None
        assert recorded(pnl_dollars, PnlLabels(type=PnlType.TOTAL)) is None
        assert desk.valuation is None


async def test_the_time_of_pnl_is_the_time_of_the_oldest_quote_that_it_uses(desk: TestDesk, recorded: Recorded) -> None:
    old, mixed = market(PRICES, age=3), market(PRICES)
    await buy(desk, "AAPL", 10)
    mixed.quotes["AAPL"] = old.quotes["AAPL"]

    await see(desk, mixed)

    assert recorded(pnl_updated_timestamp_seconds) == old.quotes["AAPL"].at


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
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    desk.session.follows = False
    desk.session.date = None
    tuesday = market({**PRICES, "AAPL": 90}, date=TUESDAY, previous=PRICES)

    with pytest.raises(httpx.ConnectError, match="does not answer"):
        await desk.see(tuesday)
    assert recorded(equity_dollars) == 1_000_000

    desk.session.date = TUESDAY
    await see(desk, tuesday)
    assert recorded(daily_pnl_dollars) == -10_000


async def test_the_daily_loss_ratio_is_the_worst_of_the_date_and_survives_a_restart_and_is_reset_at_the_next_open(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 1000)
        ratios = []
        for price in (99, 97, 98, 120, 96, 100):
            await see(desk, market({**PRICES, "AAPL": price}))
            ratios.append(recorded(daily_loss_ratio))
        assert ratios == [0.001, 0.003, 0.003, 0.003, 0.004, 0.004]

    daily_loss_ratio.remove()
    async with opened(database_url) as desk:
        await see(desk, market(PRICES, is_open=False))
        assert recorded(daily_loss_ratio) == 0.004

        await see(desk, market(PRICES, date=TUESDAY))
        assert recorded(daily_loss_ratio) == 0


async def test_a_loss_while_postgresql_was_unavailable_is_not_lost(desk: TestDesk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "AAPL", 1000)

    set_away(desk, True)
    await desk.see(market({**PRICES, "AAPL": 70}))
    assert recorded(equity_dollars) == 940_000
    assert recorded(daily_loss_ratio) == 0.06
    await desk.see(market({**PRICES, "AAPL": 99}))
    assert recorded(equity_dollars) == 998_000
    assert recorded(daily_loss_ratio) == 0.06

    set_away(desk, False)
    await see(desk, market({**PRICES, "AAPL": 100}))

    assert recorded(daily_loss_ratio) == 0.06
    assert recorded(circuit_breaker_state) == 1
    assert (await account(desk))["daily_loss_ratio"] == Decimal("0.06")


async def test_the_loss_of_a_day_without_postgresql_is_stored_and_trips_the_breaker_on_the_date_it_belongs_to(
    desk: TestDesk, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await buy(desk, "AAPL", 1900)
    await see(desk, market({**PRICES, "AAPL": 104}, is_open=False))
    half = {**PRICES, "AAPL": 52}

    set_away(desk, True)  # before Tuesday's open, until after Wednesday's
    await show(
        desk,
        market({**PRICES, "AAPL": 104}, date=TUESDAY),
        market(half, date=TUESDAY, previous={**PRICES, "AAPL": 104}),
    )
    tuesday = recorded(start_of_day_equity_dollars)
    await show(desk, market(half, date=TUESDAY, is_open=False), market(half, date=WEDNESDAY))
    wednesday = recorded(start_of_day_equity_dollars)
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.DAILY_LOSS)) == 0  # nothing is stored yet
    set_away(desk, False)
    await settled(desk)

    stored = await account(desk)
    assert (tuesday, wednesday) == (1_007_600, 908_800)
    assert stored["reasons"] == ["lost 9.81% on 2020-03-10, the limit is 5.00%"]
    assert (stored["loss_tripped_on"], stored["trading_date"]) == (TUESDAY, WEDNESDAY)
    assert (stored["start_of_day_equity"], stored["daily_loss_ratio"]) == (908_800, 0)
    assert recorded(circuit_breaker_state) == 1
    assert "trading date 2020-03-10 starts with an equity of 1007600.00" in caplog.text
    assert "trading date 2020-03-11 starts with an equity of 908800.00" in caplog.text


class WithoutPostgres(Venue):
    """A venue that goes on while PostgreSQL is away, and remembers what it was told."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.told: list[str] = []

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        return []

    async def halt(self) -> int:
        self.told.append("halt")
        return 1

    async def resume(self) -> int:
        self.told.append("resume")
        return 1

    async def begin_day(self, trading_date: dt.date) -> None:
        self.told.append(f"begin {trading_date}")


async def test_a_loss_that_is_not_stored_yet_halts_the_venue_beyond_the_end_of_its_date(desk: TestDesk) -> None:
    await buy(desk, "AAPL", 1900)
    half = {**PRICES, "AAPL": 50}
    venue = put_between(desk, WithoutPostgres)
    set_away(desk, True)

    await show(desk, market(half, date=TUESDAY, previous=PRICES))
    await until(lambda: "begin 2020-03-10" in venue.told, "the venue begins Tuesday")
    await show(desk, market(half, date=WEDNESDAY))
    await until(lambda: "begin 2020-03-11" in venue.told, "the venue begins Wednesday")
    assert desk.switch.halting
    set_away(desk, False)
    await settled(desk)

    assert "halt" in venue.told
    assert "resume" not in venue.told
    assert desk.writer.opened.tripped


async def test_a_holding_with_neither_quote_nor_close_on_a_new_date_is_valued_at_its_last_price(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1900)
    await buy(desk, "XOM", 100)
    known = {"AAPL": 100, "MSFT": 200}

    await see(desk, market(known, date=TUESDAY))
    assert recorded(start_of_day_equity_dollars) == 1_000_000
    assert recorded(book_partial) == 1
    await see(desk, market({**known, "AAPL": 50}, date=TUESDAY, previous=known))

    assert recorded(daily_loss_ratio) == 0.095
    assert recorded(circuit_breaker_state) == 1
    assert recorded(book_partial) == 1
    assert desk.valuation is not None
    assert desk.valuation.partial == ("XOM",)
    assert (await account(desk))["reasons"] == ["lost 9.50% on 2020-03-10, the limit is 5.00%"]


async def test_a_loss_counts_while_another_holding_has_no_quote(desk: TestDesk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 1900)
    await buy(desk, "XOM", 100)

    await see(desk, market({"AAPL": 25, "MSFT": 200}, previous=PRICES))

    assert recorded(daily_loss_ratio) == 0.1425
    assert recorded(circuit_breaker_state) == 1
    with pytest.raises(Rejected) as refused:
        await buy(desk, "AAPL", 1)
    assert refused.value.reason is Rejection.BREAKER_TRIPPED


async def test_the_high_water_mark_does_not_rise_on_a_valuation_with_a_holding_without_a_quote(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "XOM", 100)

    await see(desk, market({"AAPL": 150, "MSFT": 200}, previous=PRICES))
    assert recorded(equity_dollars) == 1_050_000
    assert recorded(equity_high_water_mark_dollars) == 1_000_000

    await see(desk, market({**PRICES, "AAPL": 140}))
    assert recorded(equity_high_water_mark_dollars) == 1_040_000
    assert (await account(desk))["high_water_mark"] == 1_040_000


@pytest.mark.parametrize(("price", "state", "trips"), [("75", 0, 0), ("74.9999", 1, 1)])
async def test_a_daily_loss_over_the_limit_trips_the_breaker(
    desk: TestDesk, recorded: Recorded, price: str, state: int, trips: int
) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "AAPL", 1000)

    for _ in range(3):
        await see(desk, market({**PRICES, "AAPL": price}))

    assert recorded(circuit_breaker_state) == state
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.DAILY_LOSS)) == trips


async def test_a_reset_holds_until_the_next_date_which_can_trip_the_breaker_again(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "AAPL", 1000)
    await see(desk, market({**PRICES, "AAPL": 70}))
    await desk.switch.reset("we know", "ann")
    for price in (69, 60):
        await see(desk, market({**PRICES, "AAPL": price}))
    assert recorded(circuit_breaker_state) == 0

    await see(desk, market({**PRICES, "AAPL": 60}, date=TUESDAY, previous={**PRICES, "AAPL": 60}))
    assert recorded(circuit_breaker_state) == 0
    await see(desk, market({**PRICES, "AAPL": 30}, date=TUESDAY, previous={**PRICES, "AAPL": 60}))

    assert recorded(circuit_breaker_state) == 1
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.DAILY_LOSS)) == 2


async def test_the_high_water_mark_only_rises_and_survives_a_restart_and_can_be_reset_by_a_person(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await buy(desk, "AAPL", 1000)
        for price in (110, 105, 90):
            await see(desk, market({**PRICES, "AAPL": price}))
        assert recorded(equity_high_water_mark_dollars) == 1_010_000
    equity_high_water_mark_dollars.remove()

    async with opened(database_url) as desk:
        assert recorded(equity_high_water_mark_dollars) == 1_010_000
        assert await desk.reset_high_water_mark("new year", "ann") is None  # the equity is not known yet
        await see(desk, market({**PRICES, "AAPL": 90}))

        await desk.reset_high_water_mark("new year", "ann")

        await see(desk, market({**PRICES, "AAPL": 90}))
        assert recorded(equity_high_water_mark_dollars) == 990_000
        async with desk.database.connection() as connection:
            row = await connection.fetchrow("SELECT reason, by, before, after FROM gateway.high_water_mark_resets")
        assert row is not None
        assert tuple(row) == ("new year", "ann", 1_010_000, 990_000)


async def test_a_reset_of_the_high_water_mark_holds_though_the_equity_of_the_day_was_higher(
    desk: TestDesk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    for price in (110, 90):
        await see(desk, market({**PRICES, "AAPL": price}))

    await desk.reset_high_water_mark("new year", "ann")
    await see(desk, market({**PRICES, "AAPL": 89}))
    assert recorded(equity_high_water_mark_dollars) == 990_000

    await see(desk, market({**PRICES, "AAPL": 91}))
    assert (await account(desk))["high_water_mark"] == 991_000


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
