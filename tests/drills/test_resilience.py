"""Every process is killed with -9, one after the other. All is well again soon, and no accepted order is lost."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable

import asyncpg
import httpx
import pytest

from tests.drills.platform import Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(900)]

WELL_SECONDS = 30

PROGRAMS = (
    "execution_gateway",
    "signal_service",
    "orchestrator",
    "market_data_service",
    "redis",
    "postgres",
    "collector",
    "prometheus",
    "alertmanager",
    "pager",
    "viewer",
)


class Trader:
    """Places orders of one share, one after the other, and remembers which were accepted."""

    def __init__(self, platform: Platform) -> None:
        self._url = f"{platform.url('execution_gateway')}/api/v1/orders"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._trade)
        self.accepted: set[str] = set()

    def __enter__(self) -> Trader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _trade(self) -> None:
        accepted = True
        for number in itertools.count():
            # Who is refused waits. Else, while the market is closed, so many are refused that an alert says so.
            if self._stop.wait(0.1 if accepted else 5):
                return
            accepted = False
            body = {
                "symbol": "KO",
                "side": "buy" if number % 2 == 0 else "sell",
                "qty": 1,
                "client_order_id": f"trader-{time.time_ns()}",
            }
            try:
                answer = httpx.post(self._url, json=body, timeout=10)
            except httpx.HTTPError:
                continue  # not answered: not accepted
            accepted = answer.status_code == 201
            if accepted:
                self.accepted.add(answer.json()["client_order_id"])


def test_each_process_killed_is_back_within_30_seconds_and_no_accepted_order_is_lost(
    platform: Platform, record_property: Callable[[str, object], None]
) -> None:
    took = {}
    said_before = len(platform.stack.output())
    with Trader(platform) as trader:
        for program in PROGRAMS:
            before = platform.control.pid(program)
            killed = time.time()
            platform.control.kill(program)
            _wait_until_started_again(platform, program, before)
            platform.wait_until_well(60, since=killed)
            took[program] = round(time.time() - killed, 1)
    record_property("killed to well", took)
    print(took)

    stored = asyncio.run(_orders(str(platform.stack.addresses["database_url"])))
    assert len(trader.accepted) > 50
    assert trader.accepted - stored == set()
    assert max(took.values()) <= WELL_SECONDS, took
    said = platform.stack.output()[said_before:]
    assert [program for program in PROGRAMS if f" {program} died" not in said] == []


def _wait_until_started_again(platform: Platform, program: str, before: int) -> None:
    wait_until(lambda: platform.control.pid(program) not in (0, before), 30, f"{program} is started again")


async def _orders(database_url: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT client_order_id FROM gateway.orders"
            " WHERE status IN ('accepted', 'partly_filled', 'filled', 'cancelled')"
        )
    finally:
        await connection.close()
    return {row["client_order_id"] for row in rows}
