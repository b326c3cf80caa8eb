"""A halted venue: only what reduces a position is filled."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.database import Database
from apps.execution_gateway.broker import VenueRejected
from apps.paper_venue import PaperVenue
from apps.vocabulary import Side
from tests.apps.markets import MONDAY, market
from tests.apps.paper_venue.conftest import parts, venue, wanted


async def test_200_resting_buys_are_not_filled_while_the_venue_is_halted(broker: PaperVenue) -> None:
    for _ in range(200):
        await broker.submit(wanted(limit="98"))

    last = await broker.halt()
    assert await broker.see(market({"AAPL": 90})) is False
    assert (last, await broker.executions_after(0)) == (0, [])

    await broker.resume()
    assert await broker.see(market({"AAPL": 90})) is True


@pytest.mark.parametrize("first", [Side.BUY, Side.SELL])
async def test_a_resting_order_that_reduces_is_filled_until_the_position_is_zero(
    broker: PaperVenue, first: Side
) -> None:
    second, away = (Side.SELL, "110") if first is Side.BUY else (Side.BUY, "90")
    await broker.submit(wanted(first, 70))
    resting = [wanted(second, 50, limit=away), wanted(second, 50, limit=away)]
    for order in resting:
        await broker.submit(order)

    assert await broker.halt() == 1
    assert await broker.see(market({"AAPL": away})) is True
    assert await broker.see(market({"AAPL": away})) is False
    assert sorted([await parts(broker, order) for order in resting]) == [[20], [50]]
    assert await broker.shares() == {}

    assert await broker.resume() == 3
    await broker.see(market({"AAPL": away}))
    assert await broker.shares() == {"AAPL": second.sign * 30}


async def test_a_halted_venue_takes_only_orders_of_which_a_part_reduces(broker: PaperVenue) -> None:
    await broker.submit(wanted(Side.BUY, 30))
    await broker.halt()

    reducing = wanted(Side.SELL, 50)
    await broker.submit(reducing)
    assert await parts(broker, reducing) == [30]

    for side in Side:  # nothing is left to reduce
        with pytest.raises(VenueRejected, match="the venue is halted"):
            await broker.submit(wanted(side))
    await broker.submit(reducing)  # again, which changes nothing
    assert await broker.shares() == {}


async def test_an_order_that_was_taken_before_the_halt_is_not_refused_when_it_comes_again(broker: PaperVenue) -> None:
    order = wanted()
    await broker.submit(order)
    await broker.halt()

    await broker.submit(order)

    assert await parts(broker, order) == [10]


async def test_halt_and_resume_may_be_repeated_and_return_the_last_seq(broker: PaperVenue) -> None:
    await broker.submit(wanted())
    await broker.submit(wanted())

    assert [await broker.halt(), await broker.halt()] == [2, 2]
    assert [await broker.resume(), await broker.resume()] == [2, 2]


async def test_a_halt_lasts_over_a_restart_and_a_new_day(broker: PaperVenue, database_url: str) -> None:
    await broker.halt()
    async with venue(database_url) as restarted:
        await restarted.begin_day(MONDAY)
        await restarted.see(market({"AAPL": 100}))
        with pytest.raises(VenueRejected, match="the venue is halted"):
            await restarted.submit(wanted())


async def test_a_process_of_its_own_halts_the_venue_without_a_market_and_the_others_notice(
    broker: PaperVenue, database_url: str
) -> None:
    held, resting = wanted(Side.BUY, 50), wanted(Side.BUY, 50, limit="99")
    await broker.submit(held)
    await broker.submit(resting)
    async with venue(database_url) as other:
        assert await other.halt() == 1

        assert await broker.see(market({"AAPL": 98})) is False
        with pytest.raises(VenueRejected, match="the venue is halted"):
            await broker.submit(wanted())
        await broker.submit(wanted(Side.SELL, 60))
        assert await broker.shares() == {}

        assert await other.resume() == 2
        assert await broker.see(market({"AAPL": 98})) is True


async def test_a_halt_by_another_process_is_also_noticed_after_a_cancellation(
    broker: PaperVenue, database_url: str
) -> None:
    resting, cancelled = wanted(limit="99"), wanted(limit="99")
    await broker.submit(resting)
    await broker.submit(cancelled)
    async with venue(database_url) as other:
        await other.halt()

    await broker.cancel(cancelled.id)

    assert await broker.see(market({"AAPL": 98})) is False
    assert await broker.executions_after(0) == []


async def test_an_order_is_not_refused_because_of_a_halt_that_another_process_has_ended(
    broker: PaperVenue, database_url: str
) -> None:
    await broker.halt()
    with pytest.raises(VenueRejected):
        await broker.submit(wanted())
    async with venue(database_url) as other:
        await other.resume()

    await broker.submit(wanted())

    assert await broker.shares() == {"AAPL": 10}


SYMBOLS = ("AAPL", "MSFT")

ORDERS = st.tuples(
    st.just("order"),
    st.sampled_from(SYMBOLS),
    st.sampled_from(Side),
    st.integers(1, 250),
    st.sampled_from([None, "95", "100", "105"]),
)
TICKS = st.tuples(st.just("tick"), st.sampled_from([90, 97, 100, 103, 110]), st.sampled_from([90, 100, 110]))
HALTS = st.sampled_from([("halt",), ("halt elsewhere",), ("resume",), ("resume elsewhere",)])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(ORDERS, TICKS, HALTS), min_size=5, max_size=40))
async def test_no_fill_between_a_halt_and_a_resume_raises_a_position(
    database_url: str, database: Database, steps: list[tuple[object, ...]]
) -> None:
    halts: list[tuple[int, bool]] = []
    positions: dict[str, int] = {}
    async with database.connection() as connection:
        await connection.execute("TRUNCATE venue.orders, venue.executions, venue.positions")
    async with venue(database_url) as broker, venue(database_url) as other:
        begin = await broker.resume()
        await broker.begin_day(MONDAY)
        await broker.see(market(dict.fromkeys(SYMBOLS, 100)))
        for what, *more in steps:
            if what == "order":
                symbol, side, qty, limit = more
                try:
                    await broker.submit(wanted(side, qty, limit, symbol))  # type: ignore[arg-type]
                except VenueRejected:
                    assert halts[-1][1]
            elif what == "tick":
                await broker.see(market(dict(zip(SYMBOLS, more, strict=True))))
            else:
                by = other if "elsewhere" in str(what) else broker
                halted = "halt" in str(what)
                halts.append((await (by.halt() if halted else by.resume()), halted))
        executions = await broker.executions_after(begin, 100_000)
        shares = await broker.shares()

    assert [fill.seq for fill in executions] == [begin + n for n in range(1, len(executions) + 1)]
    for fill in executions:
        before = positions.get(fill.symbol, 0)
        positions[fill.symbol] = after = before + fill.side.sign * fill.qty
        if [halted for seq, halted in halts if seq < fill.seq][-1:] == [True]:
            assert abs(after) < abs(before)
            assert after * before >= 0
    assert {symbol: held for symbol, held in positions.items() if held} == shares


async def test_a_fill_that_somebody_else_inserted_counts_for_what_still_reduces(
    broker: PaperVenue, database: Database
) -> None:
    bought = wanted(Side.BUY, 50)
    await broker.submit(bought)
    await broker.halt()
    selling = wanted(Side.SELL, 50, limit="110")
    await broker.submit(selling)

    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO venue.executions VALUES (2, $1, 'AAPL', 'sell', 40, 100, 0, $2)", bought.id, MONDAY
        )
    await broker.see(market({"AAPL": 110}))

    assert await parts(broker, selling) == [10]
    assert await broker.shares() == {}
