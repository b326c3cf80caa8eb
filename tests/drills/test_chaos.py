"""PostgreSQL, Redis and the gateway are disturbed for three minutes while orders are placed. Then all books agree."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
import redis

from tests.drills.platform import Platform
from tests.waiting import wait_until

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(900)]

SECONDS = 180
STATUSES = ("success", "rejected", "failed")


class Traders:
    """Four clients that buy, sell, rest and cancel. They remember what they were told."""

    def __init__(self, platform: Platform) -> None:
        self._url = f"{platform.url('execution_gateway')}/api/v1/orders"
        self._going = threading.Event()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._trade, args=(number,)) for number in range(4)]
        self.accepted: set[str] = set()
        self.answers: Counter[str] = Counter()

    def __enter__(self) -> Traders:
        self._going.set()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._going.set()
        for thread in self._threads:
            thread.join()

    @contextlib.contextmanager
    def paused(self) -> Any:
        """Nobody trades while the block runs."""
        self._going.clear()
        yield
        self._going.set()

    def have_accepted(self, orders: int) -> bool:
        """Whether at least that many orders were accepted so far."""
        return len(self.accepted) >= orders

    def _trade(self, trader: int) -> None:
        chance = random.Random(trader)  # noqa: S311  # the same orders in each run
        for number in itertools.count():
            self._going.wait()
            if self._end.wait(chance.uniform(0.02, 0.15)):
                return
            body: dict[str, object] = {
                "symbol": chance.choice(["KO", "GE", "BAC"]),
                "side": chance.choice(["buy", "sell"]),
                "qty": chance.randint(1, 50),
                "client_order_id": f"chaos-{trader}-{number}-{time.time_ns()}",
            }
            try:
                answer = httpx.post(self._url, json=body, timeout=10)
                self._note(answer, str(body["client_order_id"]))
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1

    def _note(self, answer: httpx.Response, client_order_id: str) -> None:
        if answer.status_code == 500:
            said = "an error of ours"
        elif answer.status_code == 201:
            said = "accepted"
        else:
            said = str(answer.json()["detail"])
        found = re.search(r"'reason': '(\w+)'", said)
        self.answers[found[1] if found else said[:40]] += 1
        if answer.status_code == 201:
            self.accepted.add(client_order_id)


def _pause_postgresql(platform: Platform) -> None:
    processes = _postgresql(platform)
    for process in processes:
        process.suspend()
    try:
        wait_until(lambda: not _health(platform, "execution_gateway")["database"], 30, "the gateway misses PostgreSQL")
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


def _stop_a_backend(platform: Platform) -> None:
    """The backend that stored the last commit stands still, perhaps in the next one, until a duty is ended for it."""
    database = str(platform.stack.addresses["database_url"])
    newest = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'execution_gateway' AND query = 'COMMIT;' "
        "ORDER BY state_change DESC LIMIT 1"
    )
    [row] = wait_until(lambda: asyncio.run(_fetch(database, newest)), 60, "something is committed")
    process = psutil.Process(row["pid"])
    process.suspend()
    try:
        wait_until(lambda: _health(platform, "execution_gateway")["failing"], 30, "a duty is ended")
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def _kill_postgresql(platform: Platform) -> None:
    before = platform.control.pid("postgres")
    platform.control.kill("postgres")
    wait_until(lambda: platform.control.pid("postgres") not in (0, before), 30, "PostgreSQL is started again")


def _empty_redis(platform: Platform) -> None:
    _redis(platform).flushall()


def _fill_redis(platform: Platform) -> None:
    client = _redis(platform)
    client.config_set("maxmemory", 1)
    try:
        wait_until(lambda: not _health(platform, "market_data_service")["publishing"], 30, "nothing is published")
    finally:
        client.config_set("maxmemory", 0)


def _write_garbage(platform: Platform) -> None:
    client = _redis(platform)
    for garbage in (b"\xff", b"{}", b'{"open": "false"}', b"NaN"):
        client.set("market:state", garbage)
        client.publish("market:state", garbage)


DISTURBANCES: tuple[Callable[[Platform], None], ...] = (
    _pause_postgresql,
    _stop_a_backend,
    _empty_redis,
    _fill_redis,
    _write_garbage,
    _kill_postgresql,
)


def test_after_three_minutes_of_disturbances_rows_counters_venue_and_book_agree(
    platform: Platform, record_property: Callable[[str, object], None]
) -> None:
    database = str(platform.stack.addresses["database_url"])
    log = platform.stack.folder / "data/logs/execution_gateway.log"
    said_before = len(log.read_text())
    with Traders(platform) as traders:
        with traders.paused():
            before = platform.control.pid("execution_gateway")
            platform.control.kill("execution_gateway")
            wait_until(lambda: platform.control.pid("execution_gateway") not in (0, before), 30, "a new gateway")
            platform.wait_until_well(60)
            uncounted = _quiet(platform, database)
        began = time.monotonic()
        for disturb in itertools.cycle(DISTURBANCES):
            if time.monotonic() - began > SECONDS:
                break
            disturb(platform)
            enough = len(traders.accepted) + 10
            wait_until(partial(traders.have_accepted, enough), 60, f"orders are accepted after {disturb.__name__}")
    wait_until(lambda: not platform._sick_services(), 60, "every service is healthy")
    wait_until(lambda: asyncio.run(_pending(database)) == 0, 30, "every outcome is known")

    record_property("answers", dict(traders.answers))
    print(dict(traders.answers))
    assert [line for line in log.read_text()[said_before:].splitlines() if " ERROR " in line] == []
    assert "an error of ours" not in traders.answers
    found = asyncio.run(_books(database))
    assert found["positions"] == found["venue"] == found["executed"]
    assert found["cash"] == found["recomputed cash"]
    assert found["fills"] == found["executions"]
    assert found["overfilled"] == found["set aside"] == found["outlived"] == 0
    assert traders.accepted - found["accepted"] == set()
    assert len(traders.accepted) > 100
    assert _quiet(platform, database) == uncounted
    shown = platform.get("execution_gateway", "/api/v1/book")
    assert {symbol: held["shares"] for symbol, held in shown["positions"].items()} == _held(
        asyncio.run(_books(database))
    )


def _quiet(platform: Platform, database: str) -> Counter[str]:
    """Rows minus counters, by status, at a moment in which neither changes."""

    def both() -> tuple[Counter[str]] | None:
        rows = asyncio.run(_rows(database))
        counters = _counters(platform)
        pending = asyncio.run(_pending(database))
        if pending or rows != asyncio.run(_rows(database)) or counters != _counters(platform):
            return None
        return (Counter({status: rows[status] - counters[status] for status in STATUSES}),)

    answer = wait_until(both, 30, "rows and counters stand still")
    assert answer is not None
    return answer[0]


def _counters(platform: Platform) -> Counter[str]:
    text = platform.http.get(f"{platform.url('execution_gateway')}/metrics").text
    counted: Counter[str] = Counter()
    for status, amount in re.findall(r'^orders_total\{[^}]*status="(\w+)"[^}]*\} (\S+)', text, re.MULTILINE):
        counted[status] += int(float(amount))
    return counted


def _health(platform: Platform, service: str) -> dict[str, Any]:
    answer: dict[str, Any] = platform.http.get(f"{platform.url(service)}/health").json()
    return answer


def _postgresql(platform: Platform) -> list[psutil.Process]:
    postmaster = psutil.Process(platform.control.pid("postgres"))
    return [postmaster, *postmaster.children(recursive=True)]


def _redis(platform: Platform) -> redis.Redis:
    return redis.Redis.from_url(str(platform.stack.addresses["redis_url"]))


async def _rows(database: str) -> Counter[str]:
    rows = await _fetch(
        database,
        "SELECT CASE WHEN status IN ('rejected', 'failed') THEN status ELSE 'success' END AS status, count(*) AS n"
        " FROM gateway.orders WHERE status <> 'pending' GROUP BY 1",
    )
    return Counter({row["status"]: row["n"] for row in rows})


async def _pending(database: str) -> int:
    return int((await _fetch(database, "SELECT count(*) AS n FROM gateway.orders WHERE status = 'pending'"))[0]["n"])


async def _books(database: str) -> dict[str, Any]:
    """The desk's books and the venue's, and what follows from the executions alone, all of one moment."""
    [row] = await _fetch(
        database,
        """
        SELECT (SELECT jsonb_object_agg(symbol, shares) FROM gateway.positions) AS positions,
            (SELECT jsonb_object_agg(symbol, shares) FROM venue.positions WHERE shares <> 0) AS venue,
            (SELECT jsonb_object_agg(symbol, shares) FROM (
                SELECT symbol, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) AS shares
                FROM venue.executions GROUP BY symbol HAVING sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) <> 0
            ) AS each) AS executed,
            (SELECT cash FROM gateway.account) AS cash,
            (SELECT initial_cash FROM gateway.account) - (
                SELECT sum(CASE side WHEN 'buy' THEN qty ELSE -qty END * price + fee) FROM venue.executions
            ) AS "recomputed cash",
            (SELECT count(*) FROM gateway.fills) AS fills,
            (SELECT count(*) FROM venue.executions) AS executions,
            (SELECT count(*) FROM gateway.orders WHERE filled_qty > qty) AS overfilled,
            (SELECT count(*) FROM gateway.executions_set_aside) AS "set aside",
            (SELECT count(*) FROM gateway.fills JOIN gateway.orders ON id = order_id
                WHERE fills.trading_date <> orders.trading_date) AS outlived,
            (SELECT array_agg(client_order_id) FROM gateway.orders
                WHERE status IN ('accepted', 'partly_filled', 'filled', 'cancelled')) AS accepted
        """,
    )
    return {**row, "accepted": set(row["accepted"])}


def _held(found: dict[str, Any]) -> dict[str, int]:
    held: dict[str, int] = json.loads(found["positions"])
    return held


async def _fetch(database: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()
