"""What the desk promises, whatever happens, and whatever happens in the middle of something else.

Hypothesis plays clients, the market, a person and the network. After each step the books are held against each other
and against a computation of their own.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from apps import paper_venue
from apps.catalogue import orders_total, risk_added_while_tripped_total
from apps.database import Database
from apps.execution_gateway import commands, ledger
from apps.execution_gateway.desk import Desk
from apps.execution_gateway.draft import waiting
from apps.execution_gateway.errors import OrderError
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.valuation import value
from apps.execution_gateway.writer import Writer
from apps.vocabulary import Cancellation
from tests.apps.execution_gateway.conftest import TestDesk, opened, order, see, settled
from tests.apps.execution_gateway.interleaving import Stage, at_statement
from tests.apps.markets import MONDAY, market
from tests.servers import Server

pytestmark = pytest.mark.server

STEPS = int(os.environ.get("STEPS", "200"))
"""How many steps each machine does."""
EMPTY = (
    "TRUNCATE gateway.account, gateway.orders, gateway.fills, gateway.positions, gateway.breaker_changes,"
    " gateway.high_water_mark_resets, gateway.executions_set_aside, venue.orders, venue.executions, venue.positions;"
    " UPDATE venue.state SET version = version + 1, seq = 0, halted = false, trading_date = NULL"
)
OPERATIONS = ("tick", "buy", "sell", "limit", "cancel", "trip", "reset", "close", "open", "reconcile", "elsewhere")
PRICES = {"AAPL": 100.0, "MSFT": 200.0, "XOM": 50.0}


class Machine(RuleBasedStateMachine):
    """A desk with its real database and venue. Prices move in the second machine only."""

    url = ""
    moves = False

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.desk: TestDesk
        self.stage: Stage
        self.prices = dict(PRICES)
        self.day, self.open = 0, True
        self.ids: list[UUID] = []
        self.counted: Counter[str] = Counter()
        self.risk_added = risk_added_while_tripped_total.values().get((), 0)
        self.do(self._start(empty=True))

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    async def _start(self, *, empty: bool = False) -> None:
        self.stage = Stage(self.url, SCHEMA + paper_venue.SCHEMA, number=("gateway", NUMBER), timeout=2)
        if empty:
            await self.stage.open()
            async with self.stage.connection() as connection:
                await connection.execute(EMPTY)
        connection = await asyncpg.connect(self.url)
        # What an earlier life of the process knew is not counted in this one.
        known = await _rows(connection)
        self.counted = Counter({key: _counters()[key] - known[key] for key in _KEYS})
        await connection.close()
        self.desk = await self.stack.enter_async_context(opened(self.url, self.stage, max_shares_per_tick=100))
        await self._see()

    async def _see(self) -> None:
        date = MONDAY + dt.timedelta(self.day)
        await see(self.desk, market(self.prices, date=date, is_open=self.open, previous=PRICES))

    async def operation(self, what: str, qty: int) -> None:
        """One operation of somebody. An error that is said is fine, as long as what it says is true."""
        with suppress(OrderError):
            await getattr(self, f"_{what}")(qty)

    async def _tick(self, _: int) -> None:
        await self._see()

    async def _close(self, _: int) -> None:
        self.open = False
        await self._see()

    async def _open(self, _: int) -> None:
        self.day, self.open = self.day + (not self.open), True
        await self._see()

    async def _buy(self, qty: int) -> None:
        self.ids.append((await self.desk.orders.place(order("AAPL", "buy", qty)))[0].id)

    async def _sell(self, qty: int) -> None:
        self.ids.append((await self.desk.orders.place(order("AAPL", "sell", qty)))[0].id)

    async def _limit(self, qty: int) -> None:
        """Rests, or is marketable, by whether the quantity is odd."""
        price = str(round(self.prices["AAPL"] * (0.99 if qty % 2 else 1.01), 2))
        wanted = order("AAPL", "buy" if qty % 3 else "sell", qty, order_type="limit", limit_price=price)
        self.ids.append((await self.desk.orders.place(wanted))[0].id)

    async def _cancel(self, number: int) -> None:
        if self.ids:
            await self.desk.orders.cancel(self.ids[-1 - number % len(self.ids)], Cancellation.CLIENT)

    async def _trip(self, _: int) -> None:
        await self.desk.switch.trip("a test", "me")

    async def _reset(self, _: int) -> None:
        await self.desk.switch.reset("a test", "me")

    async def _reconcile(self, _: int) -> None:
        await self.desk.reconciliation.run()

    async def _elsewhere(self, _: int) -> None:
        """Another process, such as the command line, trips the breaker."""
        database = Database(self.url, SCHEMA + paper_venue.SCHEMA)
        await database.open()
        writer = Writer(database, self.desk.settings)
        writer.ask(partial(commands.trip, reason="elsewhere", by="me", at=time.time()))
        await writer.work()
        await database.close()

    @rule(first=st.sampled_from(OPERATIONS), then=st.sampled_from(OPERATIONS), n=st.integers(1, 400),
          m=st.integers(1, 400), k=st.integers(1, 20))  # fmt: skip
    def one_in_the_middle_of_another(self, first: str, then: str, n: int, m: int, k: int) -> None:
        async def both() -> None:
            self.stage.hook, tasks = at_statement(k, lambda: self.operation(then, m))
            await self.operation(first, n)
            self.stage.hook = None
            await asyncio.gather(*tasks)

        self.do(both())

    @rule(what=st.sampled_from(OPERATIONS), n=st.integers(1, 400), k=st.integers(1, 20))
    def a_connection_that_breaks_before_a_statement(self, what: str, n: int, k: int) -> None:
        async def breaks() -> None:
            raise ConnectionResetError("broken")

        async def go() -> None:
            seen = 0

            async def hook() -> None:
                nonlocal seen
                seen += 1
                if seen == k:
                    await breaks()

            self.stage.hook = hook
            await self._survive(self.operation(what, n))
            self.stage.hook = None

        self.do(go())

    @rule(what=st.sampled_from(OPERATIONS), n=st.integers(1, 400), lost=st.integers(1, 3))
    def answers_of_commits_that_are_lost(self, what: str, n: int, lost: int) -> None:
        async def go() -> None:
            self.stage.lost_commits = lost
            await self._survive(self.operation(what, n))
            self.stage.lost_commits = 0

        self.do(go())

    @rule(what=st.sampled_from(OPERATIONS), n=st.integers(1, 400), k=st.integers(1, 20))
    def a_crash_in_the_middle(self, what: str, n: int, k: int) -> None:
        async def go() -> None:
            reached = asyncio.Event()
            seen = 0

            async def hook() -> None:
                nonlocal seen
                seen += 1
                if seen >= k:
                    reached.set()
                    await asyncio.Event().wait()

            self.stage.hook = hook
            work = asyncio.create_task(self.operation(what, n))
            waiting_for = asyncio.create_task(reached.wait())
            await asyncio.wait([work, waiting_for], return_when=asyncio.FIRST_COMPLETED)
            for task in (work, waiting_for):
                task.cancel()
            await asyncio.gather(work, waiting_for, return_exceptions=True)
            await self.stack.aclose()
            await self._start()

        self.do(go())

    async def _survive(self, operation: Any) -> None:
        try:
            await operation
        except OSError:  # the operation itself met the broken connection, as a duty would: it is repeated
            self.stage.hook, self.stage.lost_commits = None, 0
            await self._see()

    @rule(symbol=st.sampled_from(sorted(PRICES)), by=st.sampled_from((0.97, 0.99, 1.01, 1.03)))
    def a_price_moves(self, symbol: str, by: float) -> None:
        if self.moves:
            self.prices[symbol] = round(self.prices[symbol] * by, 2)
        self.do(self._see())

    @invariant()
    def the_books_agree(self) -> None:
        if hasattr(self, "desk"):
            self.do(self._hold())

    async def _hold(self) -> None:
        self.stage.hook, self.stage.lost_commits = None, 0
        await settled(self.desk)
        await self.desk.switch.read()  # as it does every second: somebody else may have written
        await settled(self.desk)
        await self.desk.dispatch.fetch()
        await settled(self.desk)
        book = self.desk.writer.opened
        async with self.stage.snapshot() as connection:
            fills = await connection.fetch(
                "SELECT f.*, o.trading_date AS good_for FROM gateway.fills f JOIN gateway.orders o ON o.id = order_id"
            )
            executions = await connection.fetch("SELECT * FROM venue.executions ORDER BY seq")
            account = await connection.fetchrow("SELECT * FROM gateway.account")
            positions = await ledger.read_shares(connection)
            overfilled = await connection.fetchval("SELECT count(*) FROM gateway.orders WHERE filled_qty > qty")
            pending = await connection.fetchval("SELECT count(*) FROM gateway.orders WHERE status = 'pending'")
            outlived = await ledger.count_outlived(connection)
            rows = await _rows(connection)
        assert account is not None
        # No fill is lost and none is booked twice.
        assert [f["venue_seq"] for f in sorted(fills, key=lambda f: f["venue_seq"])] == [e["seq"] for e in executions]
        assert [e["seq"] for e in executions] == list(range(1, len(executions) + 1))
        held, cash = _recomputed(executions)
        assert positions == held == await self.desk.broker.shares()
        assert account["cash"] == cash == book.cash
        assert {s: p.shares for s, p in book.positions.items()} == held
        assert (book.set_aside, overfilled, pending, outlived) == (0, 0, 0, 0)
        assert book.version == account["version"]
        assert book.waiting == waiting(book.orders, self.desk.settings)
        assert book.cash - book.waiting.cash >= 0
        assert all(shares >= 0 for shares in held.values())
        # Day orders are for their day.
        assert all(f["trading_date"] == f["good_for"] for f in fills)
        # What a halt covers adds no risk.
        assert risk_added_while_tripped_total.values().get((), 0) == self.risk_added
        if book.tripped:
            before, _ = _recomputed([e for e in executions if e["seq"] <= account["halt_began_at"]])
            for e in executions[account["halt_began_at"] :]:
                after = before.get(e["symbol"], 0) + (e["qty"] if e["side"] == "buy" else -e["qty"])
                assert abs(after) <= abs(before.get(e["symbol"], 0)), e
                before[e["symbol"]] = after
        # Each outcome is counted once.
        assert {key: _counters()[key] - self.counted[key] for key in _KEYS} == {key: rows[key] for key in _KEYS}
        self._hold_money(self.desk, cash, held)

    def _hold_money(self, desk: Desk, cash: Decimal, held: dict[str, int]) -> None:
        valuation, today, book = desk.valuation, desk.pnl.today, desk.writer.opened
        assert valuation is not None
        assert today is not None
        assert valuation.book is book
        equity = cash + sum((Decimal(str(self.prices[s])) * n for s, n in held.items()), Decimal(0))
        assert valuation.equity == equity
        assert abs(valuation.total - (equity - book.initial_cash)) < Decimal("0.01")
        assert desk.market is not None
        assert value(book, desk.market).equity == equity
        start = book.start_of_day_equity
        assert start is not None
        assert book.daily_loss_ratio >= (start - equity) / start
        assert book.high_water_mark >= equity
        if not self.moves:  # at constant prices, nothing is ever won or lost
            assert equity == start == book.high_water_mark == 1_000_000
            assert book.daily_loss_ratio == 0
        assert (book.daily_loss_ratio > desk.settings.daily_loss_limit) <= (book.loss_tripped_on == book.trading_date)

    def teardown(self) -> None:
        self.do(self.stack.aclose())
        self.runner.close()


class MovingPrices(Machine):
    """The same, with prices that move."""

    moves = True


_KEYS = ("success", "rejected", "failed")


def _counters() -> Counter[str]:
    counted: Counter[str] = Counter()
    for (_, _, status), amount in orders_total.values().items():
        counted[status] += int(amount)
    return counted


async def _rows(connection: Any) -> Counter[str]:
    rows = await connection.fetch(
        "SELECT CASE WHEN status IN ('rejected', 'failed') THEN status ELSE 'success' END AS status, count(*) AS n"
        " FROM gateway.orders WHERE status <> 'pending' GROUP BY 1"
    )
    return Counter({row["status"]: row["n"] for row in rows})


def _recomputed(executions: Any) -> tuple[dict[str, int], Decimal]:
    """Shares and cash, from nothing but the venue's executions."""
    held: Counter[str] = Counter()
    cash = Decimal(1_000_000)
    for e in executions:
        sign = 1 if e["side"] == "buy" else -1
        held[e["symbol"]] += sign * e["qty"]
        cash -= sign * e["qty"] * e["price"] + e["fee"]
    return {symbol: shares for symbol, shares in held.items() if shares}, cash


@pytest.mark.parametrize("kind", [Machine, MovingPrices], ids=["constant prices", "moving prices"])
@pytest.mark.timeout(80 + STEPS)
def test_the_books_agree_whatever_happens_in_the_middle_of_what(
    servers: tuple[Server, Server], kind: type[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "url", servers[0].url)

    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=max(1, STEPS // 25),
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink) if os.environ.get("SHRINK") else (Phase.generate,),
            report_multiple_bugs=False,
        ),
    )
