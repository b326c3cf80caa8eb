"""The paper venue: fills in parts, limit orders, slippage, fees, trading dates, and its own book."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import time
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.database import Database
from apps.execution_gateway.broker import Broker, VenueRejected
from apps.execution_gateway.models import CENT
from apps.inputs import TICK
from apps.market import MarketState, Quote
from apps.paper_venue import SCHEMA, PaperVenue
from apps.paper_venue.settings import VenueSettings
from apps.vocabulary import Side
from tests.apps.markets import MONDAY, TUESDAY, market
from tests.apps.paper_venue.conftest import fills, opened, parts, venue, wanted


def quoted(price: str, at: float) -> MarketState:
    return MarketState(time.time(), MONDAY, True, False, {"AAPL": Decimal(100)}, {"AAPL": Quote(Decimal(price), at)})


def test_it_is_a_broker(database_url: str) -> None:
    broker: Broker = PaperVenue(Database(database_url, SCHEMA), VenueSettings())

    assert broker


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.1"), (Side.SELL, "99.9")])
async def test_a_market_order_fills_at_once_at_the_quote_with_slippage(
    broker: PaperVenue, side: Side, price: str
) -> None:
    order = wanted(side)

    await broker.submit(order)

    (fill,) = await broker.executions_after(0)
    assert (fill.seq, fill.order_id, fill.symbol, fill.side, fill.qty) == (1, order.id, "AAPL", side, 10)
    assert [fill.price, fill.fee] == [Decimal(price), Decimal("0.10")]
    assert fill.trading_date == MONDAY
    assert abs((dt.datetime.now(dt.UTC) - fill.at).total_seconds()) < 60
    assert await broker.executions_after(fill.seq) == []
    assert await broker.shares() == {"AAPL": side.sign * 10}


async def test_a_large_order_fills_in_parts_with_one_part_per_tick_of_its_symbol(broker: PaperVenue) -> None:
    order = wanted(qty=250)
    await broker.submit(order)
    assert await fills(broker) == [(100, Decimal("100.1"))]

    same = market({"AAPL": 101})
    assert await broker.see(same) is True
    assert await broker.see(same) is False  # the same state again is not a new tick
    other = MarketState(same.at, MONDAY, True, False, {}, {**same.quotes, **market({"MSFT": 200}).quotes})
    assert await broker.see(other) is False
    assert await broker.see(market({"AAPL": 102})) is True
    assert await broker.see(market({"AAPL": 103})) is False

    assert await fills(broker) == [
        (100, Decimal("100.1")),
        (100, Decimal("101.101")),
        (50, Decimal("102.102")),
    ]


async def test_executions_are_read_in_pages(broker: PaperVenue) -> None:
    for _ in range(5):
        await broker.submit(wanted())

    assert [fill.seq for fill in await broker.executions_after(0, 2)] == [1, 2]
    assert [fill.seq for fill in await broker.executions_after(2, 2)] == [3, 4]
    assert [fill.seq for fill in await broker.executions_after(4, 2)] == [5]


async def test_nothing_fills_while_the_market_is_closed(broker: PaperVenue) -> None:
    taken = wanted(qty=200)
    await broker.submit(taken)

    assert await broker.see(market({"AAPL": 99}, is_open=False)) is False
    with pytest.raises(VenueRejected, match="closed"):
        await broker.submit(wanted())
    await broker.submit(taken)  # its answer was lost, perhaps

    assert len(await fills(broker)) == 1


@pytest.mark.parametrize("change", [{"open": False}, {"trading_date": TUESDAY}])
async def test_an_order_that_waited_for_the_market_fills_when_it_is_there_at_a_quote_that_has_not_changed(
    broker: PaperVenue, change: dict[str, Any]
) -> None:
    state = market({"AAPL": 100})
    order = wanted(qty=150)
    await broker.submit(order)

    assert await broker.see(replace(state, **change)) is False
    assert await broker.see(state) is True

    assert await parts(broker, order) == [100, 50]


async def test_without_a_market_or_without_a_quote_an_order_is_refused_and_may_come_again(database_url: str) -> None:
    order = wanted()
    async with venue(database_url) as broker:
        await broker.begin_day(MONDAY)
        with pytest.raises(VenueRejected, match="closed"):
            await broker.submit(order)
        await broker.see(market({"MSFT": 200}))
        with pytest.raises(VenueRejected, match="AAPL is not quoted"):
            await broker.submit(order)

        await broker.see(market({"AAPL": 100}))
        await broker.submit(order)
        assert await parts(broker, order) == [10]


@pytest.mark.parametrize(
    ("side", "limit", "then", "filled_at"),
    [
        (Side.BUY, "99", "99.0001", None),
        (Side.BUY, "99", "99", "99"),
        (Side.BUY, "99", "95", "99"),
        (Side.SELL, "101", "100.9999", None),
        (Side.SELL, "101", "101", "101"),
        (Side.SELL, "101", "105", "101"),
    ],
)
async def test_a_limit_order_rests_until_the_quote_reaches_its_limit_and_fills_at_the_limit(
    broker: PaperVenue, side: Side, limit: str, then: str, filled_at: str | None
) -> None:
    await broker.submit(wanted(side, limit=limit))
    assert await fills(broker) == []

    await broker.see(market({"AAPL": then}))

    assert [price for _, price in await fills(broker)] == ([Decimal(filled_at)] if filled_at else [])


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        (Side.BUY, "105", "100.1"),  # the quote with slippage
        (Side.BUY, "100.05", "100.05"),  # never above the limit
        (Side.BUY, "100", "100"),
        (Side.SELL, "95", "99.9"),
        (Side.SELL, "99.95", "99.95"),
    ],
)
async def test_all_parts_of_a_limit_order_that_the_quote_has_reached_fill_at_the_quote_but_not_beyond_the_limit(
    broker: PaperVenue, side: Side, limit: str, price: str
) -> None:
    await broker.submit(wanted(side, 300, limit))
    for _ in range(2):
        await broker.see(market({"AAPL": 100}))

    assert await fills(broker) == [(100, Decimal(price))] * 3


async def test_the_rest_of_a_limit_order_fills_at_the_limit_once_the_quote_was_beyond_it_also_after_a_restart(
    broker: PaperVenue, database_url: str
) -> None:
    await broker.submit(wanted(qty=300, limit="102"))
    assert await broker.see(market({"AAPL": 103})) is False
    assert await broker.see(market({"AAPL": 101})) is True

    async with venue(database_url) as restarted:
        await restarted.see(market({"AAPL": 100}))

    assert await fills(broker) == [(100, Decimal("100.1")), (100, Decimal(102)), (100, Decimal(102))]


async def test_a_market_buy_waits_while_the_price_is_dearer_than_its_worst_price(broker: PaperVenue) -> None:
    await broker.submit(wanted(qty=200, worst="100.2"))
    assert await broker.see(market({"AAPL": "100.2"})) is False  # 100.3002 with slippage
    assert await broker.see(market({"AAPL": "100.05"})) is True

    await broker.submit(wanted(worst="100.1"))
    await broker.submit(wanted(Side.SELL))

    assert await fills(broker) == [
        (100, Decimal("100.1")),
        (100, Decimal("100.15")),
        (10, Decimal("99.95")),
    ]


@pytest.mark.parametrize("age", [5.5, -5.5, 3600, math.inf, -math.inf, math.nan])
async def test_a_quote_that_is_old_or_from_the_future_fills_nothing(broker: PaperVenue, age: float) -> None:
    now = time.time()
    resting, arriving = wanted(qty=150), wanted(qty=10)
    await broker.submit(resting)

    assert await broker.see(quoted("100", now - age)) is False
    await broker.submit(arriving)
    assert await parts(broker, arriving) == []

    await broker.see(quoted("100", now))
    assert [await parts(broker, order) for order in (resting, arriving)] == [[100, 50], [10]]


async def test_a_limit_order_does_not_rest_because_of_an_old_quote(broker: PaperVenue) -> None:
    await broker.see(quoted("105", time.time() - 60))
    await broker.submit(wanted(limit="102"))

    await broker.see(market({"AAPL": 100}))

    assert await fills(broker) == [(10, Decimal("100.1"))]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1", "1e40", "0.00004"])
async def test_a_quote_without_a_usable_price_fills_nothing_and_does_not_stop_other_symbols(
    broker: PaperVenue, price: str
) -> None:
    await broker.see(market({"AAPL": 100, "MSFT": 200}))
    await broker.submit(wanted(qty=150))
    await broker.submit(wanted(qty=150, symbol="MSFT"))

    await broker.see(market({"AAPL": price, "MSFT": 200}))

    assert await broker.shares() == {"AAPL": 100, "MSFT": 150}


async def test_the_age_of_a_quote_is_told_by_the_given_clock(database: Database) -> None:
    broker = PaperVenue(database, VenueSettings(stale_quote_seconds=60), now=lambda: 1_000.0)
    await broker.begin_day(MONDAY)

    for at, shares in ((939.9, 0), (1005.1, 0), (940.0, 10), (1005.0, 20)):
        await broker.see(quoted("100", at))
        order = wanted()
        await broker.submit(order)
        assert (await broker.shares()).get("AAPL", 0) == shares
        await broker.cancel(order.id)


async def test_the_same_order_again_changes_nothing(broker: PaperVenue) -> None:
    order = wanted(qty=150)

    await broker.submit(order)
    await broker.submit(order)
    await broker.see(market({"AAPL": 101}))
    await broker.submit(order)

    executions = await broker.executions_after(0)
    assert [(fill.seq, fill.qty) for fill in executions] == [(1, 100), (2, 50)]


async def test_after_a_cancellation_no_more_is_filled(broker: PaperVenue) -> None:
    order, other = wanted(qty=150), wanted(qty=150)
    await broker.submit(order)
    await broker.submit(other)

    assert await broker.cancel(order.id) is True
    assert await broker.cancel(order.id) is True
    await broker.submit(order)
    await broker.see(market({"AAPL": 101}))

    assert [await parts(broker, one) for one in (order, other)] == [[100], [100, 50]]
    assert await broker.cancel(other.id) is True  # it is filled, so it was taken


async def test_an_order_that_is_cancelled_before_it_arrives_is_never_taken(
    broker: PaperVenue, database_url: str
) -> None:
    order = wanted()

    assert await broker.cancel(order.id) is False
    assert await broker.cancel(order.id) is False
    with pytest.raises(VenueRejected, match="cancelled before"):
        await broker.submit(order)
    async with venue(database_url) as restarted:
        with pytest.raises(VenueRejected, match="cancelled before"):
            await restarted.submit(order)
        assert await restarted.cancel(order.id) is False

    await broker.submit(wanted())
    assert [fill.seq for fill in await broker.executions_after(0)] == [1]
    assert await parts(broker, order) == []


async def test_resting_orders_are_kept_over_a_restart(database_url: str) -> None:
    order, ended = wanted(qty=150), wanted(qty=5)
    for start in range(2):
        async with venue(database_url, slippage_bps=0) as broker:
            await broker.begin_day(MONDAY)
            await broker.see(market({"AAPL": 100 + start}))
            if start == 0:
                await broker.submit(order)
                await broker.submit(ended)

    async with venue(database_url) as broker:
        assert await fills(broker) == [(100, Decimal(100)), (5, Decimal(100)), (50, Decimal(101))]
        assert await broker.shares() == {"AAPL": 155}


async def test_a_closed_position_is_not_in_the_book(broker: PaperVenue) -> None:
    await broker.submit(wanted(Side.BUY, 10))
    await broker.submit(wanted(Side.SELL, 10))

    assert await broker.shares() == {}


async def test_before_its_first_day_the_venue_takes_no_order(database_url: str) -> None:
    async with venue(database_url) as broker:
        await broker.see(market({"AAPL": 100}))

        for date in (MONDAY, None):
            with pytest.raises(VenueRejected, match="trades on None"):
                await broker.submit(wanted(date=date))


async def test_an_order_of_another_date_is_refused(broker: PaperVenue) -> None:
    for date in (TUESDAY, None):
        with pytest.raises(VenueRejected, match="the venue trades on 2020-03-09"):
            await broker.submit(wanted(date=date))


async def test_a_new_day_ends_the_orders_of_every_other_day_and_is_the_date_of_its_fills(broker: PaperVenue) -> None:
    old, new = wanted(qty=150), wanted(qty=150, date=TUESDAY)
    await broker.submit(old)

    await broker.begin_day(TUESDAY)
    await broker.begin_day(TUESDAY)
    await broker.see(market({"AAPL": 100}, date=TUESDAY))
    await broker.submit(new)
    await broker.see(market({"AAPL": 100}, date=TUESDAY))

    executions = await broker.executions_after(0)
    assert [(fill.qty, fill.trading_date) for fill in executions] == [(100, MONDAY), (100, TUESDAY), (50, TUESDAY)]
    assert await broker.cancel(old.id) is True


async def test_a_wrong_date_can_be_mended_with_an_earlier_one(broker: PaperVenue) -> None:
    wrong, right = wanted(qty=150, date=TUESDAY), wanted(qty=150)
    await broker.begin_day(TUESDAY)
    await broker.submit(wrong)

    await broker.begin_day(MONDAY)
    await broker.submit(right)
    await broker.see(market({"AAPL": 100}))

    assert [await parts(broker, order) for order in (wrong, right)] == [[], [100, 50]]


async def test_a_market_of_another_date_than_the_venues_fills_nothing(broker: PaperVenue) -> None:
    resting, arriving = wanted(qty=150), wanted(qty=10)
    await broker.submit(resting)

    assert await broker.see(market({"AAPL": 100}, date=TUESDAY)) is False
    await broker.submit(arriving)
    assert await broker.see(market({"AAPL": 101}, date=TUESDAY)) is False
    assert [await parts(broker, order) for order in (resting, arriving)] == [[100], []]

    assert await broker.see(market({"AAPL": 100})) is True
    assert [await parts(broker, order) for order in (resting, arriving)] == [[100, 50], [10]]


async def test_the_tables_may_be_created_again_and_by_many_processes_at_once(database_url: str) -> None:
    databases = [Database(database_url, SCHEMA) for _ in range(8)]
    try:
        await asyncio.gather(*(database.open() for database in databases))
        await PaperVenue(databases[0], VenueSettings()).begin_day(MONDAY)
        async with opened(Database(database_url, SCHEMA)) as again, again.connection() as connection:
            assert await connection.fetchval("SELECT trading_date FROM venue.state") == MONDAY
    finally:
        for database in databases:
            await database.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    qty=st.integers(1, 400),
    prices=st.lists(st.decimals("0.01", "4000", places=4), min_size=4, max_size=4),
    slippage=st.decimals(0, 100, places=2),
    fee=st.decimals(0, "0.05", places=4),
)
async def test_buying_never_costs_more_than_the_worst_price_and_the_fees(
    database_url: str, qty: int, prices: list[Decimal], slippage: Decimal, fee: Decimal
) -> None:
    worst = (prices[0] * (1 + slippage / 10_000)).quantize(TICK)
    order = wanted(qty=qty, worst=str(worst))
    async with venue(database_url, slippage_bps=slippage, fee_per_share=fee) as broker:
        await broker.begin_day(MONDAY)
        await broker.see(market({"AAPL": prices[0]}))
        last = await broker.resume()
        await broker.submit(order)
        for price in (*prices[1:], *prices[:1] * 4):
            await broker.see(market({"AAPL": price}))
        executions = await broker.executions_after(last)

    assert sum(fill.qty for fill in executions) == qty
    assert all(fill.price <= worst for fill in executions)
    assert all(fill.fee == (fill.qty * fee).quantize(CENT, ROUND_HALF_UP) for fill in executions)


async def test_a_cancellation_of_something_unknown_needs_no_market(database_url: str) -> None:
    async with venue(database_url) as broker:
        assert await broker.cancel(uuid4()) is False
