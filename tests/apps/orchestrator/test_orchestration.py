"""Runs of the orchestrator: when they start, how they end, and what is not done twice."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
import pytest
import redis.asyncio

from apps.background import background
from apps.catalogue import (
    market_states_refused_total,
    orchestration_duration_seconds,
    orchestration_last_success_timestamp_seconds,
    orchestration_runs_total,
    orders_submitted_total,
)
from apps.database import Connection, Database
from apps.inputs import MOST_SYMBOLS
from apps.labels import RunLabels, StateRefusalLabels, SubmissionLabels
from apps.market_stream import publish
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.dependencies import START_SECONDS
from apps.orchestrator.orchestration import Orchestration
from apps.orchestrator.settings import Settings
from apps.orchestrator.storage import SCHEMA
from apps.vocabulary import RunResult, StateRefusal, SubmissionResult
from telemetry.testing import Recorded
from tests.apps.markets import MONDAY, TUESDAY, market
from tests.apps.orchestrator.conftest import LIMITS, MARKET, Services, runs
from tests.waiting import until


async def test_a_run_places_the_missing_orders_and_is_recorded(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded
) -> None:
    services.book["positions"] = {
        "AAPL": {"shares": 20, "average_cost": "90.0000"},
        "MSFT": {"shares": 10, "average_cost": "90.0000"},
        "OLD": {"shares": 0, "average_cost": "1.0000"},
    }
    services.book["waiting"] = {"AAPL": {"buy": 15, "sell": 0}, "MSFT": {"buy": 0, "sell": 2}}
    state = market({"AAPL": 100, "MSFT": 200, "OLD": 1})

    assert await orchestration.run(state) is RunResult.SUCCESS

    assert services.wanted() == {("AAPL", "buy", 15): 1, ("MSFT", "buy", 17): 1}
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 2
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.SUCCESS)) == 1
    assert recorded(orchestration_duration_seconds) == 1
    assert recorded(orchestration_last_success_timestamp_seconds) is not None
    assert await runs(database) == [("success", 2)]


@pytest.mark.parametrize(
    "weights",
    [{"AAPL": "NaN"}, {"AAPL": "inf"}, {"AAPL": "0_5"}, {"AAPL": "1.5"}, {"aapl": "0.5"}, {"A\u200bAPL": "0.5"}, []],
)
async def test_targets_that_are_none_fail_the_run_and_nothing_is_placed(
    orchestration: Orchestration, services: Services, weights: object
) -> None:
    services.targets["weights"] = weights

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.placed == []


@pytest.mark.parametrize("equity", ["NaN", "Infinity", "1_0000", [], "\uff17\uff13\uff17"])
async def test_an_equity_that_is_not_a_number_fails_the_run_and_nothing_is_placed(
    orchestration: Orchestration, services: Services, equity: object
) -> None:
    services.book["equity"] = equity

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.placed == []


async def test_with_a_tripped_breaker_nothing_is_placed_and_halted_orders_count_once_per_trading_date(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded
) -> None:
    services.book["breaker"] = "TRIPPED"

    assert await orchestration.run(MARKET) is RunResult.HALTED
    assert await orchestration.run(MARKET) is RunResult.HALTED

    assert services.placed == []
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.HALTED)) == 2
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.HALTED)) == 2
    assert await runs(database) == [("halted", 0), ("halted", 0)]


async def test_each_reason_of_failed_runs_is_logged_once_and_so_is_the_next_success(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "apps")
    good = services.place
    refusal = httpx.Response(409, json={"detail": {"reason": "position_limit", "message": "too much"}})
    services.place = lambda body: refusal if body["symbol"] == "AAPL" else good(body)
    for _ in range(2):
        await orchestration.run(MARKET)
    services.book["breaker"] = "TRIPPED"
    await orchestration.run(MARKET)
    services.book["breaker"], services.place = "OPEN", good
    await orchestration.run(MARKET)

    first, halted, again, success = [record.getMessage() for record in caplog.records]
    assert first == (
        "the session's run fails: orders were not accepted: position_limit (run 1 of 2020-03-09 failed: 1 of 2, "
        'the first: buy 50 AAPL rejected: {"detail":{"reason":"position_limit","message":"too much"}})'
    )
    assert halted == (
        "the session's run fails: the circuit breaker is tripped, nothing is placed (run 3 of 2020-03-09 halted)"
    )
    assert again.startswith("the session's run works again, after 3 failures in ")
    assert success == "run 4 of 2020-03-09: 2 orders accepted"


async def test_a_run_that_fails_for_an_error_of_ours_is_logged_with_its_traceback(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    state = market({"AAPL": 100, "MSFT": 200})
    await orchestration.run(replace(state, quotes={"AAPL": None}))  # type: ignore[dict-item]
    services.book = httpx.Response(503)
    await orchestration.run(MARKET)

    assert [(record.levelname, bool(record.exc_info)) for record in caplog.records] == [
        ("ERROR", True),
        ("WARNING", False),
    ]


async def test_an_answer_that_cannot_be_read_is_told_in_a_sentence(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    for book in (httpx.Response(200, text="<html>"), {**services.book, "equity": "NaN"}):
        services.book = book
        await orchestration.run(MARKET)
    services.targets = {"trading_date": "2020-03-09", "weights": {"AAPL": "-0.5"}}
    await orchestration.run(MARKET)

    assert [(record.levelname, bool(record.exc_info)) for record in caplog.records] == [("WARNING", False)] * 3
    html, number, short = [record.getMessage() for record in caplog.records]
    assert html.startswith("the session's run fails: BadAnswer: the gateway's answer cannot be read: Invalid JSON")
    assert "the gateway's answer cannot be read, equity: is not a number in digits, like 30 or 0.05" in number
    assert "the signal service's answer cannot be read, weights.AAPL: Input should be greater than" in short


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("targets", httpx.Response(503, json={"detail": "no targets yet"})),
        ("targets", httpx.Response(200, text="not JSON")),
        ("targets", {}),
        ("targets", {"trading_date": "2020-03-09", "weights": {"GONE": "1"}}),
        ("targets", {"trading_date": "2020-03-09", "weights": None}),
        ("targets", {"trading_date": "2020-03-06", "weights": {}}),
        ("book", httpx.Response(503, json={"detail": "the book cannot be read"})),
        ("book", httpx.Response(200, text="not JSON")),
        ("book", {}),
    ],
)
async def test_a_run_without_the_data_that_it_needs_has_failed_and_is_counted(
    orchestration: Orchestration, database: Database, services: Services, recorded: Recorded, field: str, value: object
) -> None:
    setattr(services, field, value)

    assert await orchestration.run(MARKET) is RunResult.FAILED

    assert services.placed == []
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.FAILED)) == 1
    assert await runs(database) == [("failed", 0)]


async def test_a_run_fails_with_a_sentence_while_the_gateway_does_not_know_its_equity(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.book["equity"] = None

    assert await orchestration.run(MARKET) is RunResult.FAILED

    assert services.placed == []
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "the session's run fails: the gateway does not know its equity (run 1 of 2020-03-09 failed)",
        )
    ]


@pytest.mark.parametrize("equity", ["-5000.00", "0.00"])
async def test_without_equity_nothing_is_placed_and_the_run_says_so(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture, equity: str
) -> None:
    services.book |= {"equity": equity, "positions": {"AAPL": {"shares": 20, "average_cost": "90.0000"}}}

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.placed == []
    assert "there is no equity to invest, nothing is placed" in caplog.text


async def test_a_target_without_a_price_fails_the_run_but_the_others_are_traded(
    orchestration: Orchestration, database: Database, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.targets["weights"] = {"AAPL": "0.5", "GONE": "0.5", "UNWANTED": "0"}

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.wanted() == {("AAPL", "buy", 50): 1}
    assert await runs(database) == [("failed", 1)]
    assert "there is a target but no price for GONE (" in caplog.text


async def test_orders_that_are_refused_for_the_same_reason_are_told_once_whichever_is_the_first(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = httpx.Response(409, json={"detail": {"reason": "stale_quote", "message": "old"}})
    refused = ["AAPL"]
    services.place = lambda body: (
        refusal if body["symbol"] in refused else httpx.Response(201, json={"status": "filled"})
    )
    await orchestration.run(MARKET)
    refused[:] = ["MSFT"]
    await orchestration.run(MARKET)

    assert len(caplog.records) == 1
    assert "orders were not accepted: stale_quote" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("equity", "a lot"),
        ("equity", "NaN"),
        ("breaker", "open"),
        ("positions", {"AAPL": 5}),
        ("positions", {"GONE": {"shares": 5}}),
        ("waiting", {"AAPL": {"buy": 5}}),
        ("limits", {"position": "200000"}),
        ("limits", {**LIMITS, "order_size": "NaN"}),
        ("limits", {**LIMITS, "cash": "many"}),
        ("limits", {**LIMITS, "cost_per_dollar": "0.9"}),
        ("limits", {**LIMITS, "cash": "1e300000"}),
        ("equity", "1e300000"),
        ("equity", "1e-900000"),
        ("positions", {"GONE": {"shares": 2**63, "average_cost": "1"}}),
        ("positions", {"GONE": {"shares": -(2**63) - 1, "average_cost": "1"}}),
        ("positions", {"GONE": {"shares": 1, "average_cost": "1e900000"}}),
        ("positions", {f"A{number}": {"shares": 0, "average_cost": "1"} for number in range(1001)}),
        ("waiting", {"AAPL": {"buy": 2**63, "sell": 0}}),
        ("waiting", {f"A{number}": {"buy": 0, "sell": 0} for number in range(1001)}),
    ],
)
async def test_a_run_with_a_book_that_it_cannot_read_or_reckon_with_has_failed(
    orchestration: Orchestration, services: Services, field: str, value: object
) -> None:
    services.book[field] = value

    assert await orchestration.run(MARKET) is RunResult.FAILED
    assert services.placed == []


async def test_a_book_may_have_many_positions_of_symbols_that_are_gone(
    orchestration: Orchestration, services: Services
) -> None:
    held = {"shares": 2**63 - 1, "average_cost": "0"}
    services.book["positions"] = {f"A{number}": held for number in range(1000)}

    assert await orchestration.run(MARKET) is RunResult.SUCCESS


@pytest.mark.parametrize("more", [0, 1])
async def test_targets_have_as_many_symbols_as_a_market(
    orchestration: Orchestration, services: Services, more: int
) -> None:
    services.targets["weights"] = {f"A{number}": "0" for number in range(MOST_SYMBOLS + more)}

    assert await orchestration.run(MARKET) is (RunResult.FAILED if more else RunResult.SUCCESS)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(409, json={"detail": {"reason": "bad\u202eword\nINFO", "message": "bad\u202etext"}}),
        httpx.Response(200, json={"status": "rejected", "reason": "bad\u202eword\nINFO"}),
        httpx.Response(500, text="bad\u202etext\nINFO"),
    ],
)
async def test_what_the_gateway_says_is_logged_without_characters_that_cannot_be_seen(
    orchestration: Orchestration, services: Services, caplog: pytest.LogCaptureFixture, answer: httpx.Response
) -> None:
    services.place = lambda _: answer
    await orchestration.run(MARKET)
    services.book["positions"] = {"A\u202e\nB": {}}
    await orchestration.run(MARKET)

    assert len(caplog.records) == 2
    assert "bad?" in caplog.text
    assert "positions.A??B" in caplog.text
    assert not any(unseen in record.getMessage() for record in caplog.records for unseen in "\u202e\n")


async def test_a_session_has_one_successful_run_even_after_a_restart(
    orchestration: Orchestration, create: Callable[..., Orchestration], services: Services, recorded: Recorded
) -> None:
    await orchestration.see(MARKET)
    await orchestration.see(MARKET)
    again = create()
    await again.see(MARKET)
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.SUCCESS)) == 1

    services.targets, services.date = {**services.targets, "trading_date": "2020-03-10"}, TUESDAY
    services.book["trading_date"] = "2020-03-10"
    await again.see(market({"AAPL": 100, "MSFT": 200}, date=TUESDAY))
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.SUCCESS)) == 2
    assert MARKET.trading_date == MONDAY


class Failing(Database):
    """A database whose statements of one kind fail for a while."""

    failing = ""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            yield cast(Connection, Refusing(connection, self.failing))


@dataclass
class Refusing:
    """A connection that refuses statements which begin with this word."""

    connection: Connection
    word: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    async def execute(self, statement: str, *values: object) -> object:
        if self.word and statement.startswith(self.word):
            raise TimeoutError
        return await self.connection.execute(statement, *values)


async def test_a_run_whose_end_cannot_be_stored_counts_once_and_is_stored_later(
    database_url: str, services: Services, recorded: Recorded
) -> None:
    database = Failing(database_url, SCHEMA)
    await database.open()
    database.failing = "UPDATE"
    async with httpx.AsyncClient(transport=httpx.MockTransport(services), base_url="http://both") as http:
        orchestration = Orchestration(
            Settings(invested=1), database, SignalService(http), ExecutionGateway(http), services.trading_date
        )
        for _ in range(3):
            await orchestration.see(MARKET)
        assert await runs(database) == [(None, None)]
        database.failing = ""
        await orchestration.store_ends()
    stored = await runs(database)
    await database.close()

    assert stored == [("success", 2)]
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.SUCCESS)) == 1
    assert recorded(orders_submitted_total, SubmissionLabels(result=SubmissionResult.ACCEPTED)) == 2
    assert len(services.placed) == 2


@pytest.mark.parametrize(
    ("late", "why"),
    [
        ("targets", "the targets are of 2020-03-09, the session is of 2020-03-10"),
        ("book", "the gateway is at 2020-03-09, the session is of 2020-03-10"),
    ],
)
async def test_a_service_that_has_not_begun_the_date_is_a_failure_only_some_seconds_after_the_open(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    late: str,
    why: str,
) -> None:
    tuesday = market({"AAPL": 100, "MSFT": 200}, date=TUESDAY)
    services.date = TUESDAY
    for answer in (services.targets, services.book):
        answer["trading_date"] = "2020-03-10"
    getattr(services, late)["trading_date"] = "2020-03-09"
    clock = [100.0]
    monkeypatch.setattr("apps.orchestrator.orchestration.time.monotonic", lambda: clock[0])

    await orchestration.see(tuesday)
    clock[0] += 3.0
    await orchestration.see(tuesday)
    assert await runs(database) == []
    clock[0] += 0.1
    await orchestration.see(tuesday)
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.FAILED)) == 1
    assert why in caplog.text
    assert services.placed == []

    getattr(services, late)["trading_date"] = "2020-03-10"
    await orchestration.see(tuesday)
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.SUCCESS)) == 1


AHEAD = dt.date(2031, 1, 1)


async def test_a_date_that_the_market_data_service_does_not_confirm_gets_no_run_and_does_not_put_off_the_true_one(
    create: Callable[..., Orchestration],
    database: Database,
    services: Services,
    recorded: Recorded,
    redis_url: str,
) -> None:
    orchestration = create(redis_url=redis_url, retry_seconds=20)

    def refused() -> float:
        return recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.TRADING_DATE)) or 0

    services.targets = {**services.targets, "trading_date": "2031-01-01"}
    async with redis.asyncio.from_url(redis_url) as client:
        await publish(client, market({"AAPL": 100, "MSFT": 200}, date=AHEAD))
        async with background(orchestration.follow_market()):
            await until(refused, "it is refused")
            services.targets = {**services.targets, "trading_date": "2020-03-09"}
            await publish(client, market({"AAPL": 100, "MSFT": 200}))
            done = RunLabels(result=RunResult.SUCCESS)
            await until(lambda: recorded(orchestration_runs_total, done), "the true date has its run", seconds=2)
            await publish(client, market({"AAPL": 100, "MSFT": 200}, date=AHEAD))
            await until(lambda: refused() == 2, "it is refused again")

    assert await runs(database) == [("success", 2)]
    assert services.dates_asked == 1


async def test_a_new_date_has_no_run_while_the_market_data_service_does_not_answer_and_is_asked_for_again(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [100.0]
    monkeypatch.setattr("apps.session.time.monotonic", lambda: clock[0])
    services.date = None
    for _ in range(3):
        await orchestration.see(MARKET)
        clock[0] += 0.4
    services.date = MONDAY
    assert services.dates_asked == 1
    assert await runs(database) == []
    [said] = caplog.records
    assert (said.levelname, said.exc_info) == ("WARNING", None)
    assert "nobody confirms the new trading date 2020-03-09: ConnectError: refused" in said.getMessage()

    for _ in range(2):
        await orchestration.see(MARKET)
    assert await runs(database) == [("success", 2)]
    assert services.dates_asked == 2


async def test_a_run_waits_for_services_that_have_just_been_started_too(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "apps")

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    services.health = refuse
    for _ in range(2):
        await orchestration.see(MARKET)
    services.health = lambda request: httpx.Response(503 if request.url.host == "gateway" else 200)
    await orchestration.see(MARKET)
    assert await runs(database) == []
    assert recorded(orchestration_runs_total, RunLabels(result=RunResult.FAILED)) == 0
    assert {record.levelname for record in caplog.records} == {"INFO"}

    services.health = lambda _: httpx.Response(200)
    await orchestration.see(MARKET)
    assert await runs(database) == [("success", 2)]
    asked = services.asked
    await orchestration.see(MARKET)
    assert services.asked == asked  # only a start waits for others


async def test_after_some_seconds_a_run_does_not_wait_for_other_services(
    orchestration: Orchestration,
    database: Database,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [time.monotonic() + START_SECONDS]
    monkeypatch.setattr("apps.orchestrator.dependencies.time.monotonic", lambda: clock[0])
    services.health, services.book = lambda _: httpx.Response(503), httpx.Response(503)

    await orchestration.see(MARKET)
    assert await runs(database) == []
    clock[0] += 3.1
    await orchestration.see(MARKET)

    assert await runs(database) == [("failed", 0)]
