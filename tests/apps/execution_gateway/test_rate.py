"""How many orders a client may send in a second and in a minute, and what happens to one that sends more."""

from __future__ import annotations

import logging
import tracemalloc

import httpx
import pytest

from apps.catalogue import order_placement_duration_seconds, order_rejections_total, orders_total
from apps.execution_gateway.app import serve
from apps.execution_gateway.errors import Rejected
from apps.execution_gateway.rate import CLIENTS, OrderRate
from apps.execution_gateway.settings import Settings
from apps.labels import PlacementLabels, RejectionLabels, SymbolSideLabels
from apps.vocabulary import PlacementStatus, Rejection, Side
from telemetry.testing import Recorded
from tests.apps.execution_gateway.conftest import TestDesk, opened, order, see
from tests.apps.markets import market

ORDER = {"symbol": "AAPL", "side": "buy", "qty": 1}


class Clock:
    """The time, which a test sets."""

    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limited(clock: Clock, second: int = 1000, minute: int = 10_000) -> OrderRate:
    return OrderRate(Settings(order_rate_limit_per_second=second, order_rate_limit_per_minute=minute), clock)


def refused(rate: OrderRate, client: str = "10.0.0.1", side: str = "buy") -> Rejected | None:
    """The refusal of an order of this client; None if it is taken."""
    try:
        rate.check(order(side=side), client)
    except Rejected as refusal:
        return refusal
    return None


def taken(rate: OrderRate, orders: int, client: str = "10.0.0.1") -> int:
    return sum(refused(rate, client) is None for _ in range(orders))


def test_a_client_may_send_so_many_orders_a_second_and_not_one_more(clock: Clock) -> None:
    rate = limited(clock, second=3)

    assert taken(rate, 3) == 3
    clock.at += 0.999
    assert str(refused(rate)).startswith("a client may send 3 orders a second;")
    clock.at += 0.5
    assert taken(rate, 4) == 2  # with the one that was refused they are three


def test_a_client_may_send_so_many_orders_a_minute_and_not_one_more(clock: Clock) -> None:
    rate = limited(clock, minute=3)
    for _ in range(3):
        assert refused(rate) is None
        clock.at += 15

    assert str(refused(rate)).startswith("a client may send 3 orders a minute;")
    clock.at += 45
    assert taken(rate, 4) == 2


def test_a_loop_gets_no_order_through_until_it_is_slower(clock: Clock) -> None:
    rate = limited(clock, second=10, minute=60)
    passed = []
    for _ in range(30 * 300):  # 30 orders a second, for five minutes
        if refused(rate) is None:
            passed.append(clock.at)
        clock.at += 1 / 30

    assert len(passed) == 10
    clock.at += 60
    assert refused(rate) is None


@pytest.mark.parametrize(
    ("second", "minute", "orders", "pause"), [(3, 1000, 5, 0), (1000, 3, 5, 0), (1000, 3, 5, 10), (3, 4, 9, 0.25)]
)
def test_the_answer_says_after_how_many_seconds_the_order_is_taken(
    clock: Clock, second: int, minute: int, orders: int, pause: float
) -> None:
    rate, early = (limited(clock, second, minute) for _ in range(2))
    for _ in range(orders):
        clock.at += pause
        refused(early)
        refusal = refused(rate)
    assert refusal is not None
    assert (refusal.status, refusal.reason) == (429, Rejection.ORDER_RATE_LIMIT)
    wait = int(refusal.headers["Retry-After"])

    clock.at += wait - 1
    assert refused(early) is not None
    clock.at += 1
    assert refused(rate) is None


def test_an_order_that_lowers_risk_counts_like_any_other(clock: Clock) -> None:
    rate = limited(clock, second=1)

    assert refused(rate, side="buy") is None
    assert refused(rate, side="sell") is not None


def test_clients_do_not_use_up_one_anothers_limit(clock: Clock) -> None:
    rate = limited(clock, second=2)

    assert taken(rate, 5, "10.0.0.1") == 2
    assert taken(rate, 5, "10.0.0.2") == 2


def test_memory_is_bounded_however_many_clients_there_are_and_however_much_they_send(clock: Clock) -> None:
    rate = limited(clock, second=10, minute=20)
    tracemalloc.start()
    for number in range(10 * CLIENTS):
        taken(rate, 50, f"10.0.{number // 250}.{number % 250}")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 400_000
    assert refused(rate, "10.9.9.9") is not None  # further clients share one limit
    clock.at += 60
    assert refused(rate, "10.9.9.9") is None  # those that are quiet leave room
    assert refused(rate, "10.9.9.8") is None


def test_a_refusal_is_counted_as_a_rejected_order_with_its_reason(clock: Clock, recorded: Recorded) -> None:
    rate = limited(clock, second=1)
    taken(rate, 4)

    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.ORDER_RATE_LIMIT)) == 3
    labels = PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.REJECTED)
    assert recorded(orders_total, labels) == 3


def test_the_log_names_a_client_once_until_it_is_slower(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    rate = limited(clock, second=1)
    with caplog.at_level(logging.WARNING, "apps.execution_gateway.rate"):
        taken(rate, 10, "10.0.0.7")
        assert caplog.messages == [
            "orders from 10.0.0.7 are refused until it sends fewer: a client may send 1 orders a second"
        ]
        clock.at += 2
        taken(rate, 10, "10.0.0.7")
    assert len(caplog.messages) == 2


@pytest.mark.usefixtures("another_service")
async def test_the_gateway_answers_429_stores_nothing_and_times_nothing(database_url: str, recorded: Recorded) -> None:
    async with opened(database_url, order_rate_limit_per_minute=2) as desk, client_of(desk) as http:
        await see(desk, market({"AAPL": 100}))
        accepted = [await http.post("/orders", json=ORDER) for _ in range(2)]
        refusal = await http.post("/orders", json={**ORDER, "client_order_id": "mine"})
        kept = (await http.get("/orders")).json()

    assert [answer.status_code for answer in (*accepted, refusal)] == [201, 201, 429]
    assert 58 <= int(refusal.headers["retry-after"]) <= 60
    assert refusal.json()["detail"] == {
        "reason": "order_rate_limit",
        "message": "a client may send 2 orders a minute; nothing was taken, send it again later",
    }
    assert [one["status"] for one in kept] == ["filled"] * 2
    labels = SymbolSideLabels(symbol="AAPL", side=Side.BUY)
    assert recorded(order_placement_duration_seconds, labels) == 2


@pytest.mark.usefixtures("another_service")
async def test_a_cancellation_is_never_limited(database_url: str) -> None:
    async with opened(database_url, order_rate_limit_per_minute=1) as desk, client_of(desk) as http:
        await see(desk, market({"AAPL": 100}))
        resting = await http.post("/orders", json={**ORDER, "order_type": "limit", "limit_price": "95"})
        assert (await http.post("/orders", json=ORDER)).status_code == 429
        for _ in range(5):
            assert (await http.delete("/orders/00000000-0000-0000-0000-000000000000")).status_code == 404
        cancelled = await http.delete(f"/orders/{resting.json()['id']}")

    assert cancelled.json()["status"] == "cancelled"


def client_of(desk: TestDesk) -> httpx.AsyncClient:
    async def nothing() -> None:
        pass

    transport = httpx.ASGITransport(serve(desk, desk.settings, nothing))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1")
