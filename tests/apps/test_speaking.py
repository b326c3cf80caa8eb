"""What a service logs: one line per event, nothing for a tick, nothing twice, and no secrets."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from apps.market_stream import publish
from tests.apps.markets import MONDAY, market
from tests.servers import Server, folder, postgres_server, redis_running
from tests.services import Service, running, started
from tests.stand_in import market_data_stand_in
from tests.waiting import wait_until

pytestmark = pytest.mark.server

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\w+) (execution-gateway) ([\w.]+): (.*)")
SERVICES = ("execution_gateway", "signal_service", "orchestrator", "market_data_service")


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as path:
        yield path


def tick(server: Server, times: int = 1) -> None:
    """Publishes a state of the market."""

    async def say() -> None:
        async with redis.asyncio.from_url(server.url) as client:
            for _ in range(times):
                await publish(client, market({"AAPL": 100}))

    asyncio.run(say())


def story(service: Service) -> list[str]:
    """Level, logger and message of every line of the log. Fails if a line does not have our form."""
    found = [(text, LINE.fullmatch(text)) for text in service.log.read_text().splitlines()]
    assert [text for text, match in found if match is None] == []
    return [f"{match[1]} {match[3].rpartition('.')[2]}: {match[4]}" for _, match in found if match is not None]


def has(service: Service, text: str, times: int = 1) -> bool:
    return sum(text in line for line in story(service)) >= times


def test_the_log_shows_a_trip_and_an_outage_of_redis_and_a_restart(place: Path) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(place))
        first_redis = stack.enter_context(redis_running(place))
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": first_redis.url}
        settings["MARKET_DATA_URL"] = stack.enter_context(market_data_stand_in(MONDAY))
        with running("execution_gateway", place, settings) as service:
            tick(first_redis, times=20)
            wait_until(lambda: has(service, "trading date"), 5, "the trading date begins")
            change = {"reason": "because of Ann", "by": "Ann"}
            for _ in range(2):  # the second request changes nothing
                assert httpx.post(f"{service.url}/api/v1/circuit-breaker/trip", json=change).status_code == 200
            first_redis.kill()
            wait_until(lambda: has(service, "redis does not answer"), 5, "the loss is seen")
            second_redis = stack.enter_context(redis_running(place))
            wait_until(lambda: has(service, "redis answers", 2), 5, "the return is seen")
            wait_until(lambda: _heard(service, second_redis), 5, "the market is followed again")
            assert httpx.post(f"{service.url}/api/v1/circuit-breaker/reset", json=change).status_code == 200
            said = story(service)

        assert said.pop(0) == (
            "INFO sdk: telemetry of execution_gateway: "
            "metrics: ours and those of the OpenTelemetry API; traces: none"
        )  # fmt: skip
        assert sorted(said[:2]) == [f"INFO probes: {name} answers and takes writes" for name in ("database", "redis")]
        assert said[2] == "INFO recording: trading date 2020-03-09 starts with an equity of 1000000.00"
        assert said[3] == (
            "WARNING recording: the circuit breaker is TRIPPED: by a person; "
            "GET /api/v1/circuit-breaker says who, and why"
        )  # fmt: skip
        assert said[-1] == (
            "WARNING recording: the circuit breaker is OPEN again, reset by a person; "
            "GET /api/v1/circuit-breaker says who"
        )  # fmt: skip
        lost = said[4:-1]
        assert sum(line.startswith("WARNING probes: redis does not answer: ConnectionError") for line in lost) == 1
        assert lost.count("INFO probes: redis answers and takes writes") == 1
        following = [line for line in lost if line.startswith("WARNING market_stream: following the market's state")]
        assert 1 <= len(following) <= 2
        assert sum(line.startswith("INFO market_stream: following the market's") for line in lost) == 1
        assert len(lost) <= 5
        assert not any("Ann" in line for line in said), "who did it is personal"

        settings["REDIS_URL"] = second_redis.url
        with running("execution_gateway", place, settings) as again:
            assert story(again)[0].startswith("INFO sdk: telemetry of execution_gateway: ")


def _heard(service: Service, server: Server) -> bool:
    tick(server)
    return has(service, "following the market's state works again")


@pytest.mark.parametrize("service", SERVICES)
def test_a_password_in_a_wrong_address_is_not_logged(service: str) -> None:
    environment = {
        "DATABASE_URL": "postgresql://trader:hunter2/x@127.0.0.1:5432/trading",
        "REDIS_URL": "redis://:hunter3#x@127.0.0.1:1/0",
        "EXECUTION_GATEWAY_URL": "//hunter4",
        "MARKET_DATA_URL": "http://gateway:hunter5#x@127.0.0.1:8004",
    }
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--factory", f"apps.{service}.main:app", "--port", "0"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 1
    assert "DATABASE_URL: is not an address like postgresql://" in done.stderr
    assert "REDIS_URL: is not an address like redis://" in done.stderr
    assert (service == "orchestrator") is ("EXECUTION_GATEWAY_URL: is not an address like http://" in done.stderr)
    if service != "market_data_service":
        assert "MARKET_DATA_URL: is not an address like http://" in done.stderr
    assert "hunter" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_the_password_of_an_unreachable_postgresql_is_not_logged(place: Path) -> None:
    """The address is valid, but nothing listens there. So each attempt to connect logs an error about it."""
    with redis_running(place) as server:
        settings = {"DATABASE_URL": "postgresql://trader:hunter2@127.0.0.1:1/trading", "REDIS_URL": server.url}
        with started("execution_gateway", place, settings) as service:
            wait_until(lambda: has(service, "database does not answer"), 10, "it says so")
            wait_until(lambda: has(service, "PostgreSQL is not there yet"), 10, "it says so")
            assert "hunter" not in service.log.read_text()


def test_each_duty_logs_an_outage_of_postgresql_once_and_its_end_once(place: Path) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(place))
        server = stack.enter_context(redis_running(place))
        settings = {"DATABASE_URL": postgres.url, "REDIS_URL": server.url}
        settings["MARKET_DATA_URL"] = stack.enter_context(market_data_stand_in(MONDAY))
        with running("execution_gateway", place, settings) as service:
            tick(server)
            wait_until(lambda: has(service, "trading date"), 5, "the trading date begins")
            postgres.kill()
            wait_until(lambda: has(service, "reconciling with the venue fails"), 15, "the slowest duty has failed")
            wait_until(lambda: has(service, "database does not answer"), 5, "the loss is seen")
            stack.enter_context(postgres_server(place))
            wait_until(lambda: has(service, "reconciling with the venue works again"), 20, "it works again")
            said = story(service)

        failing = {line.split(": ")[1].removesuffix(" fails") for line in said if " fails: " in line}
        again = {line.split(": ")[1].partition(" works again")[0] for line in said if " works again" in line}
        assert failing == again
        assert {"reading the circuit breaker", "fetching executions", "reconciling with the venue"} <= failing
        # A broken connection and a refused connection are different reasons, and each is logged.
        assert all(sum(f": {duty} fails: " in line for line in said) <= 3 for duty in failing)
        warnings = [line for line in said if line.startswith("WARNING ")]
        assert len(warnings) == len(set(warnings))
        assert not any("Traceback" in line for line in said)
