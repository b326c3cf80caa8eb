"""The endpoints of the gateway: their status codes, their answers, and errors that name the bad field."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from apps.execution_gateway.app import serve
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.settings import Settings
from tests.apps.execution_gateway.conftest import opened, order, set_away
from tests.apps.markets import market

pytestmark = pytest.mark.usefixtures("another_service")

ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}


def serving(desk: Desk) -> httpx.AsyncClient:
    """A client for the endpoints of this desk."""
    transport = httpx.ASGITransport(serve(desk, Settings()), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1")


@pytest.fixture
async def http(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(desk) as client:
        yield client


async def test_an_order_is_created_once_and_can_be_read(http: httpx.AsyncClient) -> None:
    body = {**ORDER, "client_order_id": "mine"}

    created = await http.post("/orders", json=body)
    again = await http.post("/orders", json=body)
    shown = await http.get(f"/orders/{created.json()['id']}")

    assert [created.status_code, again.status_code, shown.status_code] == [201, 200, 200]
    assert created.json() == again.json() == shown.json()
    assert created.json()["status"] == "filled"
    assert created.json()["arrival_price"] == "100"
    assert (await http.get("/orders")).json() == [created.json()]
    assert (await http.get("/orders", params={"open": True})).json() == []
    assert (await http.get("/positions")).json() == {"AAPL": {"shares": 10, "average_cost": "100.0000"}}


BAD: list[tuple[Any, str]] = [
    ({**ORDER, "symbol": "aapl"}, "symbol"),
    ({**ORDER, "symbol": "AAPL\n"}, "symbol"),
    ({**ORDER, "symbol": 5}, "symbol"),
    ({**ORDER, "symbol": "\ud800"}, "symbol"),
    ({**ORDER, "side": "hold"}, "side"),
    ({**ORDER, "qty": 0}, "qty"),
    ({**ORDER, "qty": -1}, "qty"),
    ({**ORDER, "qty": 1.5}, "qty"),
    ({**ORDER, "qty": "10"}, "qty"),
    ({**ORDER, "qty": True}, "qty"),
    ({**ORDER, "qty": None}, "qty"),
    ({**ORDER, "qty": 10**18}, "qty"),
    ({**ORDER, "qty": float("nan")}, "qty"),
    ({**ORDER, "qty": float("inf")}, "qty"),
    ({"side": "buy", "qty": 10}, "symbol"),
    ({**ORDER, "order_type": "stop"}, "order_type"),
    ({**ORDER, "order_type": "limit", "limit_price": 0}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": "100.00001"}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": float("nan")}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": "NaN"}, "limit_price"),
    ({**ORDER, "order_type": "limit"}, "limit_price"),
    ({**ORDER, "limit_price": 100}, "limit_price"),
    ({**ORDER, "client_order_id": ""}, "client_order_id"),
    ({**ORDER, "client_order_id": "a\x00b"}, "client_order_id"),
    ({**ORDER, "client_order_id": "\ud800"}, "client_order_id"),
    ({**ORDER, "client_order_id": "x" * 201}, "client_order_id"),
    ({**ORDER, "price": 5}, "price"),
    ({**ORDER, "\ud800": 5}, "body"),
    ({**ORDER, "symbol": "TSLA"}, "symbol"),
    (None, "body"),
    ([], "body"),
]


@pytest.mark.parametrize(("body", "field"), BAD, ids=[ascii(body) for body, _ in BAD])
async def test_bad_input_is_a_422_that_names_the_field(http: httpx.AsyncClient, body: Any, field: str) -> None:
    answer = await http.post("/orders", content=json.dumps(body), headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert field in answer.text
    assert all({"loc", "msg", "type"} == set(part) for part in answer.json()["detail"])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"qty": ' + b"1" * 5000 + b"}"])
async def test_a_body_that_is_not_json_is_a_4xx(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/orders", content=body, headers={"content-type": "application/json"})

    assert answer.status_code in (400, 413, 422)


async def test_a_refused_order_is_a_409_with_its_reason(http: httpx.AsyncClient) -> None:
    answer = await http.post("/orders", json={**ORDER, "qty": 5000})

    assert answer.status_code == 409
    assert answer.json()["detail"] == {
        "reason": "order_size_limit",
        "message": "500000.00 is over the limit of 200000",
    }


async def test_another_order_with_the_same_client_order_id_is_a_409(http: httpx.AsyncClient) -> None:
    await http.post("/orders", json={**ORDER, "client_order_id": "mine"})

    answer = await http.post("/orders", json={**ORDER, "client_order_id": "mine", "qty": 11})

    assert answer.status_code == 409
    assert answer.json()["detail"]["reason"] == "client_order_id"


async def test_cancelling_is_a_200_the_first_time_then_a_409_and_a_404_for_an_unknown_order(
    http: httpx.AsyncClient,
) -> None:
    resting = (await http.post("/orders", json={**ORDER, "order_type": "limit", "limit_price": "95"})).json()
    filled = (await http.post("/orders", json=ORDER)).json()

    cancelled = await http.delete(f"/orders/{resting['id']}")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await http.delete(f"/orders/{resting['id']}")
    assert (again.status_code, again.json()["detail"]) == (409, "the order is cancelled and cannot be cancelled")
    assert (await http.delete(f"/orders/{filled['id']}")).status_code == 409
    nobody = uuid4()
    missing = await http.delete(f"/orders/{nobody}")
    assert (missing.status_code, missing.json()["detail"]) == (404, f"no order has the id {nobody}")
    assert (await http.get(f"/orders/{nobody}")).status_code == 404
    assert (await http.delete("/orders/nonsense")).status_code == 422


async def test_the_breaker_is_shown_tripped_and_reset(http: httpx.AsyncClient) -> None:
    assert (await http.get("/circuit-breaker")).json() == {"state": "OPEN", "reason": None, "by": None, "at": None}

    tripped = await http.post("/circuit-breaker/trip", json={"reason": "fat finger", "by": "ann"})
    assert tripped.status_code == 200
    assert {**tripped.json(), "at": None} == {"state": "TRIPPED", "reason": "fat finger", "by": "ann", "at": None}
    assert (await http.get("/circuit-breaker")).json() == tripped.json()
    refused = await http.post("/orders", json=ORDER)
    assert (refused.status_code, refused.json()["detail"]["reason"]) == (409, "breaker_tripped")

    reset = await http.post("/circuit-breaker/reset", json={"reason": "checked", "by": "bob"})
    assert reset.json()["state"] == "OPEN"
    assert (await http.post("/orders", json=ORDER)).status_code == 201


@pytest.mark.parametrize("path", ["/circuit-breaker/trip", "/circuit-breaker/reset", "/high-water-mark/reset"])
@pytest.mark.parametrize(
    ("body", "field"),
    [({"reason": "x"}, "by"), ({"by": "me"}, "reason"), ({"reason": "", "by": "me"}, "reason"),
     ({"reason": "x", "by": 5}, "by"), ({"reason": "x", "by": "me", "why": "x"}, "why")],
)  # fmt: skip
async def test_a_breaker_change_needs_a_person_and_a_reason(
    http: httpx.AsyncClient, path: str, body: object, field: str
) -> None:
    answer = await http.post(path, json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


async def test_pnl_is_in_cents_and_adds_up(desk: Desk, http: httpx.AsyncClient) -> None:
    await desk.placement.place(order(qty=100))
    await desk.see(market({"AAPL": "99.5", "MSFT": 200}))

    assert (await http.get("/pnl")).json() == {
        "realized": "0.00",
        "unrealized": "-50.00",
        "total": "-50.00",
        "daily": "-50.00",
        "equity": "999950.00",
        "cash": "990000.00",
        "start_of_day_equity": "1000000.00",
        "daily_loss_ratio": "0.00005000",
        "trading_date": "2020-03-09",
    }


async def test_unknown_pnl_is_a_503(database_url: str) -> None:
    async with opened(database_url) as desk, serving(desk) as http:
        answer = await http.get("/pnl")
        reset = await http.post("/high-water-mark/reset", json={"reason": "x", "by": "me"})

    assert (answer.status_code, reset.status_code) == (503, 503)
    assert "not known yet" in answer.json()["detail"]


async def test_the_high_water_mark_is_reset_to_the_present_equity(desk: Desk, http: httpx.AsyncClient) -> None:
    await desk.placement.place(order(qty=100))
    await desk.see(market({"AAPL": 90, "MSFT": 200}))

    answer = await http.post("/high-water-mark/reset", json={"reason": "new year", "by": "ann"})

    assert answer.json() == {"before": "1000000.00", "after": "999000.00"}


async def test_without_postgresql_every_endpoint_that_needs_it_is_a_503(desk: Desk, http: httpx.AsyncClient) -> None:
    set_away(desk, True)
    change = {"reason": "x", "by": "me"}

    answers = {
        "orders": await http.get("/orders"),
        "order": await http.get(f"/orders/{uuid4()}"),
        "cancel": await http.delete(f"/orders/{uuid4()}"),
        "positions": await http.get("/positions"),
        "breaker": await http.get("/circuit-breaker"),
        "trip": await http.post("/circuit-breaker/trip", json=change),
        "reset": await http.post("/circuit-breaker/reset", json=change),
        "mark": await http.post("/high-water-mark/reset", json=change),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert answers["trip"].json()["detail"] == "PostgreSQL does not answer (Unavailable); try again"
    placed = await http.post("/orders", json=ORDER)
    assert (placed.status_code, placed.json()["detail"]["reason"]) == (503, "breaker_unknown")


@pytest.mark.parametrize("limit", ["0", "1001", "x"])
async def test_a_list_has_a_limit(http: httpx.AsyncClient, limit: str) -> None:
    answer = await http.get("/orders", params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]
