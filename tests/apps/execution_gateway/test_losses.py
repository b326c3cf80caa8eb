"""The loss of a day and the high-water mark: what counts, what is stored, and what trips the breaker."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

import pytest

from apps.catalogue import (
    circuit_breaker_state,
    circuit_breaker_trips_total,
    daily_loss_ratio,
    equity_dollars,
    equity_high_water_mark_dollars,
    start_of_day_equity_dollars,
)
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.execution import Execution
from apps.labels import TripLabels
from apps.vocabulary import Rejection, TripReason
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    opened,
    put_between,
    see,
    set_away,
    settled,
)
from tests.apps.execution_gateway.trading import PRICES, WEDNESDAY, account, buy, show
from tests.apps.markets import TUESDAY, market
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("unknown")


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
