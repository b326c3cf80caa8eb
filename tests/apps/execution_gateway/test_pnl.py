"""P&L, start-of-day equity, the day's worst loss and the high-water mark."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from apps.catalogue import (
    cash_dollars,
    circuit_breaker_state,
    circuit_breaker_trips_total,
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
from apps.execution_gateway import ledger
from apps.execution_gateway.book import ZERO
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.models import TICK
from apps.execution_gateway.pnl import loss_ratio
from apps.vocabulary import Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import opened, order, set_away
from tests.apps.execution_gateway.test_book import Fill, recomputed
from tests.apps.markets import MONDAY, TUESDAY, market

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


@pytest.fixture(autouse=True)
def unknown() -> None:
    """Removes the gauges' series, which would still have the values of the last test."""
    for gauge in (
        cash_dollars, daily_loss_ratio, daily_pnl_dollars, equity_dollars, equity_high_water_mark_dollars,
        gross_exposure_dollars, net_exposure_dollars, pnl_updated_timestamp_seconds, positions_total,
        start_of_day_equity_dollars, circuit_breaker_state,
    ):  # fmt: skip
        gauge.remove()
    for gauge in (pnl_dollars, unrealized_pnl_dollars, position_value_dollars, positions_current):
        gauge.replace({})


async def buy(desk: Desk, symbol: str, qty: int, **more: Any) -> None:
    await desk.placement.place(order(symbol, "buy", qty, **more))


async def sell(desk: Desk, symbol: str, qty: int, **more: Any) -> None:
    await desk.placement.place(order(symbol, "sell", qty, **more))


@pytest.mark.parametrize(
    ("equity", "start", "ratio"),
    [
        (95, 100, "0.05"),
        (94, 100, "0.06"),
        (100, 100, "0"),
        (150, 100, "0"),
        (0, 100, "1"),
        (-50, 100, "1.5"),
        (-1, 0, "1"),
        (-20, -10, "1"),
        (0, 0, "0"),
        (5, -10, "0"),
    ],
)
def test_the_loss_ratio_is_the_loss_over_start_of_day_equity(equity: int, start: int, ratio: str) -> None:
    assert loss_ratio(Decimal(equity), Decimal(start)) == Decimal(ratio)


async def test_every_figure_follows_the_book_and_the_quotes(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, fee_per_share="0.1", allow_short=True) as desk:
        await desk.see(market(PRICES))
        await buy(desk, "AAPL", 100)  # 10 000 dollars and a fee of 10
        await sell(desk, "MSFT", 20)  # 4 000 dollars short and a fee of 2
        await sell(desk, "AAPL", 40)  # a fee of 4

        state = market({**PRICES, "AAPL": 110, "MSFT": 205})
        await desk.see(state)

    assert recorded(positions_current, symbol="AAPL") == 60
    assert recorded(positions_current, symbol="MSFT") == -20
    assert recorded(positions_total) == 2
    assert recorded(cash_dollars) == 1_000_000 - 10_000 + 4_000 + 4_000 - 16
    assert recorded(position_value_dollars, symbol="AAPL") == 6600
    assert recorded(position_value_dollars, symbol="MSFT") == -4100
    assert recorded(unrealized_pnl_dollars, symbol="AAPL") == 600
    assert recorded(unrealized_pnl_dollars, symbol="MSFT") == -100
    assert [recorded(pnl_dollars, type=kind) for kind in ("realized", "unrealized", "total")] == [-16, 500, 484]
    assert recorded(equity_dollars) == 1_000_484
    assert recorded(gross_exposure_dollars) == 10_700
    assert recorded(net_exposure_dollars) == 2_500
    assert recorded(start_of_day_equity_dollars) == 1_000_000
    assert recorded(daily_pnl_dollars) == 484
    assert recorded(equity_high_water_mark_dollars) == 1_000_000  # the gauge has the mark from before this state
    assert recorded(pnl_updated_timestamp_seconds) == state.quotes["AAPL"].at


async def test_a_closed_position_has_no_series(desk: Desk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 10)
    await buy(desk, "XOM", 10)
    await desk.see(market(PRICES))
    await sell(desk, "AAPL", 10)
    await desk.see(market(PRICES))

    for gauge in (positions_current, position_value_dollars, unrealized_pnl_dollars):
        assert recorded(gauge, symbol="AAPL") is None
        assert recorded(gauge, symbol="XOM") is not None
    assert recorded(positions_total) == 1


async def test_a_figure_that_is_not_known_yet_has_no_series(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url) as desk:
        await desk.catch_up()
        assert recorded(cash_dollars) == 1_000_000
        assert recorded(daily_loss_ratio) == 0
        assert recorded(equity_dollars) is None
        assert recorded(start_of_day_equity_dollars) is None
        assert recorded(pnl_dollars, type="total") is None
        assert desk.pnl.daily is None

        await desk.see(market(PRICES))
        await buy(desk, "AAPL", 10)
    async with opened(database_url) as desk:
        equity_dollars.remove()
        await desk.see(market({"MSFT": 200}))  # there is a position in AAPL, but no quote

        assert recorded(equity_dollars) is None
        assert recorded(positions_current, symbol="AAPL") == 10


async def test_the_time_of_pnl_is_the_time_of_the_oldest_quote_that_it_uses(desk: Desk, recorded: Recorded) -> None:
    old = market(PRICES, age=100)
    await desk.see(old)
    before = time.time()
    # Without a position, it is the time of the computation.
    assert (recorded(pnl_updated_timestamp_seconds) or 0) >= before - 5

    await desk.see(market(PRICES))
    await buy(desk, "AAPL", 10)
    mixed = market(PRICES)
    mixed.quotes["AAPL"] = old.quotes["AAPL"]
    await desk.see(mixed)

    assert recorded(pnl_updated_timestamp_seconds) == old.quotes["AAPL"].at


async def test_start_of_day_equity_is_computed_at_the_open_with_the_previous_closes(
    desk: Desk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    await desk.see(market({**PRICES, "AAPL": 105}))
    await desk.see(market({**PRICES, "AAPL": 104}, is_open=False))
    assert recorded(daily_pnl_dollars) == 4000  # it is reset at the next open, not at the close

    await desk.see(market({**PRICES, "AAPL": 103}, date=TUESDAY, previous={**PRICES, "AAPL": 104}))

    assert recorded(start_of_day_equity_dollars) == 1_004_000
    assert recorded(daily_pnl_dollars) == -1000
    assert recorded(daily_loss_ratio) == pytest.approx(1000 / 1_004_000)


async def test_start_of_day_equity_is_the_same_if_the_gateway_was_down_at_the_open(
    database_url: str, recorded: Recorded
) -> None:
    tuesday: dict[str, Any] = {"date": TUESDAY, "previous": {**PRICES, "AAPL": 104}}
    async with opened(database_url, fee_per_share="0.01") as desk:
        await desk.see(market(PRICES))
        await buy(desk, "AAPL", 1000)
        await sell(desk, "AAPL", 300)
        await desk.see(market({**PRICES, "AAPL": 104}, **tuesday))
        at_the_open = recorded(start_of_day_equity_dollars)
        await buy(desk, "MSFT", 100)
        await sell(desk, "AAPL", 700)
        async with desk.database.connection() as connection:
            await connection.execute("UPDATE gateway.account SET trading_date = '2020-03-09', start_of_day_equity = 1")
    start_of_day_equity_dollars.remove()

    async with opened(database_url) as desk:  # the gateway was down at Tuesday's open
        await desk.see(market({**PRICES, "AAPL": 90}, **tuesday))

    assert at_the_open == 1_000_000 - 13 + 700 * 4
    assert recorded(start_of_day_equity_dollars) == at_the_open


async def test_start_of_day_equity_includes_a_fill_that_was_not_booked_before_the_open(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url, fee_per_share="1", max_shares_per_tick=100) as desk:
        await desk.see(market(PRICES))
        await buy(desk, "AAPL", 200)
        await desk.broker.see(market(PRICES))  # the venue fills the rest, and we crash before we book it

    async with opened(database_url) as desk:
        await desk.see(market({**PRICES, "AAPL": 110}, date=TUESDAY, previous={**PRICES, "AAPL": 110}))

    assert recorded(start_of_day_equity_dollars) == 1_000_000 - 200 + 200 * 10


async def test_an_old_state_of_the_market_does_not_start_a_day(desk: Desk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 1000)
    await desk.see(market({**PRICES, "AAPL": 95}, date=TUESDAY, previous=PRICES))
    worst = recorded(daily_loss_ratio)

    await desk.see(market({**PRICES, "AAPL": 100}, date=MONDAY, previous={**PRICES, "AAPL": 1}))

    assert worst == pytest.approx(0.005)
    assert recorded(daily_loss_ratio) == worst
    assert recorded(start_of_day_equity_dollars) == 1_000_000


async def test_the_daily_loss_ratio_is_the_worst_of_the_date_and_survives_a_restart_and_is_reset_at_the_next_open(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await desk.see(market(PRICES))
        await buy(desk, "AAPL", 1000)
        ratios = []
        for price in (99, 97, 98, 120, 96, 100):
            await desk.see(market({**PRICES, "AAPL": price}))
            ratios.append(recorded(daily_loss_ratio))
        assert ratios == [0.001, 0.003, 0.003, 0.003, 0.004, 0.004]

    daily_loss_ratio.remove()
    async with opened(database_url) as desk:
        await desk.catch_up()
        assert recorded(daily_loss_ratio) == 0.004
        await desk.see(market(PRICES, is_open=False))
        assert recorded(daily_loss_ratio) == 0.004

        await desk.see(market(PRICES, date=TUESDAY))
        assert recorded(daily_loss_ratio) == 0


async def test_a_loss_while_postgresql_was_unavailable_is_not_lost(desk: Desk, recorded: Recorded) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "AAPL", 1000)
    await desk.see(market(PRICES))

    set_away(desk, True)
    await desk.see(market({**PRICES, "AAPL": 70}))
    assert recorded(equity_dollars) == 940_000
    assert recorded(daily_loss_ratio) == 0.06
    await desk.see(market({**PRICES, "AAPL": 99}))
    assert recorded(equity_dollars) == 998_000
    assert recorded(daily_loss_ratio) == 0.06

    set_away(desk, False)
    await desk.see(market({**PRICES, "AAPL": 100}))

    assert recorded(daily_loss_ratio) == 0.06
    assert recorded(circuit_breaker_state) == 1
    async with desk.database.connection() as connection:
        assert (await ledger.read_book(connection))[1].daily_loss_ratio == Decimal("0.06")


@pytest.mark.parametrize(("price", "state", "trips"), [("75", 0, 0), ("74.9999", 1, 1)])
async def test_a_daily_loss_over_the_limit_trips_the_breaker(
    desk: Desk, recorded: Recorded, price: str, state: int, trips: int
) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "AAPL", 1000)
    await desk.catch_up()

    for _ in range(3):
        await desk.see(market({**PRICES, "AAPL": price}))

    assert recorded(circuit_breaker_state) == state
    assert recorded(circuit_breaker_trips_total, reason="daily_loss") == trips


async def test_a_reset_holds_until_the_next_date_which_can_trip_the_breaker_again(
    desk: Desk, recorded: Recorded
) -> None:
    await buy(desk, "AAPL", 1000)
    await buy(desk, "AAPL", 1000)
    await desk.see(market({**PRICES, "AAPL": 70}))
    await desk.reset("we know", "ann")
    for price in (69, 60):
        await desk.see(market({**PRICES, "AAPL": price}))
    assert recorded(circuit_breaker_state) == 0

    await desk.see(market({**PRICES, "AAPL": 60}, date=TUESDAY, previous={**PRICES, "AAPL": 60}))
    assert recorded(circuit_breaker_state) == 0
    await desk.see(market({**PRICES, "AAPL": 30}, date=TUESDAY, previous={**PRICES, "AAPL": 60}))

    assert recorded(circuit_breaker_state) == 1
    assert recorded(circuit_breaker_trips_total, reason="daily_loss") == 2


async def test_the_high_water_mark_only_rises_and_survives_a_restart_and_can_be_reset_by_a_person(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await desk.see(market(PRICES))
        await buy(desk, "AAPL", 1000)
        for price in (110, 105, 90):
            await desk.see(market({**PRICES, "AAPL": price}))
        assert recorded(equity_high_water_mark_dollars) == 1_010_000
    equity_high_water_mark_dollars.remove()

    async with opened(database_url) as desk:
        await desk.catch_up()
        assert recorded(equity_high_water_mark_dollars) == 1_010_000
        async with desk.database.transaction() as connection:
            assert await ledger.reset_high_water_mark(connection, Decimal(990_000), "new year", "ann") == 1_010_000
        await desk.catch_up()
        assert recorded(equity_high_water_mark_dollars) == 990_000
        async with desk.database.connection() as connection:
            row = await connection.fetchrow("SELECT reason, by, before, after FROM gateway.high_water_mark_resets")
        assert row is not None
        assert tuple(row) == ("new year", "ann", 1_010_000, 990_000)


@pytest.mark.parametrize("seed", range(4))
async def test_the_stored_book_equals_a_computation_from_the_stored_fills_to_the_cent(
    database_url: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    costs = {"slippage_bps": "3.7", "fee_per_share": "0.0049", "max_shares_per_tick": 90}
    async with opened(database_url, allow_short=True, **costs) as desk:
        prices = {symbol: Decimal(price) for symbol, price in PRICES.items()}
        for _ in range(15):
            for symbol, price in prices.items():
                prices[symbol] = (price * Decimal(chance.uniform(0.97, 1.03))).quantize(TICK)
            await desk.see(market(prices))
            request = order(chance.choice(list(PRICES)), chance.choice(["buy", "sell"]), chance.randint(1, 250))
            await desk.placement.place(request)
        for _ in range(4):
            await desk.see(market(prices))
        valuation, book = desk.pnl.valuation, desk.pnl.book
        assert valuation is not None
        assert book is not None
        async with desk.database.connection() as connection:
            rows = await connection.fetch("SELECT symbol, side, qty, price, fee FROM gateway.fills ORDER BY venue_seq")

    realized = unrealized = cash = Fraction(0)
    for symbol in PRICES:
        fills = [Fill(Side(r["side"]), r["qty"], r["price"], r["fee"]) for r in rows if r["symbol"] == symbol]
        parts = recomputed(fills, prices[symbol])
        realized, unrealized, cash = realized + parts[0], unrealized + parts[1], cash + parts[2]
        held = sum(fill.side.sign * fill.qty for fill in fills)
        assert (book.positions[symbol].shares if symbol in book.positions else 0) == held
    assert len(rows) > 15
    assert Fraction(book.cash) == 1_000_000 + cash
    assert abs(Fraction(valuation.realized) - realized) < Fraction(1, 10**9)
    assert abs(Fraction(valuation.unrealized) - unrealized) < Fraction(1, 10**9)
    assert abs(Fraction(valuation.equity) - 1_000_000 - realized - unrealized) < Fraction(1, 10**9)
    assert valuation.realized != ZERO
