"""The orders that a run sends, and what it makes of the answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from apps.catalogue import (
    orders_submitted_total,
)
from apps.database import Database
from apps.execution_gateway.models import OrderRequest
from apps.labels import SubmissionLabels
from apps.orchestrator.orchestration import Orchestration
from apps.vocabulary import RunResult, SubmissionResult
from telemetry.testing import Recorded
from tests.apps.markets import market
from tests.apps.orchestrator.conftest import MARKET, PRICES, Services, runs

UNREADABLE = [
    httpx.Response(200, text="<html>Bad gateway</html>"),
    httpx.Response(201, text='{"status": "fil'),
    httpx.Response(201, content=b""),
    httpx.Response(201, content=b'"\xff"'),
    httpx.Response(201, json=[]),
    httpx.Response(201, json={}),
    httpx.Response(201, json={"status": "perhaps"}),
    httpx.Response(201, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"not packed")),
]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"Retry-After": "86400"}, 60), ({"Retry-After": "soon"}, 1), ({}, 1)],
)
async def test_after_a_429_a_run_sends_nothing_more_and_the_next_one_waits_as_long_as_it_says(
    create: Callable[..., Orchestration],
    services: Services,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    seconds: float,
) -> None:
    orchestration = create(retry_seconds=0.5)
    now = 1000.0
    clock = SimpleNamespace(time=time.time, monotonic=lambda: now)
    monkeypatch.setattr("apps.orchestrator.orchestration.time", clock)
    good = services.place
    services.place = lambda _: httpx.Response(429, json={"detail": {"reason": "order_rate_limit"}}, headers=headers)

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.wanted() == {("AAPL", "buy", 50): 1}
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.REJECTED)) == 1
    assert not orchestration.is_due(market(PRICES))
    now += seconds - 0.01
    assert not orchestration.is_due(market(PRICES))
    now += 0.02
    assert orchestration.is_due(market(PRICES))

    services.place = good
    assert await orchestration.run(MARKET) is RunResult.SUCCESS


async def test_after_a_429_to_a_sell_nothing_is_bought(orchestration: Orchestration, services: Services) -> None:
    services.book["positions"] = {"XOM": {"shares": 10, "average_cost": "50.0000"}}
    services.place = lambda _: httpx.Response(429, json={"detail": {"reason": "order_rate_limit"}})

    assert await orchestration.run(market(PRICES)) is RunResult.FAILED
    assert services.wanted() == {("XOM", "sell", 10): 1}


async def test_a_symbol_with_a_hyphen_or_a_point_is_ordered(orchestration: Orchestration, services: Services) -> None:
    services.targets["weights"] = {"BRK-B": "0.5", "BRK.B": "0.5"}

    assert await orchestration.run(market({"BRK-B": 100, "BRK.B": 200})) is RunResult.SUCCESS

    assert services.wanted() == {("BRK-B", "buy", 50): 1, ("BRK.B", "buy", 25): 1}
    assert all(OrderRequest.model_validate(order) for order in services.placed)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (httpx.Response(409, json={"detail": {"reason": "insufficient_cash"}}), SubmissionResult.REJECTED),
        (httpx.Response(422, json={"detail": []}), SubmissionResult.REJECTED),
        (httpx.Response(503, json={"detail": {"reason": "failed"}}), SubmissionResult.FAILED),
        (
            httpx.Response(503, json={"detail": {"reason": "busy"}}, headers={"Retry-After": "1"}),
            SubmissionResult.FAILED,
        ),
        (httpx.Response(503, json={"detail": "PostgreSQL does not answer"}), SubmissionResult.FAILED),
        (httpx.Response(503, json=["outcome_unknown"]), SubmissionResult.FAILED),
        (httpx.Response(500, text="oh"), SubmissionResult.FAILED),
        (httpx.Response(200, json={"status": "rejected"}), SubmissionResult.REJECTED),
        (httpx.Response(200, json={"status": "failed"}), SubmissionResult.FAILED),
        (httpx.Response(302, text="<html>"), SubmissionResult.FAILED),
        (httpx.Response(409, text="<html>"), SubmissionResult.REJECTED),
    ],
)
async def test_a_run_with_a_refused_order_has_failed_but_places_the_other_orders(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    recorded: Recorded,
    answer: httpx.Response,
    result: SubmissionResult,
) -> None:
    good = services.place
    services.place = lambda body: answer if body["symbol"] == "AAPL" else good(body)

    assert await orchestration.run(MARKET) is RunResult.FAILED

    assert len(services.placed) == 2  # neither is sent again: the outcome is known
    assert recorded(orders_submitted_total, SubmissionLabels(result=result)) == 1
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 1
    assert await runs(database) == [("failed", 1)]


def lost(_: dict[str, Any]) -> httpx.Response:
    raise httpx.ReadTimeout("lost")


def unknown(body: dict[str, Any]) -> httpx.Response:
    order_id = f"id of {body['client_order_id']}"
    detail = {"reason": "outcome_unknown", "message": "the venue does not answer", "order_id": order_id}
    return httpx.Response(503, json={"detail": detail})


@pytest.mark.parametrize("status", ["filled", "accepted", "partly_filled", "cancelled"])
@pytest.mark.parametrize("first", [lost, unknown])
async def test_an_order_is_sent_once_more_with_the_same_id_if_its_outcome_is_not_known(
    orchestration: Orchestration,
    services: Services,
    recorded: Recorded,
    status: str,
    first: Callable[[dict[str, Any]], httpx.Response],
) -> None:
    def answer_the_second_time(body: dict[str, Any]) -> httpx.Response:
        if sum(order["client_order_id"] == body["client_order_id"] for order in services.placed) == 1:
            return first(body)
        return httpx.Response(200, json={"status": status})

    services.place = answer_the_second_time

    assert await orchestration.run(MARKET) is RunResult.SUCCESS

    ids = Counter(order["client_order_id"] for order in services.placed)
    assert list(ids.values()) == [2, 2]
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 2


@pytest.mark.parametrize("first", [lost, unknown])
async def test_a_refusal_is_a_refusal_also_when_the_order_was_sent_twice(
    orchestration: Orchestration,
    services: Services,
    recorded: Recorded,
    first: Callable[[dict[str, Any]], httpx.Response],
) -> None:
    services.place = lambda body: (
        first(body) if len(services.placed) % 2 else httpx.Response(409, json={"detail": {"reason": "position_limit"}})
    )

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.REJECTED)) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (unknown, "outcome_unknown"),
        (lambda _: httpx.Response(503, json={"detail": {"reason": "busy"}}, headers={"Retry-After": "1"}), "busy"),
    ],
)
async def test_the_log_says_why_the_gateway_did_not_take_an_order(
    orchestration: Orchestration,
    services: Services,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[dict[str, Any]], httpx.Response],
    reason: str,
) -> None:
    services.place = answer

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert f'the first: buy 50 AAPL failed: {{"detail":{{"reason":"{reason}"' in caplog.text


@pytest.mark.parametrize("answer", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_every_order_is_counted_once_whatever_is_answered(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded, answer: httpx.Response
) -> None:
    good = services.place
    services.place = lambda body: answer if body["symbol"] == "AAPL" else good(body)

    assert await orchestration.run(MARKET) is RunResult.FAILED

    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.FAILED)) == 1
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 1
    first, again, other = services.placed  # its outcome is not known, so it is sent again under its id
    assert first == again
    assert other["symbol"] == "MSFT"
    assert await runs(database) == [("failed", 1)]


async def test_an_order_whose_answer_could_not_be_read_is_accepted_if_the_gateway_has_it(
    orchestration: Orchestration, services: Services, recorded: Recorded
) -> None:
    services.place = lambda body: (
        httpx.Response(200, text="<html>")
        if len(services.placed) % 2
        else httpx.Response(200, json={"status": "filled"})
    )

    assert await orchestration.run(MARKET) is RunResult.SUCCESS
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 2


async def test_an_error_of_ours_at_one_order_is_counted_and_stops_no_other(
    orchestration: Orchestration, services: Services, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(body: dict[str, Any]) -> httpx.Response:
        if body["symbol"] == "AAPL":
            raise ZeroDivisionError("here")
        return httpx.Response(201, json={"status": "filled"})

    services.place = broken

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.FAILED)) == 1
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 1
    assert caplog.records[0].exc_info


async def test_an_order_has_failed_if_its_answer_was_lost_twice(
    orchestration: Orchestration, services: Services, recorded: Recorded
) -> None:
    def lose(body: dict[str, Any]) -> httpx.Response:
        raise httpx.ConnectError("gone")

    services.place = lose

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.FAILED)) == 2


async def test_each_run_uses_new_order_ids(orchestration: Orchestration, services: Services) -> None:
    await orchestration.run(MARKET)
    await orchestration.run(MARKET)

    ids = [order["client_order_id"] for order in services.placed]
    assert len(set(ids)) == len(ids) == 4
    assert all(each.startswith("2020-03-09-") for each in ids)
