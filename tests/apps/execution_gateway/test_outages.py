"""The gateway as a process, with servers that die, hang and come back, and with data of other settings."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
import redis.asyncio

from apps.market import MarketState
from apps.market_stream import publish
from tests.apps.markets import MONDAY, market
from tests.servers import Server, folder, postgres_server, redis_running
from tests.services import ROOT, Service, running, started
from tests.stand_in import market_data_stand_in
from tests.waiting import wait_until

pytestmark = pytest.mark.server

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}
PLACED = [(side, status) for side in ("buy", "sell") for status in ("success", "rejected", "failed")]


class Platform:
    """A gateway with its own servers. The test plays the market."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place = place
        self._stack = stack
        self.postgres: Server = stack.enter_context(postgres_server(place))
        self.redis: Server = stack.enter_context(redis_running(place))
        self.settings = {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "MARKET_DATA_URL": stack.enter_context(market_data_stand_in(MONDAY)),
        }
        self.start_gateway()

    def start_gateway(self) -> None:
        self.gateway: Service = self._stack.enter_context(running("execution_gateway", self.place, self.settings))
        self.http = self._stack.enter_context(httpx.Client(base_url=self.gateway.url, timeout=20))

    def restart_postgres(self) -> None:
        self._stack.enter_context(postgres_server(self.place))

    def restart_redis(self) -> None:
        self._stack.enter_context(redis_running(self.place))

    def tick(self) -> None:
        """Publishes a state of the market, and waits until the gateway has seen it."""
        state = market(PRICES)

        async def say() -> None:
            async with redis.asyncio.from_url(self.redis.url) as client:
                await publish(client, state)

        asyncio.run(say())
        wait_until(lambda: self._is_ready_for(state), 10, "the gateway has seen the market, and begun its date")

    def _is_ready_for(self, state: MarketState) -> bool:
        pnl, book = self.http.get("/api/v1/pnl"), self.http.get("/api/v1/book")
        if pnl.status_code != 200 or book.status_code != 200:
            return False
        return bool(
            pnl.json()["quoted_at"] >= state.at and book.json()["trading_date"] == state.trading_date.isoformat()
        )

    def place_order(self, **more: Any) -> httpx.Response:
        """Places an order at a fresh quote."""
        self.tick()
        return self.http.post("/api/v1/orders", json={**ORDER, **more})

    def gauge(self, name: str) -> float | None:
        return self.series().get(name)

    def series(self) -> dict[str, float]:
        lines = self.http.get("/metrics").text.splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        }

    def health(self) -> int:
        return self.http.get("/health").status_code

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        async def ask() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.postgres.url)
            try:
                return [tuple(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def assert_counters_equal_the_rows(self) -> None:
        """Compares the counters of AAPL with what is stored. The gateway must have run from the start."""
        self._wait_until_none_is_pending()
        with suppress(TimeoutError):  # an order is counted after it is stored
            wait_until(lambda: self._counted() == self._stored(), 5, "each order is counted")
        assert self._counted() == self._stored()

    def _counted(self) -> dict[tuple[str, str], float]:
        series = self.series()
        return {
            (side, status): series[f'orders_total{{symbol="AAPL",side="{side}",status="{status}"}}']
            for side, status in PLACED
        }

    def _stored(self) -> dict[tuple[str, str], float]:
        rows = Counter(
            (side, status if status in ("rejected", "failed") else "success")
            for side, status in self.query("SELECT side, status FROM gateway.orders WHERE symbol = 'AAPL'")
        )
        return {placed: rows[placed] for placed in PLACED}

    def assert_the_venue_agrees(self) -> None:
        """Compares both books. An accepted order may be filled at any tick, and the venue knows of it first."""
        self._wait_until_none_is_pending()
        with suppress(TimeoutError):
            wait_until(lambda: not self._drift(), 10, "the desk has booked what the venue has filled")
        assert self._drift() == []

    def _drift(self) -> list[tuple[Any, ...]]:
        """Symbol, our shares and the venue's, where they differ. One statement, so both are of one moment."""
        return self.query(
            "SELECT symbol, coalesce(ours.shares, 0), coalesce(theirs.shares, 0)"
            " FROM gateway.positions ours FULL JOIN venue.positions theirs USING (symbol)"
            " WHERE coalesce(ours.shares, 0) <> coalesce(theirs.shares, 0)"
        )

    def _wait_until_none_is_pending(self) -> None:
        wait_until(lambda: not self.query("SELECT FROM gateway.orders WHERE status = 'pending'"), 10, "none is pending")


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with ExitStack() as stack:
        yield Platform(stack.enter_context(folder()), stack)


def test_the_breaker_stays_tripped_when_redis_is_killed_and_comes_back_empty(platform: Platform) -> None:
    answer = platform.place_order()
    assert answer.status_code == 201, answer.text
    change = {"reason": "a test", "by": "me"}
    assert platform.http.post("/api/v1/circuit-breaker/trip", json=change).status_code == 200

    platform.redis.kill()
    wait_until(lambda: platform.gauge("redis_connection_status") == 0, 3, "Redis is seen to be away")
    assert platform.health() == 503
    platform.restart_redis()
    wait_until(lambda: platform.gauge("redis_connection_status") == 1, 3, "Redis is seen to be back")
    assert platform.health() == 200

    assert platform.gauge("circuit_breaker_state") == 1
    # The gateway follows the market again, and the breaker still refuses orders.
    assert platform.place_order().json()["detail"]["reason"] == "breaker_tripped"
    assert platform.place_order(side="sell").status_code == 201
    assert platform.http.post("/api/v1/circuit-breaker/reset", json=change).status_code == 200
    platform.assert_counters_equal_the_rows()


def test_a_postgresql_that_hangs_delays_no_order_for_long_and_no_order_is_lost(platform: Platform) -> None:
    assert platform.place_order(client_order_id="before").status_code == 201
    platform.tick()
    processes = [psutil.Process(platform.postgres.process.pid)]
    processes += processes[0].children(recursive=True)

    for process in processes:
        process.suspend()
    try:
        began = time.monotonic()
        answer = platform.http.post("/api/v1/orders", json={**ORDER, "client_order_id": "during"})
        took = time.monotonic() - began
        wait_until(lambda: platform.gauge("database_connection_status") == 0, 3, "PostgreSQL is seen to hang")
        assert platform.health() == 503
    finally:
        for process in processes:
            process.resume()

    assert answer.status_code == 503
    assert answer.json()["detail"]["reason"] in ("outcome_unknown", "busy", "breaker_unknown")
    assert took < 5
    wait_until(lambda: platform.health() == 200, 10, "all is well")
    wait_until(lambda: platform.place_order(client_order_id="after").status_code in (200, 201), 15, "orders pass again")
    platform.assert_counters_equal_the_rows()
    platform.assert_the_venue_agrees()
    orders = {o["client_order_id"]: o for o in platform.http.get("/api/v1/orders").json()}
    assert (orders["before"]["status"], orders["after"]["status"]) == ("filled", "filled")
    told = answer.json()["detail"]
    if told["reason"] == "busy":
        assert "during" not in orders
    elif told["reason"] == "breaker_unknown":
        assert (orders["during"]["status"], orders["during"]["reason"]) == ("rejected", "breaker_unknown")
    elif "during" in orders:
        assert orders["during"]["id"] == told["order_id"]
    assert platform.gauge("orders_outcome_unknown") == 0


def test_every_accepted_order_is_kept_when_postgresql_is_killed_and_comes_back(platform: Platform) -> None:
    accepted = platform.place_order(client_order_id="accepted").json()

    platform.postgres.kill()
    wait_until(lambda: platform.gauge("database_connection_status") == 0, 3, "PostgreSQL is seen to be away")
    assert platform.http.post("/api/v1/orders", json=ORDER).status_code == 503
    platform.restart_postgres()

    wait_until(lambda: platform.health() == 200, 10, "all is well")
    shown = wait_until(lambda: platform.http.get(f"/api/v1/orders/{accepted['id']}"), 5, "the order is there")
    assert shown.json() == accepted
    wait_until(lambda: platform.place_order().status_code == 201, 10, "orders pass again")
    platform.assert_counters_equal_the_rows()
    platform.assert_the_venue_agrees()


def test_the_command_line_trips_the_breaker_while_the_gateway_hangs(platform: Platform) -> None:
    assert platform.place_order(qty=20).status_code == 201
    platform.gateway.process.send_signal(signal.SIGSTOP)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "apps.execution_gateway", "trip", "--reason", "the gateway hangs", "--by", "ann"],
            env={**os.environ, **platform.settings}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        last = platform.query("SELECT state, reason, by FROM gateway.breaker_changes ORDER BY id DESC LIMIT 1")
        halted = platform.query("SELECT halted FROM venue.state")
    finally:
        platform.gateway.process.send_signal(signal.SIGCONT)

    assert done.returncode == 0, done.stderr
    assert "The circuit breaker is TRIPPED." in done.stdout
    assert (last, halted) == ([("TRIPPED", "the gateway hangs", "ann")], [(True,)])
    # The first order after the hang is refused, though the gateway may not have read the breaker yet.
    at_once = platform.http.post("/api/v1/orders", json=ORDER).json()["detail"]["reason"]
    assert at_once in ("breaker_tripped", "breaker_unknown")
    wait_until(lambda: platform.gauge("circuit_breaker_state") == 1, 5, "the gateway shows the trip")
    wait_until(lambda: platform.http.get("/api/v1/circuit-breaker").json()["venue_halted"], 5, "it knows of the halt")
    assert platform.place_order().json()["detail"]["reason"] == "breaker_tripped"
    assert platform.place_order(side="sell").status_code == 201
    change = {"reason": "done", "by": "me"}
    assert platform.http.post("/api/v1/circuit-breaker/reset", json=change).status_code == 200
    assert platform.place_order().status_code == 201
    platform.assert_counters_equal_the_rows()
    assert platform.gauge("risk_added_while_tripped_total") == 0


def test_the_command_line_says_when_nothing_could_be_tripped(tmp_path: Path) -> None:
    away = {"DATABASE_URL": f"postgresql://postgres@/trading?host={tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-m", "apps.execution_gateway", "trip", "--reason", "a test", "--by", "ann"],
        env={**os.environ, **away}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert "Nothing is tripped: PostgreSQL does not answer." in done.stderr
    assert "Traceback" not in done.stderr


def test_every_order_has_an_outcome_after_the_gateway_was_killed_in_the_middle_of_many(platform: Platform) -> None:
    """The last one with this platform: the counters begin anew."""
    platform.tick()
    answers: list[httpx.Response] = []

    def keep_placing(client: int) -> None:
        with httpx.Client(base_url=platform.gateway.url, timeout=20) as http, suppress(httpx.TransportError):
            for number in range(1000):
                body = {**ORDER, "qty": 1, "client_order_id": f"many {client} {number}"}
                answers.append(http.post("/api/v1/orders", json=body))

    with ThreadPoolExecutor() as threads:
        for client in range(4):
            threads.submit(keep_placing, client)
        wait_until(lambda: len(answers) >= 40, 20, "many orders are placed")
        platform.gateway.kill()
    platform.start_gateway()
    platform.tick()

    platform.assert_the_venue_agrees()
    kept = dict(platform.query("SELECT id::text, status FROM gateway.orders"))
    accepted = [answer.json() for answer in answers if answer.status_code == 201]
    assert len(accepted) >= 40
    assert {kept[one["id"]] for one in accepted} <= {"filled", "accepted"}
    again = platform.place_order(qty=1, client_order_id=accepted[0]["client_order_id"])
    assert (again.status_code, again.json()["id"]) == (200, accepted[0]["id"])


@pytest.mark.parametrize(
    ("service", "made_with", "changed", "sentence"),
    [
        (
            "execution_gateway",
            {"INITIAL_CASH": "1000000"},
            {"INITIAL_CASH": "2000000"},
            "made with INITIAL_CASH=1000000, now it is 2000000: set it back, or run `make clean-data`",
        ),
        (
            "market_data_service",
            {"REPLAY_START": "2020-03-02"},
            {"REPLAY_START": "2020-03-03"},
            "REPLAY_START=2020-03-02, now they are crash-2020.csv and 2020-03-03: set them back",
        ),
    ],
)
def test_data_of_other_settings_is_refused_with_a_sentence(
    service: str,
    made_with: dict[str, str],
    changed: dict[str, str],
    sentence: str,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with running(service, tmp_path, {**settings, **made_with}):
        pass

    with started(service, tmp_path, {**settings, **changed}) as refused:
        assert refused.process.wait(15) != 0
        log = refused.log.read_text()

    assert sentence in log
    assert "`make clean-data`" in log
