"""Runs of the orchestrator: how they end, what they submit, and what is not done twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import httpx
import pytest

from apps.catalogue import (
    dependency_available,
    orchestration_duration_seconds,
    orchestration_last_success_timestamp_seconds,
    orchestration_runs_total,
    orders_submitted_total,
)
from apps.database import Database
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.orchestration import Orchestration
from apps.orchestrator.settings import Settings
from apps.orchestrator.storage import SCHEMA, last_runs
from apps.vocabulary import RunResult
from telemetry.testing import Recorded
from tests.apps.markets import MONDAY, TUESDAY, market

T = TypeVar("T")

MARKET = market({"AAPL": 100, "MSFT": 200})


def next_of(answers: list[T]) -> T:
    """The next of these answers. The last one is used again and again."""
    return answers[0] if len(answers) == 1 else answers.pop(0)


class Services:
    """A gateway and a signal service that answer what the test sets."""

    def __init__(self) -> None:
        self.targets: Any = {"trading_date": "2020-03-09", "weights": {"AAPL": "0.5", "MSFT": "0.5"}}
        self.pnl: Any = {"equity": "10000.00"}
        self.positions: list[dict[str, dict[str, int]]] = [{}]
        self.open_orders: list[list[dict[str, Any]]] = [[]]
        self.state = "OPEN"
        self.place: Callable[[dict[str, Any]], httpx.Response] = lambda body: httpx.Response(
            201, json={"status": "filled"}
        )
        self.placed: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path:
            case "GET", "/health":
                return httpx.Response(200 if request.url.host == "signals" else 503)
            case "GET", "/api/v1/targets":
                return (
                    self.targets if isinstance(self.targets, httpx.Response) else httpx.Response(200, json=self.targets)
                )
            case "GET", "/api/v1/pnl":
                return self.pnl if isinstance(self.pnl, httpx.Response) else httpx.Response(200, json=self.pnl)
            case "GET", "/api/v1/positions":
                return httpx.Response(200, json=next_of(self.positions))
            case "GET", "/api/v1/circuit-breaker":
                return httpx.Response(200, json={"state": self.state})
            case "GET", "/api/v1/orders":
                assert request.url.params["open"] == "true"
                return httpx.Response(200, json=next_of(self.open_orders))
            case "POST", "/api/v1/orders":
                self.placed.append(json.loads(request.content))
                return self.place(self.placed[-1])
        raise AssertionError(f"{request.method} {request.url}")

    def wanted(self) -> Counter[tuple[str, str, int]]:
        return Counter((order["symbol"], order["side"], order["qty"]) for order in self.placed)


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SCHEMA)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def create(database: Database, services: Services) -> AsyncIterator[Callable[[], Orchestration]]:
    """Creates an orchestrator, as its service does at each start."""
    transport = httpx.MockTransport(services)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://signals") as signals,
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as gateway,
    ):
        yield lambda: Orchestration(Settings(invested=1), database, SignalService(signals), ExecutionGateway(gateway))


@pytest.fixture
def orchestration(create: Callable[[], Orchestration]) -> Orchestration:
    return create()


async def runs(database: Database) -> list[tuple[object, object]]:
    return [(run["result"], run["orders"]) for run in await last_runs(database, 10)]


async def test_a_run_places_the_missing_orders_and_is_recorded(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded
) -> None:
    services.positions = [{"AAPL": {"shares": 20}, "OLD": {"shares": 0}}]
    services.open_orders = [[{"symbol": "AAPL", "side": "buy", "qty": 20, "filled_qty": 5}]]
    state = market({"AAPL": 100, "MSFT": 200, "OLD": 1})

    assert await orchestration.run(state) is RunResult.SUCCESS

    assert services.wanted() == {("AAPL", "buy", 15): 1, ("MSFT", "buy", 25): 1}
    assert recorded(orders_submitted_total, result="accepted") == 2
    assert recorded(orchestration_runs_total, result="success") == 1
    assert recorded(orchestration_duration_seconds) == 1
    assert recorded(orchestration_last_success_timestamp_seconds) is not None
    assert await runs(database) == [("success", 2)]


async def test_with_a_tripped_breaker_nothing_is_placed_and_halted_orders_count_once_per_trading_date(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded
) -> None:
    services.state = "TRIPPED"

    assert await orchestration.run(MARKET) is RunResult.HALTED
    assert await orchestration.run(MARKET) is RunResult.HALTED

    assert services.placed == []
    assert recorded(orders_submitted_total, result="halted") == 2
    assert recorded(orchestration_runs_total, result="halted") == 2
    assert await runs(database) == [("halted", 0), ("halted", 0)]


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (httpx.Response(409, json={"detail": {"reason": "insufficient_cash"}}), "rejected"),
        (httpx.Response(422, json={"detail": []}), "rejected"),
        (httpx.Response(503, json={"detail": {"reason": "failed"}}), "failed"),
        (httpx.Response(500, text="oh"), "failed"),
        (httpx.Response(200, json={"status": "rejected"}), "rejected"),
        (httpx.Response(200, json={"status": "failed"}), "failed"),
    ],
)
async def test_a_run_with_a_refused_order_has_failed_but_places_the_other_orders(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    recorded: Recorded,
    answer: httpx.Response,
    result: str,
) -> None:
    good = services.place
    services.place = lambda body: answer if body["symbol"] == "AAPL" else good(body)

    assert await orchestration.run(MARKET) is RunResult.FAILED

    assert recorded(orders_submitted_total, result=result) == 1
    assert recorded(orders_submitted_total, result="accepted") == 1
    assert await runs(database) == [("failed", 1)]


async def test_each_reason_of_failed_runs_is_logged_once_and_so_is_the_next_success(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    good = services.place
    refusal = httpx.Response(409, json={"detail": {"reason": "position_limit", "message": "too much"}})
    services.place = lambda body: refusal if body["symbol"] == "AAPL" else good(body)
    for _ in range(2):
        await orchestration.run(MARKET)
    services.state = "TRIPPED"
    await orchestration.run(MARKET)
    services.state, services.place = "OPEN", good
    await orchestration.run(MARKET)

    first, halted, again, success = [record.getMessage() for record in caplog.records]
    assert first == (
        "the session's run fails: run 1 of 2020-03-09 failed: 1 of 2 orders were not accepted, the first: "
        'buy 50 AAPL rejected: {"detail":{"reason":"position_limit","message":"too much"}}'
    )
    assert halted == (
        "the session's run fails: run 3 of 2020-03-09 halted: the circuit breaker is tripped, nothing is placed"
    )
    assert again.startswith("the session's run works again, after 3 failures in ")
    assert success == "run 4 of 2020-03-09: 2 orders accepted"


async def test_a_run_that_fails_for_an_error_of_ours_is_logged_with_its_traceback(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.pnl = {"equity": None}
    await orchestration.run(MARKET)
    services.pnl = httpx.Response(503)
    await orchestration.run(MARKET)

    assert [(record.levelname, bool(record.exc_info)) for record in caplog.records] == [
        ("ERROR", True),
        ("WARNING", False),
    ]


async def test_a_change_in_the_health_of_a_service_is_logged_once(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    for _ in range(2):
        await orchestration.watch_dependencies()

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "execution-gateway is not healthy: answers 503"),
        ("INFO", "signal-service is healthy"),
    ]


@pytest.mark.parametrize("status", ["filled", "accepted", "partly_filled", "cancelled"])
async def test_an_order_is_sent_once_more_with_the_same_id_if_its_answer_was_lost(
    orchestration: Orchestration, services: Services, recorded: Recorded, status: str
) -> None:
    def lose_the_first_answer(body: dict[str, Any]) -> httpx.Response:
        if sum(order["client_order_id"] == body["client_order_id"] for order in services.placed) == 1:
            raise httpx.ReadTimeout("lost")
        return httpx.Response(200, json={"status": status})

    services.place = lose_the_first_answer

    assert await orchestration.run(MARKET) is RunResult.SUCCESS

    ids = Counter(order["client_order_id"] for order in services.placed)
    assert list(ids.values()) == [2, 2]
    assert recorded(orders_submitted_total, result="accepted") == 2


async def test_an_order_has_failed_if_its_answer_was_lost_twice(
    orchestration: Orchestration, services: Services, recorded: Recorded
) -> None:
    def lose(body: dict[str, Any]) -> httpx.Response:
        raise httpx.ConnectError("gone")

    services.place = lose

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert recorded(orders_submitted_total, result="failed") == 2


async def test_each_run_uses_new_order_ids(orchestration: Orchestration, services: Services) -> None:
    await orchestration.run(MARKET)
    await orchestration.run(MARKET)

    ids = [order["client_order_id"] for order in services.placed]
    assert len(set(ids)) == len(ids) == 4
    assert all(each.startswith("2020-03-09-") for each in ids)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("targets", httpx.Response(503, json={"detail": "no targets yet"})),
        ("targets", httpx.Response(200, text="not JSON")),
        ("targets", {}),
        ("targets", {"trading_date": "2020-03-09", "weights": {"GONE": "1"}}),
        ("targets", {"trading_date": "2020-03-09", "weights": None}),
        ("targets", {"trading_date": "2020-03-06", "weights": {}}),
        ("pnl", {"equity": None}),
        ("pnl", {"equity": "a lot"}),
    ],
)
async def test_a_run_without_the_data_that_it_needs_has_failed_and_is_counted(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded, field: str, value: object
) -> None:
    setattr(services, field, value)

    assert await orchestration.run(MARKET) is RunResult.FAILED

    assert services.placed == []
    assert recorded(orchestration_runs_total, result="failed") == 1
    assert await runs(database) == [("failed", 0)]


async def test_a_fill_between_two_requests_does_not_lead_to_a_second_order(
    orchestration: Orchestration, services: Services
) -> None:
    resting = {"symbol": "AAPL", "side": "buy", "qty": 50, "filled_qty": 0}
    services.open_orders = [[resting], []]
    services.positions = [{}, {"AAPL": {"shares": 50}}]

    await orchestration.run(MARKET)

    assert services.wanted() == {("MSFT", "buy", 25): 1}


async def test_a_session_has_one_successful_run_even_after_a_restart(
    orchestration: Orchestration, create: Callable[[], Orchestration], services: Services, recorded: Recorded
) -> None:
    await orchestration.see(MARKET)
    await orchestration.see(MARKET)
    again = create()
    await again.see(MARKET)
    assert recorded(orchestration_runs_total, result="success") == 1

    services.targets = {**services.targets, "trading_date": "2020-03-10"}
    await again.see(market({"AAPL": 100, "MSFT": 200}, date=TUESDAY))
    assert recorded(orchestration_runs_total, result="success") == 2
    assert MARKET.trading_date == MONDAY


async def test_old_targets_are_a_failure_only_some_seconds_after_the_open(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tuesday = market({"AAPL": 100, "MSFT": 200}, date=TUESDAY)
    clock = [100.0]
    monkeypatch.setattr("apps.orchestrator.orchestration.time.monotonic", lambda: clock[0])

    await orchestration.see(tuesday)
    clock[0] += 3.0
    await orchestration.see(tuesday)
    assert await runs(database) == []
    clock[0] += 0.1
    await orchestration.see(tuesday)
    assert recorded(orchestration_runs_total, result="failed") == 1

    services.targets = {**services.targets, "trading_date": "2020-03-10"}
    await orchestration.see(tuesday)
    assert recorded(orchestration_runs_total, result="success") == 1


async def test_the_health_of_dependencies_is_in_the_metrics(orchestration: Orchestration, recorded: Recorded) -> None:
    await orchestration.watch_dependencies()

    assert recorded(dependency_available, dependency="signal-service") == 1
    assert recorded(dependency_available, dependency="execution-gateway") == 0
