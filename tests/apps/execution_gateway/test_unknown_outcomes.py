"""Answers that are lost or late: the outcome is told when it is known, is counted once, and no fill is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from apps import paper_venue
from apps.catalogue import (
    order_fills_total,
    order_rejections_total,
    orders_outcome_unknown,
)
from apps.database import Connection
from apps.execution_gateway import commands
from apps.execution_gateway.broker import VenueRejected
from apps.execution_gateway.errors import Busy, ClientOrderIdConflict, Failed, OutcomeUnknown, Rejected
from apps.execution_gateway.models import Order
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.writer import Request
from apps.labels import RejectionLabels, SymbolSideLabels
from apps.vocabulary import DeskDuty, OrderStatus, PlacementStatus, Rejection, Side
from telemetry.testing import Recorded
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
    shares,
    stored,
    take_away,
)
from tests.apps.execution_gateway.placements import (
    Breaking,
    LosingTheAnswer,
    Waiting,
    all_orders,
    assert_counters_equal_the_rows,
    exactly_one,
)
from tests.apps.markets import market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


def has_at_least(answers: list[object], number: int) -> bool:
    return len(answers) >= number


def keep_the_event_loop_busy(seconds: float) -> None:
    time.sleep(seconds)


async def test_an_order_that_the_venue_never_got_has_failed_and_is_not_filled_later(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.dispatch.SEND_SECONDS", 0.3)
    put_between(desk, Breaking)

    with exactly_one(recorded, PlacementStatus.FAILED):
        with pytest.raises(Failed, match="it could not be sent to the venue in time"):
            await desk.orders.place(order())
        take_away(desk)
        (kept,) = await all_orders(desk)
        with pytest.raises(VenueRejected, match="cancelled before it arrived"):  # also if it arrives now
            await desk.broker.submit(kept)
        await see(desk, market(PRICES))

    assert (kept.status, kept.filled_qty) == (OrderStatus.FAILED, 0)
    assert await shares(desk) == await desk.broker.shares() == {}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("limit", "status"), [("100", OrderStatus.FILLED), ("95", OrderStatus.ACCEPTED)])
async def test_an_order_whose_answer_was_lost_is_unknown_then_known_and_counted_once(
    desk: TestDesk, recorded: Recorded, limit: str, status: OrderStatus
) -> None:
    put_between(desk, LosingTheAnswer)
    request = order(order_type="limit", limit_price=limit, client_order_id="mine")

    with exactly_one(recorded, PlacementStatus.SUCCESS):
        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.orders.place(request)
        assert recorded(orders_outcome_unknown) == 1
        (pending,) = await all_orders(desk)
        assert (pending.id, pending.status) == (unknown.value.order_id, OrderStatus.PENDING)
        take_away(desk)
        await settled(desk)
        again, new = await desk.orders.place(request)

    assert (again.id, again.status, new) == (unknown.value.order_id, status, False)
    assert recorded(orders_outcome_unknown) == 0
    await assert_counters_equal_the_rows(desk, recorded)


async def test_an_order_that_the_venue_does_not_confirm_in_time_is_withdrawn(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.dispatch.SEND_SECONDS", 0.3)
    put_between(desk, LosingTheAnswer)

    with exactly_one(recorded, PlacementStatus.SUCCESS):
        placed, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
        take_away(desk)
        await see(desk, market({**PRICES, "AAPL": 90}))

    assert (placed.status, placed.reason, placed.filled_qty) == (OrderStatus.CANCELLED, "late", 0)
    assert await stored(desk, placed) == placed
    assert await shares(desk) == await desk.broker.shares() == {}


@pytest.mark.parametrize("reached", [True, False])
async def test_after_a_crash_the_next_process_counts_the_placement_once_and_books_its_fills_once(
    reached: bool, database_url: str, recorded: Recorded
) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS if reached else PlacementStatus.REJECTED):
        async with opened(database_url) as crashing:
            await see(crashing, market({"AAPL": 100}))
            slow = put_between(crashing, Waiting)
            placing = asyncio.create_task(crashing.orders.place(order()))
            await slow.arrived.wait()
            (pending,) = await all_orders(crashing)
            if reached:  # the venue has filled the order, and we have booked nothing
                await slow.real.submit(pending)
            placing.cancel()

        async with opened(database_url) as desk:  # the venue is closed for this one: no market has arrived
            await settled(desk)
            for _ in range(2):
                await see(desk, market({"AAPL": 100}))

            kept = await stored(desk, pending)
            assert kept.status is (OrderStatus.FILLED if reached else OrderStatus.REJECTED)
            assert await shares(desk) == await desk.broker.shares() == ({"AAPL": 10} if reached else {})
            assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == (1 if reached else 0)
            await assert_counters_equal_the_rows(desk, recorded)


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_the_venue_filled_is_booked_once_when_postgresql_is_back(
    desk: TestDesk, recorded: Recorded
) -> None:
    class ThenGone(Venue):
        async def submit(self, order: Order) -> None:
            await self.real.submit(order)
            set_away(desk, True)

    put_between(desk, ThenGone)
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.orders.place(order())
        take_away(desk)
        set_away(desk, False)
        (pending,) = await all_orders(desk)
        assert (pending.id, pending.status) == (unknown.value.order_id, OrderStatus.PENDING)
        await settled(desk)

    await until(lambda: desk.writer.opened.orders == {}, "the fill is booked")
    assert (await stored(desk, pending)).status is OrderStatus.FILLED
    assert await shares(desk) == {"AAPL": 10}


async def test_without_postgresql_orders_that_add_risk_are_refused_and_no_other_is_taken(
    desk: TestDesk, recorded: Recorded
) -> None:
    await desk.orders.place(order(qty=10))
    set_away(desk, True)
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order())
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    with pytest.raises(Busy, match="PostgreSQL does not answer"):
        await desk.orders.place(order(side="sell", qty=10))
    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order(side="sell", qty=11))
    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN

    set_away(desk, False)
    await settled(desk)
    assert Counter((o.status, o.side, o.qty) for o in await all_orders(desk)) == Counter(
        [
            (OrderStatus.FILLED, "buy", 10),
            (OrderStatus.REJECTED, "buy", 10),
            (OrderStatus.REJECTED, "sell", 11),
        ]
    )
    await assert_counters_equal_the_rows(desk, recorded)


@pytest.mark.usefixtures("impatient")
async def test_an_order_that_was_refused_in_an_outage_stays_refused_whatever_is_stored_before_it(
    desk: TestDesk, recorded: Recorded
) -> None:
    put_between(desk, LosingTheAnswer)
    with pytest.raises(OutcomeUnknown):
        await desk.orders.place(order(qty=10))
    take_away(desk)
    executions = await desk.broker.executions_after(0)
    set_away(desk, True)
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")
    desk.writer.ask(partial(commands.book_executions, executions=executions))
    with pytest.raises(Rejected) as refusal:  # a sell of shares that the book does not have yet
        await desk.orders.place(order(side="sell", qty=10))
    set_away(desk, False)
    await settled(desk)

    assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
    assert await shares(desk) == {"AAPL": 10}
    await assert_counters_equal_the_rows(desk, recorded)
    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.BREAKER_UNKNOWN)) == 1


@pytest.mark.usefixtures("impatient")
async def test_orders_around_an_outage_are_each_counted_as_they_are_stored(desk: TestDesk, recorded: Recorded) -> None:
    answers: list[object] = []

    async def keep_placing(name: str, times: int) -> None:
        for number in range(times):
            request = order(qty=1, client_order_id=f"{name} {number}")
            answers.extend(await asyncio.gather(desk.orders.place(request), return_exceptions=True))

    placing = [asyncio.create_task(keep_placing(f"client {number}", 15)) for number in range(4)]
    for away in (True, False, True, False):
        enough = len(answers) + 4
        await until(partial(has_at_least, answers, enough), "some more orders")
        set_away(desk, away)
    await asyncio.gather(*placing)
    await settled(desk)

    expected = (tuple, OutcomeUnknown, Busy, Rejected)
    assert [answer for answer in answers if not isinstance(answer, expected)] == []
    await assert_counters_equal_the_rows(desk, recorded)
    filled = [o for o in await all_orders(desk) if o.status is OrderStatus.FILLED]
    assert await shares(desk) == await desk.broker.shares() == {"AAPL": len(filled)}
    accepted = {answer[0].id for answer in answers if isinstance(answer, tuple)}
    assert accepted <= {o.id for o in filled}
    assert recorded(orders_outcome_unknown) == 0


class LosingCommits(GoingAway):
    """Every second commit is done, but its answer is lost."""

    commits = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
        self.commits += 1
        if self.commits % 2 == 0:
            raise ConnectionResetError("the answer to COMMIT was lost")


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    database_url: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.dispatch.SEND_SECONDS", 60)
    database = LosingCommits(database_url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))
    async with opened(database_url, database, stale_quote_seconds=60) as desk:
        await see(desk, market(PRICES))
        requests = [order(qty=number) for number in range(1, 6)] + [order(qty=5000)]
        answers = await asyncio.gather(*(desk.orders.place(request) for request in requests), return_exceptions=True)
        await until(lambda: desk.idle, "the desk is idle", seconds=20)

        assert {type(answer) for answer in answers} <= {tuple, OutcomeUnknown, Rejected}
        assert await shares(desk) == await desk.broker.shares() == {"AAPL": 15}
        assert desk.writer.opened.cash == 998_500
        await assert_counters_equal_the_rows(desk, recorded)
        assert recorded(order_fills_total, SymbolSideLabels(symbol="AAPL", side=Side.BUY)) == 5
        assert recorded(orders_outcome_unknown) == 0


@pytest.mark.usefixtures("impatient")
async def test_an_outcome_that_comes_at_the_moment_when_the_time_is_over_is_told_and_is_not_unknown(
    desk: TestDesk, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request[Any]] = []

    def ask(command: object, *, client_order_id: str | None = None, first: bool = False) -> Request[Any]:
        asked.append(Request(lambda _: None, asyncio.get_running_loop().create_future(), client_order_id, taken=True))
        return asked[-1]

    with monkeypatch.context() as writer:
        writer.setattr(desk.writer, "ask", ask)
        placing = asyncio.create_task(desk.orders.place(order(client_order_id="mine")))
        await until(lambda: asked, "it is asked for")
    keep_the_event_loop_busy(0.6)
    asked[0].done.set_exception(ClientOrderIdConflict("it belongs to another order"))

    with pytest.raises(ClientOrderIdConflict):
        await placing
    assert recorded(orders_outcome_unknown) == 0


@pytest.mark.usefixtures("impatient")
async def test_the_venues_answer_at_the_moment_when_the_time_is_over_leaves_no_unknown_outcome(
    desk: TestDesk, recorded: Recorded
) -> None:
    put_between(desk, Waiting)
    placing = asyncio.create_task(desk.orders.place(order()))
    await until(lambda: desk.orders._awaited, "it is stored, and the venue's answer is waited for")
    (pending,) = desk.writer.opened.orders.values()
    keep_the_event_loop_busy(0.6)
    accepted = pending.model_copy(update={"status": OrderStatus.ACCEPTED})
    desk.orders.book_changed(desk.writer.opened, {pending.id: accepted})

    assert await placing == (accepted, True)
    assert recorded(orders_outcome_unknown) == 0


@pytest.mark.usefixtures("impatient")
async def test_shares_of_a_sell_whose_answer_was_lost_cannot_be_sold_twice(desk: TestDesk) -> None:
    await desk.orders.place(order(qty=10))
    put_between(desk, LosingTheAnswer)
    with pytest.raises(OutcomeUnknown):
        await desk.orders.place(order(side="sell", qty=10))
    assert await desk.broker.shares() == {}

    with pytest.raises(Rejected) as refusal:
        await desk.orders.place(order(side="sell", qty=10))
    take_away(desk)
    await settled(desk)

    assert refusal.value.reason is Rejection.INSUFFICIENT_SHARES
    with pytest.raises(Rejected):
        await desk.orders.place(order(side="sell", qty=1))
    assert await shares(desk) == await desk.broker.shares() == {}


async def test_an_execution_that_is_committed_late_is_booked(desk: TestDesk) -> None:
    resting, _ = await desk.orders.place(order(order_type="limit", limit_price="95"))
    async with desk.database.connection() as late:
        transaction = late.transaction()
        await transaction.start()
        await late.execute("UPDATE venue.orders SET remaining = 0 WHERE id = $1", resting.id)
        await late.execute(
            "INSERT INTO venue.executions (seq, order_id, symbol, side, qty, price, fee, trading_date)"
            " SELECT seq + 1, $1, 'AAPL', 'buy', 10, 95, 0, trading_date FROM venue.state",
            resting.id,
        )
        placing = asyncio.create_task(desk.orders.place(order("MSFT")))
        await until(lambda: any(o.symbol == "MSFT" for o in desk.writer.opened.orders.values()), "it is on its way")
        await transaction.commit()
    await placing
    await until(lambda: "AAPL" in desk.writer.opened.positions, "the late one is booked")
    await settled(desk)

    assert (await stored(desk, resting)).status is OrderStatus.FILLED
    assert await shares(desk) == await desk.broker.shares() == {"AAPL": 10, "MSFT": 10}
