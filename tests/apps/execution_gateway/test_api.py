"""The endpoints of the gateway: their status codes, their answers, and errors that name the bad field."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest

from apps import paper_venue
from apps.catalogue import orders_total, positions_current
from apps.database import SNAPSHOTS
from apps.execution_gateway.app import serve
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.models import Order
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.settings import Settings
from apps.labels import PlacementLabels, SymbolLabels
from apps.vocabulary import DeskDuty, PlacementStatus, Side
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
    take_away,
)
from tests.apps.markets import MONDAY, market
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("another_service")

ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}


def serving(desk: Desk) -> httpx.AsyncClient:
    """A client for the endpoints of this desk."""

    async def nothing() -> None:
        pass

    transport = httpx.ASGITransport(serve(desk, Settings(), nothing), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1")


@pytest.fixture
async def http(desk: TestDesk) -> AsyncIterator[httpx.AsyncClient]:
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


@pytest.mark.parametrize("symbol", ["BRK-B", "BRK.B"])
async def test_a_symbol_with_a_hyphen_or_a_point_is_ordered_held_and_a_label(
    http: httpx.AsyncClient, desk: TestDesk, recorded: Recorded, symbol: str
) -> None:
    await see(desk, market({symbol: "0.0001"}))

    limits = {"order_type": "limit", "limit_price": "0.0001"}
    created = await http.post("/orders", json={"symbol": symbol, "side": "buy", "qty": 10, **limits})
    await settled(desk)

    assert (created.status_code, created.json()["symbol"], created.json()["limit_price"]) == (201, symbol, "0.0001")
    assert (await http.get("/positions")).json()["positions"] == {symbol: {"shares": 10, "average_cost": "0.0001"}}
    labels = PlacementLabels(symbol=symbol, side=Side.BUY, status=PlacementStatus.SUCCESS)
    assert recorded(orders_total, labels) == 1
    assert recorded(positions_current, SymbolLabels(symbol=symbol)) == 10


async def test_positions_say_which_version_of_the_book_they_are_and_when_it_was_booked(
    http: httpx.AsyncClient, desk: TestDesk
) -> None:
    before = time.time()
    await desk.orders.place(order(qty=10))
    await settled(desk)

    assert (await http.get("/positions")).json() == {
        "version": desk.writer.opened.version,
        "booked_at": desk.writer.opened.at,
        "positions": {"AAPL": {"shares": 10, "average_cost": "100.0000"}},
    }
    assert before <= desk.writer.opened.at <= time.time()


BAD: list[tuple[Any, str]] = [
    ({**ORDER, "symbol": "aapl"}, "symbol"),
    ({**ORDER, "symbol": "AAPL\n"}, "symbol"),
    ({**ORDER, "symbol": 5}, "symbol"),
    ({**ORDER, "symbol": "\ud800"}, "symbol"),
    ({**ORDER, "symbol": "BRK-"}, "symbol"),
    ({**ORDER, "symbol": "BRK/B"}, "symbol"),
    ({**ORDER, "symbol": "ABCDEFGHIJKLM"}, "symbol"),
    ({**ORDER, "side": "hold"}, "side"),
    ({**ORDER, "qty": 0}, "qty"),
    ({**ORDER, "qty": -1}, "qty"),
    ({**ORDER, "qty": 1.5}, "qty"),
    ({**ORDER, "qty": "10"}, "qty"),
    ({**ORDER, "qty": "\uff17\uff13"}, "qty"),
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
    ({**ORDER, "order_type": "limit", "limit_price": "7_3"}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": "\uff17\uff13"}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": "1e2"}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": True}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": 0.00004}, "limit_price"),
    ({**ORDER, "order_type": "limit", "limit_price": 1e9}, "limit_price"),
    ({**ORDER, "order_type": "limit"}, "limit_price"),
    ({**ORDER, "limit_price": 100}, "limit_price"),
    ({**ORDER, "client_order_id": ""}, "client_order_id"),
    ({**ORDER, "client_order_id": "a\x00b"}, "client_order_id"),
    ({**ORDER, "client_order_id": "a\u200bb"}, "client_order_id"),
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
    assert (await http.get("/circuit-breaker")).json() == {
        "state": "OPEN", "reason": None, "by": None, "at": None,
        "trip_asked": False, "stored": False, "venue_halted": False,
    }  # fmt: skip

    tripped = await http.post("/circuit-breaker/trip", json={"reason": "fat finger", "by": "ann"})
    assert tripped.status_code == 200
    assert {**tripped.json(), "at": None} == {
        "state": "TRIPPED", "reason": "fat finger", "by": "ann", "at": None, "stored": True, "venue_halted": True
    }  # fmt: skip
    assert (await http.get("/circuit-breaker")).json() == {**tripped.json(), "trip_asked": False}
    refused = await http.post("/orders", json=ORDER)
    assert (refused.status_code, refused.json()["detail"]["reason"]) == (409, "breaker_tripped")

    reset = await http.post("/circuit-breaker/reset", json={"reason": "checked", "by": "bob"})
    assert reset.json()["state"] == "OPEN"
    assert (await http.post("/orders", json=ORDER)).status_code == 201


@pytest.mark.parametrize(
    "path", ["/circuit-breaker/trip", "/circuit-breaker/reset", "/high-water-mark/reset", "/trading-date/reset"]
)
@pytest.mark.parametrize(
    ("body", "field"),
    [({"reason": "x"}, "by"), ({"by": "me"}, "reason"), ({"reason": "", "by": "me"}, "reason"),
     ({"reason": "\u202ex", "by": "me"}, "reason"),
     ({"reason": "x", "by": "\u200b"}, "by"), ({"reason": "x", "by": " "}, "by"),
     ({"reason": "x", "by": 5}, "by"), ({"reason": "x", "by": "me", "why": "x"}, "why")],
)  # fmt: skip
async def test_a_breaker_change_needs_a_person_and_a_reason(
    http: httpx.AsyncClient, path: str, body: object, field: str
) -> None:
    answer = await http.post(path, json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


async def test_pnl_is_in_cents_and_adds_up(desk: TestDesk, http: httpx.AsyncClient) -> None:
    await desk.orders.place(order(qty=100))
    await see(desk, market({"AAPL": "99.5", "MSFT": 200}))

    pnl = (await http.get("/pnl")).json()
    assert desk.market is not None
    assert pnl.pop("version") == desk.writer.opened.version
    assert pnl.pop("booked_at") == desk.writer.opened.at
    assert pnl.pop("quoted_at") == desk.market.quotes["AAPL"].at
    assert pnl == {
        "realized": "0.00",
        "unrealized": "-50.00",
        "total": "-50.00",
        "daily": "-50.00",
        "equity": "999950.00",
        "cash": "990000.00",
        "start_of_day_equity": "1000000.00",
        "daily_loss_ratio": "0.00005",
        "trading_date": "2020-03-09",
        "without_quote": [],
    }


async def test_the_highest_price_that_a_state_may_have_is_shown(http: httpx.AsyncClient, desk: TestDesk) -> None:
    await desk.orders.place(order(qty=1000))
    await see(desk, market({"AAPL": "999999999.99"}))

    answers = {path: await http.get(path) for path in ("/pnl", "/book", "/positions", "/circuit-breaker")}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert answers["/pnl"].json()["equity"] == "1000000899990.00"


async def test_a_reader_that_finds_too_many_others_is_told_503_in_a_sentence(database_url: str) -> None:
    database = GoingAway(database_url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER), timeout=0.5)
    async with opened(database_url, database) as desk, serving(desk) as http, AsyncExitStack() as reading:
        for _ in range(SNAPSHOTS):
            await reading.enter_async_context(database.snapshot())

        answer = await http.get("/orders")

        assert answer.status_code == 503
        assert answer.json() == {"detail": "PostgreSQL is not available (TimeoutError); try again"}


async def test_unknown_pnl_is_a_503(database_url: str) -> None:
    async with opened(database_url) as desk, serving(desk) as http:
        answer = await http.get("/pnl")
        reset = await http.post("/high-water-mark/reset", json={"reason": "x", "by": "me"})

    assert (answer.status_code, reset.status_code) == (503, 503)
    assert "not known yet" in answer.json()["detail"]


async def test_the_high_water_mark_is_reset_to_the_present_equity(desk: TestDesk, http: httpx.AsyncClient) -> None:
    await desk.orders.place(order(qty=100))
    await see(desk, market({"AAPL": 90, "MSFT": 200}))

    answer = await http.post("/high-water-mark/reset", json={"reason": "new year", "by": "ann"})

    assert answer.json() == {"before": "1000000.00", "after": "999000.00"}


async def test_without_postgresql_what_needs_it_is_a_503_in_a_sentence_and_the_book_is_shown_from_memory(
    desk: TestDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.2)
    await desk.orders.place(order(qty=10))
    set_away(desk, True)
    await until(lambda: DeskDuty.READ_BREAKER in desk.failing, "the breaker cannot be read")
    change = {"reason": "x", "by": "me"}

    away = {
        "orders": await http.get("/orders"),
        "order": await http.get(f"/orders/{uuid4()}"),
        "cancel": await http.delete(f"/orders/{uuid4()}"),
        "adding risk": await http.post("/orders", json=ORDER),
        "reducing": await http.post("/orders", json={**ORDER, "side": "sell"}),
        "reset": await http.post("/circuit-breaker/reset", json=change),
        "mark": await http.post("/high-water-mark/reset", json=change),
        "trip": await http.post("/circuit-breaker/trip", json=change),
    }
    memory = {path: await http.get(f"/{path}") for path in ("positions", "book", "pnl", "circuit-breaker")}

    assert {name: answer.status_code for name, answer in away.items()} == dict.fromkeys(away, 503)
    assert away["orders"].json()["detail"] == "PostgreSQL is not available (Unavailable); try again"
    assert away["adding risk"].json()["detail"]["reason"] == "breaker_unknown"
    # It depends on when the writer tries again whether it has begun with them: then their outcome is not known.
    for name in ("reducing", "reset", "mark"):
        assert away[name].json()["detail"]["reason"] in ("busy", "outcome_unknown")
    assert {name: answer.status_code for name, answer in memory.items()} == dict.fromkeys(memory, 200)
    assert memory["positions"].json()["positions"]["AAPL"]["shares"] == 10
    assert memory["circuit-breaker"].json()["trip_asked"] is True
    assert away["trip"].json() == {
        "state": "TRIPPED", "reason": "x", "by": "me", "at": None, "stored": False, "venue_halted": False,
        "detail": "orders that add risk are refused, but the trip is not stored nor confirmed by the venue yet; "
        "that is tried on",
    }  # fmt: skip


async def test_a_trip_that_cannot_be_stored_is_a_503_that_says_that_the_venue_is_halted(
    desk: TestDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.5)
    async with desk.database.connection() as connection:
        await connection.execute("ALTER TABLE gateway.breaker_changes RENAME TO elsewhere")

    answer = await http.post("/circuit-breaker/trip", json={"reason": "fat finger", "by": "ann"})

    assert answer.status_code == 503
    assert answer.json() == {
        "state": "TRIPPED", "reason": "fat finger", "by": "ann", "at": None, "stored": False, "venue_halted": True,
        "detail": "orders that add risk are refused, but the trip is not stored yet; that is tried on",
    }  # fmt: skip
    order_then = await http.post("/orders", json=ORDER)
    assert order_then.status_code in (409, 503)
    assert order_then.json()["detail"]["reason"] in ("breaker_tripped", "breaker_unknown")


async def test_an_outcome_that_is_not_known_is_a_503_with_the_order_and_where_to_ask(
    desk: TestDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LosingTheAnswer(Venue):
        async def submit(self, order: Order) -> None:
            await self.real.submit(order)
            raise TimeoutError

    monkeypatch.setattr("apps.execution_gateway.waiting.ANSWER_SECONDS", 0.3)
    put_between(desk, LosingTheAnswer)
    body = {**ORDER, "order_type": "limit", "limit_price": "95", "client_order_id": "mine"}

    unknown = await http.post("/orders", json=body)
    detail = unknown.json()["detail"]
    assert (unknown.status_code, detail["reason"]) == (503, "outcome_unknown")
    assert detail["ask"] == "/api/v1/orders?client_order_id=mine"
    asked = await http.get(f"/orders/{detail['order_id']}")
    assert (asked.status_code, asked.json()["status"]) == (200, "pending")
    take_away(desk)
    await settled(desk)

    (found,) = (await http.get("/orders", params={"client_order_id": "mine"})).json()
    assert (found["id"], found["status"]) == (detail["order_id"], "accepted")
    again = await http.post("/orders", json=body)
    assert (again.status_code, again.json()) == (200, found)
    assert (await http.get("/orders", params={"client_order_id": "another"})).json() == []


async def test_an_order_that_was_refused_is_the_same_409_again(desk: TestDesk, http: httpx.AsyncClient) -> None:
    body = {**ORDER, "qty": 5000, "client_order_id": "mine"}

    first = await http.post("/orders", json=body)
    again = await http.post("/orders", json=body)

    assert (first.status_code, again.status_code) == (409, 409)
    assert first.json() == again.json()
    assert first.json()["detail"]["reason"] == "order_size_limit"


async def test_too_many_orders_at_once_are_told_to_come_again_and_nothing_of_theirs_is_taken(
    desk: TestDesk, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.execution_gateway.orders.QUEUE", 0)

    answer = await http.post("/orders", json={**ORDER, "client_order_id": "mine"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["detail"] == {
        "reason": "busy", "message": "0 commands and orders are waiting; nothing was taken, send it again"
    }  # fmt: skip
    monkeypatch.undo()
    assert (await http.get("/orders")).json() == []
    assert (await http.post("/orders", json={**ORDER, "client_order_id": "mine"})).status_code == 201


async def test_a_wrong_trading_date_is_mended(desk: TestDesk, http: httpx.AsyncClient) -> None:
    await see(desk, market({"AAPL": 100}, date=dt.date(2030, 1, 2)))
    change = {"reason": "the date was wrong", "by": "ann"}
    desk.session.date = None
    unheard = await http.post("/trading-date/reset", json=change)
    assert (unheard.status_code, unheard.json()["detail"]) == (
        503, "the market data service does not say its trading date"
    )  # fmt: skip
    desk.session.date = MONDAY

    mended = await http.post("/trading-date/reset", json=change)
    await see(desk, market({"AAPL": 100}))

    assert (mended.status_code, mended.json()) == (200, {"trading_date": "2020-03-09"})
    assert (await http.get("/pnl")).json()["trading_date"] == "2020-03-09"
    placed = await http.post("/orders", json=ORDER)
    assert (placed.status_code, placed.json()["trading_date"]) == (201, "2020-03-09")


async def test_the_book_is_of_one_version_and_has_what_a_program_needs_to_decide(
    desk: TestDesk, http: httpx.AsyncClient
) -> None:
    await desk.orders.place(order(qty=10))
    await desk.orders.place(order("MSFT", order_type="limit", limit_price="195"))

    book = (await http.get("/book")).json()

    assert desk.market is not None
    assert book == {
        "version": desk.writer.opened.version,
        "booked_at": desk.writer.opened.at,
        "market_at": desk.market.at,
        "trading_date": "2020-03-09",
        "cash": "999000.00",
        "equity": "1000000.00",
        "breaker": "OPEN",
        "positions": {"AAPL": {"shares": 10, "average_cost": book["positions"]["AAPL"]["average_cost"]}},
        "waiting": {"MSFT": {"buy": 10, "sell": 0}},
        "limits": {
            "position": "200000",
            "order_size": "200000",
            "gross_exposure": "1500000",
            "cash": "997049.9950",  # 1,000 are spent, 1,950 and half a cent are reserved
            "cost_per_dollar": "1.01",
            "cost_per_share": "0.0051",
        },
    }
    assert Decimal(book["positions"]["AAPL"]["average_cost"]) == 100


async def test_a_list_of_orders_is_read_page_by_page(http: httpx.AsyncClient) -> None:
    placed = [(await http.post("/orders", json=ORDER)).json()["id"] for _ in range(5)]

    seen: list[str] = []
    path: str | None = "/orders?limit=2"
    while path is not None:
        page = await http.get(path)
        seen += [one["id"] for one in page.json()]
        following = page.links.get("next")
        path = None if following is None else following["url"].removeprefix("/api/v1")

    assert seen == placed[::-1]


@pytest.mark.parametrize("limit", ["1_0", "1.0", "%205%20", "%EF%BC%95", "+5", "0", "1001", ""])
async def test_a_limit_that_is_no_whole_number_in_digits_is_a_422(http: httpx.AsyncClient, limit: str) -> None:
    answer = await http.get(f"/orders?limit={limit}")

    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "limit"])
    assert (await http.get("/orders?limit=10")).status_code == 200


@pytest.mark.parametrize("text", ["%ff", "a%C3", "%EF%BF%BD", "a%C2%A0b"])
async def test_a_client_order_id_that_is_not_utf_8_or_no_text_is_a_422(http: httpx.AsyncClient, text: str) -> None:
    answer = await http.get(f"/orders?client_order_id={text}")

    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "client_order_id"])


async def test_an_order_that_is_found_by_its_client_order_id_has_no_next_page(http: httpx.AsyncClient) -> None:
    await http.post("/orders", json={**ORDER, "client_order_id": "mine"})
    await http.post("/orders", json=ORDER)

    answer = await http.get("/orders", params={"client_order_id": "mine", "limit": 1})

    assert [one["client_order_id"] for one in answer.json()] == ["mine"]
    assert "Link" not in answer.headers


@pytest.mark.parametrize("client_order_id", ["", "a\x00b", "a\u200bb", "x" * 201])
async def test_a_client_order_id_that_no_order_can_have_is_a_422(http: httpx.AsyncClient, client_order_id: str) -> None:
    answer = await http.get("/orders", params={"client_order_id": client_order_id})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "client_order_id"]


async def test_before_the_book_was_read_every_answer_is_a_503(database_url: str) -> None:
    async with opened(database_url) as desk:
        pass
    unread = Desk(desk.database, desk.broker, desk.settings, desk.session.trading_date)
    async with serving(unread) as http:
        answers = {
            "order": await http.post("/orders", json=ORDER),
            "cancel": await http.delete(f"/orders/{uuid4()}"),
            "list": await http.get("/orders"),
            "positions": await http.get("/positions"),
            "book": await http.get("/book"),
            "pnl": await http.get("/pnl"),
            "breaker": await http.get("/circuit-breaker"),
        }

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 503)
    assert answers["order"].json()["detail"]["reason"] == answers["cancel"].json()["detail"]["reason"] == "busy"


@pytest.mark.parametrize("limit", ["0", "1001", "x"])
async def test_a_list_has_a_limit(http: httpx.AsyncClient, limit: str) -> None:
    answer = await http.get("/orders", params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]
