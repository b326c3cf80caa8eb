"""A client_order_id names one order: repeated, in an outage, after a restart, and while its first order is in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from apps import paper_venue
from apps.catalogue import (
    orders_outcome_unknown,
)
from apps.database import Connection
from apps.execution_gateway import ledger
from apps.execution_gateway.errors import Busy, ClientOrderIdConflict, OutcomeUnknown, Rejected
from apps.execution_gateway.models import Order
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.vocabulary import DeskDuty, OrderStatus, PlacementStatus, Rejection
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import (
    GoingAway,
    TestDesk,
    account_locked,
    opened,
    order,
    see,
    set_away,
    settled,
    shares,
)
from tests.apps.execution_gateway.placements import (
    all_orders,
    exactly_one,
)
from tests.apps.markets import market
from tests.waiting import until

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}


async def test_a_repeated_client_order_id_is_the_same_order_and_counts_once(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        first, new = await desk.orders.place(order(client_order_id="mine"))
        again, new_again = await desk.orders.place(order(client_order_id="mine"))

    assert (new, new_again) == (True, False)
    assert again == first
    assert await shares(desk) == {"AAPL": 10}


async def test_a_client_order_id_is_known_after_a_restart(database_url: str, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        async with opened(database_url) as desk:
            await see(desk, market(PRICES))
            first, _ = await desk.orders.place(order(client_order_id="mine"))
        async with opened(database_url) as desk:
            await see(desk, market(PRICES))
            again, new = await desk.orders.place(order(client_order_id="mine"))

    assert (again, new) == (first, False)


async def test_the_same_client_order_id_several_times_at_once_is_one_order(desk: TestDesk, recorded: Recorded) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        answers = await asyncio.gather(*(desk.orders.place(order(client_order_id="mine")) for _ in range(5)))

    assert len({placed.id for placed, _ in answers}) == 1
    assert sorted(new for _, new in answers) == [False] * 4 + [True]
    assert await shares(desk) == {"AAPL": 10}


@pytest.mark.parametrize(
    "other",
    [
        {"symbol": "MSFT"},
        {"side": "sell"},
        {"qty": 11},
        {"order_type": "limit", "limit_price": "100"},
    ],
)
async def test_a_client_order_id_cannot_be_used_for_a_different_order(
    desk: TestDesk, recorded: Recorded, other: dict[str, Any]
) -> None:
    with exactly_one(recorded, PlacementStatus.SUCCESS):
        await desk.orders.place(order(client_order_id="mine"))
        with pytest.raises(ClientOrderIdConflict, match="'mine' belongs to another order"):
            await desk.orders.place(order(client_order_id="mine", **other))


async def test_a_repeated_order_that_was_refused_is_refused_again_in_the_same_words(
    desk: TestDesk, recorded: Recorded
) -> None:
    with exactly_one(recorded, PlacementStatus.REJECTED):
        with pytest.raises(Rejected) as first:
            await desk.orders.place(order(qty=5000, client_order_id="mine"))
        with pytest.raises(Rejected) as again:
            await desk.orders.place(order(qty=5000, client_order_id="mine"))

    assert (again.value.status, again.value.detail) == (first.value.status, first.value.detail)
    assert first.value.status == 409
    assert first.value.reason is Rejection.ORDER_SIZE_LIMIT


class CutBeforeCommit(GoingAway):
    """PostgreSQL goes away before the next COMMIT, if `cut` is set."""

    cut = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
            if self.cut:
                self.cut, self.away = False, True
                raise ConnectionResetError("cut before COMMIT")


@pytest.mark.usefixtures("impatient")
async def test_while_the_breaker_cannot_be_read_an_order_whose_commit_is_in_doubt_is_unknown_to_who_repeats_it(
    database_url: str, recorded: Recorded
) -> None:
    database = CutBeforeCommit(database_url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER))
    async with opened(database_url, database) as desk:
        await see(desk, market(PRICES))
        request = order(client_order_id="mine")
        with exactly_one(recorded, PlacementStatus.SUCCESS):
            database.cut = True
            with pytest.raises(OutcomeUnknown) as first:
                await desk.orders.place(request)
            await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

            with pytest.raises(OutcomeUnknown) as again:
                await desk.orders.place(request)
            assert recorded(orders_outcome_unknown) == 1
            set_away(desk, False)
            await settled(desk)

        (kept,) = await all_orders(desk)
        assert (kept.id, kept.client_order_id, kept.status) == (again.value.order_id, "mine", OrderStatus.FILLED)
        assert first.value.order_id == kept.id
        assert recorded(orders_outcome_unknown) == 0


async def test_while_the_breaker_cannot_be_read_the_order_of_an_earlier_process_is_the_answer_to_its_id(
    database_url: str,
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        first, _ = await desk.orders.place(order(client_order_id="mine"))
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await until(lambda: desk.orders.remembers, "the ids are read")
        set_away(desk, True)
        await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

        assert await desk.orders.place(order(client_order_id="mine")) == (first, False)
        with pytest.raises(ClientOrderIdConflict):
            await desk.orders.place(order(qty=11, client_order_id="mine"))
        with pytest.raises(Rejected) as refusal:
            await desk.orders.place(order(client_order_id="another"))
        assert refusal.value.reason is Rejection.BREAKER_UNKNOWN
        set_away(desk, False)
        await settled(desk)


async def test_while_the_ids_of_earlier_processes_cannot_be_read_no_order_with_an_id_is_refused_for_good(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        first, _ = await desk.orders.place(order(client_order_id="mine"))

    async def gone(*_: object) -> dict[str, Order]:
        raise ConnectionResetError("gone")

    with monkeypatch.context() as without:
        without.setattr(ledger, "find_newest_known", gone)
        async with opened(database_url) as desk:
            await see(desk, market(PRICES))
            assert await desk.orders.place(order(client_order_id="mine")) == (first, False)  # PostgreSQL knows it
            set_away(desk, True)
            await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")
            with pytest.raises(Busy, match="the client_order_id may be known"):
                await desk.orders.place(order(client_order_id="mine"))
            with pytest.raises(Rejected) as refusal:
                await desk.orders.place(order())
            assert refusal.value.reason is Rejection.BREAKER_UNKNOWN

            without.undo()
            set_away(desk, False)
            await until(lambda: desk.orders.remembers and desk.failing == [], "they are read")
            assert await desk.orders.place(order(client_order_id="mine")) == (first, False)
            await settled(desk)


async def test_an_id_that_was_placed_while_those_of_earlier_processes_were_read_is_known(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = asyncio.Event(), asyncio.Event()
    find = ledger.find_newest_known

    async def slow(connection: Connection) -> dict[str, Order]:
        found = await find(connection)
        reading.set()
        await go.wait()
        return found

    monkeypatch.setattr(ledger, "find_newest_known", slow)
    async with opened(database_url) as desk:
        await see(desk, market(PRICES))
        await reading.wait()
        first, _ = await desk.orders.place(order(client_order_id="mine"))
        go.set()
        await until(lambda: desk.orders.remembers, "the ids are read")
        set_away(desk, True)
        await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

        assert await desk.orders.place(order(client_order_id="mine")) == (first, False)
        set_away(desk, False)


@pytest.mark.usefixtures("impatient")
async def test_two_orders_with_one_id_that_are_both_in_doubt_name_the_one_that_is_stored(
    desk: TestDesk, database_url: str, recorded: Recorded
) -> None:
    async with account_locked(database_url):
        answers = await asyncio.gather(
            *(desk.orders.place(order(client_order_id="mine")) for _ in range(2)), return_exceptions=True
        )
    await settled(desk)

    (kept,) = await all_orders(desk)
    assert [(type(a), getattr(a, "order_id", None)) for a in answers] == [(OutcomeUnknown, kept.id)] * 2
    assert kept.status is OrderStatus.FILLED
    assert recorded(orders_outcome_unknown) == 0


async def test_an_order_is_on_its_way_also_if_another_one_with_its_id_was_taken_back(
    desk: TestDesk, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = order(client_order_id="mine")
    async with account_locked(database_url):
        desk.writer.ask(lambda draft: draft.set(high_water_mark=Decimal(2_000_000)))
        await until(lambda: desk.writer.in_doubt, "the writer waits")
        with monkeypatch.context() as impatient:
            impatient.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.3)
            taken_back = asyncio.create_task(desk.orders.place(request))
            await until(lambda: desk.writer.waiting == 1, "it waits")
        placing = asyncio.create_task(desk.orders.place(request))
        with pytest.raises(Busy, match="could not be stored in time"):
            await taken_back
        set_away(desk, True)
        await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")

        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.orders.place(request)
        set_away(desk, False)
    placed, _ = await placing

    assert (unknown.value.order_id, placed.status) == (placed.id, OrderStatus.FILLED)
