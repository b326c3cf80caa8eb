"""How much an order, a tick and a reader cost, on an empty book and on one with a million filled orders.

    python -m tests.benchmarks.desk [ORDERS]

Each figure is a median. The two books are measured in one run, so that their ratio does not depend on the machine.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg

from apps.execution_gateway import ledger
from tests.apps.execution_gateway.conftest import TestDesk, opened, order, see
from tests.apps.markets import MONDAY, TUESDAY, market
from tests.benchmarks.counting import counting
from tests.servers import folder, postgres_server
from tests.waiting import until

RESTING = 3000
PRICES = {"AAPL": 100, "MSFT": 200, "XOM": 50}

# Orders of earlier days that were filled, half buys and half sells. The numbers of the executions have no gaps.
_FILLED = """
INSERT INTO gateway.orders
    (id, symbol, side, qty, order_type, status, filled_qty, arrival_price, trading_date, created_at)
SELECT md5('order' || n)::uuid, 'XOM', CASE n % 2 WHEN 0 THEN 'buy' ELSE 'sell' END, 1, 'market', 'filled', 1, 50,
    $1::date - 7, now() - interval '7 days' + n * interval '0.1 s' FROM generate_series(1, $2::int) AS n;
"""
_VENUE_ORDERS = """
INSERT INTO venue.orders (id, symbol, side, qty, remaining, trading_date)
SELECT id, symbol, side, qty, 0, trading_date FROM gateway.orders
"""
_EXECUTIONS = """
INSERT INTO venue.executions (seq, order_id, symbol, side, qty, price, fee, trading_date)
SELECT row_number() OVER (ORDER BY created_at), id, symbol, side, qty, 50, 0, trading_date FROM gateway.orders
"""
_FILLS = """
INSERT INTO gateway.fills
SELECT seq, order_id, symbol, side, qty, price, fee, trading_date, at FROM venue.executions
"""


def main(orders: int) -> None:
    """Measures, and prints a table."""
    gc.collect()
    gc.freeze()  # as the gateway does at its start
    with folder() as place, postgres_server(place):
        asyncio.run(_measure(place, orders))


async def _measure(place: Path, orders: int) -> None:
    print("on an empty book ...", file=sys.stderr)
    async with counting(place / "sockets", place / "counted") as (proxy, url), opened(url) as desk:
        trips, _ = await _order(desk, lambda: proxy.writes)
    direct = f"postgresql://postgres@/trading?host={place / 'sockets'}"
    async with opened(direct) as desk:
        _, empty = await _order(desk, lambda: 0)
    print(f"storing {orders:,} filled orders (1 to 3 minutes) ...", file=sys.stderr)
    await _fill(direct, orders)
    async with opened(direct, max_shares_per_tick=10_000, position_limit=1_000_000) as desk:
        print(f"on a book with {orders:,} filled and {RESTING:,} resting orders ...", file=sys.stderr)
        await _rest(desk)
        _, full = await _order(desk, lambda: 0)
        none = await _median(10, lambda: see(desk, market({**PRICES, "MSFT": 200.5})))
        reconcile = await _median(10, desk.reconciliation.run)
        newest = await _median(10, lambda: _newest(desk))
        every = await _timed(lambda: _fill_all(desk))
        start = await _timed(lambda: see(desk, market(PRICES, date=TUESDAY)))
    rows = [
        ("round trips of a filled order", "15 at most", f"{trips:g}"),
        ("a filled order, empty book", "", _ms(empty)),
        ("a filled order, full book", "twice at most", f"{_ms(full)}, {full / empty:.2f} times"),
        (f"a tick over {RESTING} resting orders, none fills", "100 ms", _ms(none)),
        (f"a tick over {RESTING} resting orders, all fill, booked", "400 ms", _ms(every)),
        ("reconcile", "20 ms", _ms(reconcile)),
        ("the newest 100 orders", "20 ms", _ms(newest)),
        ("start of day", "20 ms", _ms(start)),
    ]
    for what, asked, measured in rows:
        print(f"| {what:<52} | {asked:<14} | {measured:<22} |")


async def _order(desk: TestDesk, writes: Callable[[], int]) -> tuple[float, float]:
    """Round trips and seconds of a filled order."""
    times, trips = [], []
    for number in range(60):
        await see(desk, market(PRICES))
        side = "buy" if number % 2 == 0 else "sell"
        before = writes()
        began = time.perf_counter()
        placed, _ = await desk.orders.place(order("XOM", side, 10))
        times.append(time.perf_counter() - began)
        trips.append(writes() - before)
        assert placed.status == "filled"
    return statistics.median(trips[20:]), statistics.median(times[20:])


async def _rest(desk: TestDesk) -> None:
    for _ in range(RESTING // 100):
        await see(desk, market(PRICES))
        resting = [desk.orders.place(order("AAPL", "buy", 1, order_type="limit", limit_price="95")) for _ in range(100)]
        await asyncio.gather(*resting)
    assert len(desk.writer.opened.orders) == RESTING


async def _fill(url: str, orders: int) -> None:
    connection = await asyncpg.connect(url)
    seq = await connection.fetchval("SELECT seq FROM venue.state")
    await connection.execute("TRUNCATE gateway.orders, gateway.fills, venue.orders, venue.executions, venue.positions")
    await connection.execute("DELETE FROM gateway.positions")
    await connection.execute(_FILLED, MONDAY, orders, timeout=600)
    await connection.execute(_VENUE_ORDERS, timeout=600)
    await connection.execute(_EXECUTIONS, timeout=600)
    await connection.execute(_FILLS, timeout=600)
    await connection.execute("UPDATE gateway.account SET booked_seq = greatest($1::bigint, $2::bigint)", orders, seq)
    await connection.execute("VACUUM ANALYZE", timeout=600)
    await connection.close()


async def _fill_all(desk: TestDesk) -> None:
    """A state of the market at which every resting order fills, until the last fill is booked."""
    await desk.see(market({**PRICES, "AAPL": 90}))
    await until(lambda: not desk.writer.opened.orders, "every order is filled")


async def _newest(desk: TestDesk) -> None:
    async with desk.database.snapshot() as connection:
        assert len(await ledger.find_orders(connection, limit=100)) == 100


async def _median(times: int, work: Callable[[], Awaitable[object]]) -> float:
    return statistics.median([await _timed(work) for _ in range(times)])


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
