"""The gateway as a process, with servers that die, hang and come back, and with data of other settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis.asyncio

from apps.market import publish
from tests.apps.markets import market
from tests.servers import Server, folder, postgres_server, redis_running
from tests.services import Service, running, started
from tests.waiting import wait_until

pytestmark = pytest.mark.server

PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}
ORDER = {"symbol": "AAPL", "side": "buy", "qty": 10}


class Platform:
    """A gateway with its own servers. The test plays the market."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place = place
        self._stack = stack
        self.postgres: Server = stack.enter_context(postgres_server(place))
        self.redis: Server = stack.enter_context(redis_running(place))
        self.settings = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}
        self.gateway: Service = stack.enter_context(running("execution_gateway", place, self.settings))
        self.http = stack.enter_context(httpx.Client(base_url=self.gateway.url, timeout=20))

    def restart_postgres(self) -> None:
        self._stack.enter_context(postgres_server(self.place))

    def restart_redis(self) -> None:
        self._stack.enter_context(redis_running(self.place))

    def tick(self) -> None:
        async def say() -> None:
            async with redis.asyncio.from_url(self.redis.url) as client:
                await publish(client, market(PRICES))

        asyncio.run(say())

    def place_order(self, **more: Any) -> httpx.Response:
        """Places an order after the gateway has seen a fresh quote."""
        self.tick()
        wait_until(lambda: self.gauge("equity_dollars") is not None, 5, "the gateway has seen the market")
        return self.http.post("/api/v1/orders", json={**ORDER, **more})

    def gauge(self, name: str) -> float | None:
        for line in self.http.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return None

    def health(self) -> int:
        return self.http.get("/health").status_code


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with ExitStack() as stack:
        yield Platform(stack.enter_context(folder()), stack)


def test_the_breaker_stays_tripped_when_redis_is_killed_and_comes_back_empty(platform: Platform) -> None:
    assert platform.place_order().status_code == 201
    platform.http.post("/api/v1/circuit-breaker/trip", json={"reason": "a test", "by": "me"})

    platform.redis.kill()
    wait_until(lambda: platform.gauge("redis_connection_status") == 0, 3, "Redis is seen to be away")
    assert platform.health() == 503
    platform.restart_redis()
    wait_until(lambda: platform.gauge("redis_connection_status") == 1, 3, "Redis is seen to be back")
    assert platform.health() == 200

    assert platform.gauge("circuit_breaker_state") == 1
    # The gateway follows the market again, and the breaker still refuses orders.
    wait_until(lambda: platform.place_order().json()["detail"]["reason"] == "breaker_tripped", 5, "the breaker speaks")
    assert platform.place_order(side="sell").status_code == 201
    platform.http.post("/api/v1/circuit-breaker/reset", json={"reason": "done", "by": "me"})


def test_a_postgresql_that_hangs_delays_no_order_for_long_and_no_order_is_lost(platform: Platform) -> None:
    assert platform.place_order(client_order_id="before").status_code == 201
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
    assert answer.json()["detail"]["reason"] == "breaker_unknown"
    assert took < 10
    wait_until(lambda: platform.health() == 200, 10, "all is well")
    wait_until(lambda: platform.place_order(client_order_id="after").status_code in (200, 201), 15, "orders pass again")
    orders = {o["client_order_id"]: o["status"] for o in platform.http.get("/api/v1/orders").json()}
    assert (orders["before"], orders["after"]) == ("filled", "filled")
    assert orders.get("during") in (None, "failed")


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
