"""The desk: refuses states that are old or of a wrong date, sets foreign executions aside, notices a second desk."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from apps.catalogue import (
    circuit_breaker_state,
    duty_failures_total,
    equity_dollars,
    executions_set_aside,
    market_states_refused_total,
    order_fills_total,
    orders_total,
    positions_current,
)
from apps.execution_gateway import desk as desk_module
from apps.execution_gateway import ledger
from apps.execution_gateway.book import Book
from apps.execution_gateway.broker import Broker
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.dispatch import BOOKED_AT_ONCE
from apps.execution_gateway.draft import Draft
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order
from apps.execution_gateway.writer import BATCH
from apps.labels import DutyLabels, PlacementLabels, StateRefusalLabels, SymbolLabels, SymbolSideLabels
from apps.market import MarketState
from apps.session import NotConfirmed, StateRefused
from apps.vocabulary import Cancellation, DeskDuty, OrderStatus, PlacementStatus, Rejection, Side, StateRefusal
from telemetry.testing import Recorded
from tests.apps.execution_gateway.books import an_execution
from tests.apps.execution_gateway.conftest import (
    TestDesk,
    Venue,
    opened,
    order,
    put_between,
    see,
    settled,
    shares,
    stored,
    take_away,
)
from tests.apps.markets import MONDAY, TUESDAY, market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
FAR_AHEAD = dt.date(2030, 1, 2)


def test_the_limits_are_in_the_metrics_from_the_start(client: httpx.Client) -> None:
    lines = client.get("/metrics").text.splitlines()

    assert "gross_exposure_limit_dollars 1500000" in lines
    assert "position_limit_dollars 200000" in lines
    assert "order_size_limit_dollars 200000" in lines
    assert "daily_loss_limit_ratio 0.05" in lines
    assert "drawdown_limit_ratio 0.1" in lines
    assert "order_placement_limit_seconds 0.5" in lines
    assert "order_slippage_limit_bps 5" in lines
    assert "orders_outcome_unknown 0" in lines


# --- the trading date


async def test_a_date_that_the_market_data_service_does_not_confirm_is_refused_and_orders_go_on(
    desk: TestDesk, recorded: Recorded
) -> None:
    with pytest.raises(StateRefused, match="of 2030-01-02, the session is of 2020-03-09"):
        await desk.see(market(PRICES, date=FAR_AHEAD))
    await settled(desk)

    assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.TRADING_DATE)) == 1
    assert desk.writer.opened.trading_date == MONDAY
    placed, _ = await desk.orders.place(order())
    assert (placed.status, placed.trading_date) == (OrderStatus.FILLED, MONDAY)
    await see(desk, market({**PRICES, "AAPL": 50}))
    assert desk.pnl.today is not None
    assert desk.pnl.today.worst == Decimal("0.0005")


async def test_an_earlier_date_is_refused_also_when_the_market_data_service_confirms_it(
    desk: TestDesk, recorded: Recorded
) -> None:
    await see(desk, market(PRICES, date=TUESDAY))
    desk.session.date = MONDAY

    with pytest.raises(StateRefused, match="of 2020-03-09, the desk is at 2020-03-10"):
        await desk.see(market(PRICES, date=MONDAY))

    assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.TRADING_DATE)) == 1
    assert desk.writer.opened.trading_date == TUESDAY


async def test_a_new_date_waits_for_the_market_data_service_and_then_begins(
    desk: TestDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.session.AGAIN_SECONDS", 0)
    desk.session.date = None
    with pytest.raises(NotConfirmed, match=r"ConnectError: .*does not answer"):
        await desk.see(market(PRICES, date=TUESDAY))
    assert desk.writer.opened.trading_date == MONDAY
    await desk.see(market(PRICES))  # the present date needs no answer

    await see(desk, market(PRICES, date=TUESDAY))

    assert desk.writer.opened.trading_date == TUESDAY


async def test_states_that_are_refused_are_logged_in_a_sentence_each(
    desk: TestDesk, caplog: pytest.LogCaptureFixture
) -> None:
    await see(desk, market(PRICES))
    caplog.clear()
    duty = desk.duties[DeskDuty.FOLLOW_MARKET]
    desk.session.follows = False

    for _ in range(2):
        assert not await duty.attempt(lambda: desk.see(market(PRICES, age=3)))
        desk.session.date = None
        assert not await duty.attempt(lambda: desk.see(market(PRICES, date=TUESDAY)))
        desk.session.date = MONDAY
        assert not await duty.attempt(lambda: desk.see(market(PRICES, date=FAR_AHEAD)))

    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)] * 3
    old, unanswered, ahead = [record.getMessage().partition(" fails: ")[2] for record in caplog.records]
    assert old.startswith("StateRefused: the state of the market is 3.")
    assert unanswered.startswith("NotConfirmed: nobody confirms the new trading date 2020-03-10: ConnectError: ")
    assert ahead == "StateRefused: the state of the market is of 2030-01-02, the session is of 2020-03-09"


async def test_a_wrong_date_that_was_stored_is_mended_and_the_loss_is_measured_again(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await desk.orders.place(order(qty=1900))
        await see(desk, market(PRICES, date=FAR_AHEAD))
        assert desk.writer.opened.trading_date == FAR_AHEAD
    async with opened(database_url) as desk:  # the wrong date was stored
        desk.session.date = MONDAY
        with pytest.raises(StateRefused):
            await desk.see(market(PRICES))

        assert await desk.mend_trading_date() == MONDAY
        await see(desk, market(PRICES))

        assert desk.writer.opened.trading_date == MONDAY
        placed, _ = await desk.orders.place(order("XOM"))
        assert (placed.status, placed.trading_date) == (OrderStatus.FILLED, MONDAY)
        await see(desk, market({**PRICES, "AAPL": 50}))
        assert recorded(circuit_breaker_state) == 1
        assert desk.writer.opened.daily_loss_ratio == Decimal("0.095")


@pytest.mark.parametrize("seen", ["before it is stored", "after it is stored"])
async def test_a_wrong_date_is_mended_also_while_it_is_being_stored(
    desk: TestDesk, database_url: str, seen: str
) -> None:
    other = await asyncpg.connect(database_url)
    async with other.transaction():
        await other.execute("SELECT * FROM gateway.account FOR UPDATE")
        desk.session.date = FAR_AHEAD
        await desk.see(market(PRICES, date=FAR_AHEAD))
        await until(lambda: desk.writer.in_doubt, "the wrong date is being stored")

        desk.session.date = MONDAY
        assert await desk.mend_trading_date() == MONDAY
        if seen == "before it is stored":
            await desk.see(market(PRICES))
    await other.close()
    await until(lambda: not desk.writer.in_doubt, "the wrong date is stored")
    await see(desk, market(PRICES))

    assert desk.writer.opened.trading_date == MONDAY
    placed, _ = await desk.orders.place(order())
    assert (placed.status, placed.trading_date) == (OrderStatus.FILLED, MONDAY)


# --- a book that cannot be valued


async def test_a_holding_without_a_quote_leaves_the_book_unknown_after_ten_seconds(database_url: str) -> None:
    ahead = 0.0
    async with opened(database_url, now=lambda: time.time() + ahead) as desk:
        await see(desk, market(PRICES))
        await desk.orders.place(order(qty=10))
        without = {"MSFT": 200, "XOM": 50}
        await see(desk, market(without, previous=PRICES))
        await desk.orders.place(order("MSFT"))  # it was valued a moment ago

        ahead = 11.0
        await see(desk, market(without, previous=PRICES, age=-ahead))
        with pytest.raises(Rejected) as refusal:
            await desk.orders.place(order("MSFT"))
        assert refusal.value.reason is Rejection.BOOK_UNKNOWN
        assert "for 10 s: the market does not quote AAPL, and the order adds risk" in str(refusal.value)
        await desk.orders.place(order("MSFT", "sell"))  # it adds no risk

        await see(desk, market(PRICES, age=-ahead))
        await desk.orders.place(order("MSFT"))


# --- very many


class Filling(Venue):
    """Also has these executions."""

    def __init__(self, real: Broker) -> None:
        super().__init__(real)
        self.executions: list[Execution] = []

    async def executions_after(self, seq: int, limit: int = 1000) -> Sequence[Execution]:
        return self.executions[seq : seq + limit]


async def test_many_executions_are_booked_in_parts_and_an_order_is_stored_between_them(
    database_url: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market({"AAPL": 100, "XOM": 1}))
        many, _ = await desk.orders.place(order("XOM", qty=6000, order_type="limit", limit_price="0.95"))
        commits: list[tuple[int, bool]] = []
        noted = desk.orders.book_changed

        def note(book: Book, changed: Mapping[UUID, Order] | None) -> None:
            commits.append((book.booked_seq, any(o.symbol == "AAPL" for o in book.orders.values())))
            noted(book, changed)

        monkeypatch.setattr(desk.orders, "book_changed", note)
        filling = put_between(desk, Filling)
        filling.executions = [an_execution(many, seq, 1, "0.95") for seq in range(1, 5001)]
        desk.dispatch.fetch_now()
        await until(lambda: desk.writer.in_doubt, "the first part is being stored")
        placed, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
        await until(lambda: desk.writer.opened.booked_seq == 5000, "all are booked", seconds=30)

        assert placed.status is OrderStatus.ACCEPTED
        booked = [seq for seq, _ in commits]
        assert max(after - before for before, after in zip([0, *booked], booked, strict=False)) == BOOKED_AT_ONCE
        assert next(seq for seq, has_it in commits if has_it) < 5000
        assert await shares(desk) == {"XOM": 5000}
        assert desk.writer.opened.cash == 1_000_000 - 4750
        assert recorded(order_fills_total, SymbolSideLabels(symbol="XOM", side=Side.BUY)) == 5000


async def test_commands_that_arrive_faster_than_they_are_stored_are_no_failure_of_the_duty(
    database_url: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(desk_module._SECONDS, DeskDuty.COMMAND, 1.0)  # less than the load lasts
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        loaded, done = True, 0

        def raise_mark(draft: Draft) -> None:
            draft.set(high_water_mark=draft.book.high_water_mark + 1)

        def ask_again(_: asyncio.Future[None]) -> None:
            nonlocal done
            done += 1
            if loaded:
                desk.writer.ask(raise_mark).done.add_done_callback(ask_again)

        for _ in range(3 * BATCH):
            desk.writer.ask(raise_mark).done.add_done_callback(ask_again)
        until_then = time.monotonic() + 2.5
        ages = [0.0]

        def load_has_lasted() -> bool:
            ages.append(desk.duties[DeskDuty.COMMAND].age)
            return time.monotonic() > until_then

        await until(load_has_lasted, "the load has lasted")
        assert desk.writer.waiting > 0
        loaded = False
        await settled(desk)

        assert done > 3 * BATCH
        assert max(ages) < 1
        assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.COMMAND)) == 0


# --- the age of a state


@pytest.mark.parametrize("price", [50, 150])
async def test_an_older_state_of_the_market_is_refused_and_changes_neither_loss_nor_mark(
    desk: TestDesk, recorded: Recorded, price: int
) -> None:
    await desk.orders.place(order(qty=1900))
    present = market(PRICES)
    await see(desk, present)

    with pytest.raises(StateRefused, match=r"the state of the market is \d+\.\d s older"):
        await desk.see(market({**PRICES, "AAPL": price}, age=600))
    await settled(desk)

    assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.OLD)) == 1
    assert desk.market is present
    assert desk.writer.opened.daily_loss_ratio == 0
    assert desk.writer.opened.high_water_mark == 1_000_000
    assert not desk.writer.opened.tripped
    assert recorded(equity_dollars) == 1_000_000
    await see(desk, market({**PRICES, "AAPL": 101}))
    assert recorded(equity_dollars) == 1_001_900


async def test_after_the_clock_was_set_back_the_next_state_of_the_market_is_taken(
    database_url: str, recorded: Recorded
) -> None:
    back = 0.0
    async with opened(database_url, now=lambda: time.time() - back) as desk:
        await see(desk, market(PRICES))
        await desk.orders.place(order(qty=100))
        back = 3600.0

        await see(desk, market({**PRICES, "AAPL": 101}, age=back))

        assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.OLD)) == 0
        assert recorded(equity_dollars) == 1_000_100
        sold, _ = await desk.orders.place(order(side="sell", qty=100))
        assert sold.arrival_price == 101
        with pytest.raises(StateRefused):
            await desk.see(market(PRICES, age=back + 10))


# --- executions that are not ours


async def add_foreign_execution(desk: Desk) -> None:
    async with desk.database.transaction() as connection:
        foreign = uuid4()
        await connection.execute(
            "INSERT INTO venue.orders (id, symbol, side, qty, remaining, trading_date)"
            " VALUES ($1, 'XOM', 'buy', 100, 0, '2020-03-09')",
            foreign,
        )
        await connection.execute(
            "INSERT INTO venue.executions (seq, order_id, symbol, side, qty, price, fee, trading_date)"
            " SELECT seq + 1, $1, 'XOM', 'buy', 100, 50, 0, '2020-03-09' FROM venue.state",
            foreign,
        )


async def test_a_foreign_execution_is_set_aside_and_the_others_are_booked(desk: TestDesk, recorded: Recorded) -> None:
    resting, _ = await desk.orders.place(order("MSFT", order_type="limit", limit_price="195"))
    await add_foreign_execution(desk)
    placed, _ = await desk.orders.place(order())
    await until(lambda: recorded(executions_set_aside) == 1, "it is set aside")

    assert (await stored(desk, placed)).status is OrderStatus.FILLED
    assert await shares(desk) == {"AAPL": 10}
    assert (await desk.orders.cancel(resting.id, Cancellation.CLIENT)).status is OrderStatus.CANCELLED
    async with desk.database.connection() as connection:
        aside = await connection.fetch("SELECT symbol, qty, reason FROM gateway.executions_set_aside")
    assert [tuple(row) for row in aside] == [("XOM", 100, "there is no open order with its id")]
    await desk.reconciliation.run()
    assert await desk.reconciliation.run() == {"XOM": 100}
    assert recorded(order_fills_total, SymbolSideLabels(symbol="XOM", side=Side.BUY)) == 0


async def test_after_a_restart_a_foreign_execution_is_still_set_aside_and_p_and_l_is_known(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await add_foreign_execution(desk)
        await desk.orders.place(order())
        await until(lambda: recorded(executions_set_aside) == 1, "it is set aside")
    executions_set_aside.remove()

    async with opened(database_url) as desk:
        await see(desk, market({**PRICES, "AAPL": 110}))

        assert recorded(executions_set_aside) == 1
        assert desk.valuation is not None
        assert desk.valuation.total == 100
        assert await shares(desk) == {"AAPL": 10}


# --- two desks


async def test_two_desks_on_one_database_notice_each_other_and_both_stay_right(
    database_url: str, recorded: Recorded
) -> None:
    async with opened(database_url) as first:
        await see(first, market(PRICES))
        mine, _ = await first.orders.place(order())
        before = first.writer.opened.version
        async with opened(database_url) as second:
            await see(second, market(PRICES))
            assert second.writer.opened.shares("AAPL", mine.side) == 10
            await second.orders.place(order(qty=5))
            await until(lambda: first.writer.opened.positions["AAPL"].shares == 15, "the first one notices")

            await first.orders.place(order(qty=2))
            sold, _ = await second.orders.place(order(side="sell", qty=17))
            assert sold.status is OrderStatus.FILLED
            await first.orders.place(order("MSFT"))
            await second.switch.trip("a test", "me")
            await until(lambda: first.writer.opened.tripped, "the first one notices the trip")
            async with first.database.connection() as connection:
                orders = await ledger.find_orders(connection)

    assert first.writer.opened.version > before
    assert Counter((o.symbol, o.side, o.status) for o in orders) == {
        ("AAPL", "buy", OrderStatus.FILLED): 3,
        ("AAPL", "sell", OrderStatus.FILLED): 1,
        ("MSFT", "buy", OrderStatus.FILLED): 1,
    }
    counted = {
        (symbol, side): recorded(
            orders_total, PlacementLabels(symbol=symbol, side=side, status=PlacementStatus.SUCCESS)
        )
        for symbol, side in (("AAPL", Side.BUY), ("AAPL", Side.SELL), ("MSFT", Side.BUY))
    }
    assert counted == {("AAPL", "buy"): 3, ("AAPL", "sell"): 1, ("MSFT", "buy"): 1}
    assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 3
    assert recorded(positions_current, SymbolLabels(symbol="MSFT")) == 10
    assert second.writer.opened.cash == 998_000
    assert second.writer.opened.realized == 0


# --- the duties


async def test_a_duty_that_fails_stops_no_other_and_is_named(desk: TestDesk, recorded: Recorded) -> None:
    class Deaf(Venue):
        async def see(self, market: MarketState) -> bool:
            raise RuntimeError("the venue takes no state")

    put_between(desk, Deaf)
    await desk.see(market(PRICES))
    await until(lambda: desk.failing == [DeskDuty.TICK_VENUE], "the venue gets no state")

    placed, _ = await desk.orders.place(order())
    await desk.see(market({**PRICES, "AAPL": 90}))

    assert placed.status is OrderStatus.FILLED
    assert desk.pnl.today is not None
    assert desk.pnl.today.worst == Decimal("0.0001")
    take_away(desk)
    await until(lambda: desk.failing == [], "it works again")
    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.TICK_VENUE)) == pytest.approx(2, abs=1)
    assert recorded(duty_failures_total, DutyLabels(duty=DeskDuty.COMMAND)) == 0
