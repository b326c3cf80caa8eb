"""Signals are made at the open and then every few seconds, stored, and counted."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from apps.catalogue import (
    market_states_refused_total,
    signal_generation_duration_seconds,
    signal_generation_failures_total,
    signals_generated_total,
    signals_last_generated_timestamp_seconds,
    target_weight_ratio,
)
from apps.database import Database
from apps.labels import SignalFailureLabels, SignalLabels, StateRefusalLabels, StrategyLabels, SymbolLabels
from apps.signal_service.settings import Settings
from apps.signal_service.signals import Signals
from apps.signal_service.storage import SCHEMA
from apps.vocabulary import Direction, SignalFailure, StateRefusal, Strategy
from telemetry.testing import Recorded
from tests.apps.markets import MONDAY, TUESDAY, market


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SCHEMA)
    await opened.open()
    yield opened
    await opened.close()


class Session:
    """The trading date of the market data service, which a test sets. None: it does not answer."""

    def __init__(self, date: dt.date | None = MONDAY) -> None:
        self.date = date
        self.asked = 0

    async def trading_date(self) -> dt.date:
        self.asked += 1
        if self.date is None:
            raise httpx.ConnectError("refused")
        return self.date


def signals(database: Database, session: Session | None = None, **settings: Any) -> Signals:
    return Signals(Settings(**settings), database, (session or Session()).trading_date)


async def test_targets_are_made_and_stored_and_in_the_metrics(database: Database, recorded: Recorded) -> None:
    made = signals(database)

    await made.make(market({"AAPL": 100, "MSFT": 200}))

    assert made.targets is not None
    assert (made.targets.trading_date, made.targets.strategy) == (MONDAY, Strategy.EQUAL_WEIGHT)
    assert made.targets.weights == {"AAPL": Decimal("0.5"), "MSFT": Decimal("0.5")}
    assert made.targets.made_at == pytest.approx(time.time(), abs=5)
    assert recorded(target_weight_ratio, SymbolLabels(symbol="AAPL")) == 0.5
    assert recorded(signals_generated_total, SignalLabels(symbol="MSFT", direction=Direction.LONG)) == 1
    assert recorded(signals_last_generated_timestamp_seconds) == made.targets.made_at
    assert recorded(signal_generation_duration_seconds, StrategyLabels(strategy=Strategy.EQUAL_WEIGHT)) == 1
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT trading_date, strategy, weights FROM signals.targets")
    assert row is not None
    assert (row["trading_date"], row["strategy"]) == (MONDAY, "equal_weight")
    assert json.loads(row["weights"]) == {"AAPL": "0.5", "MSFT": "0.5"}


async def test_a_state_that_is_old_makes_no_signals(database: Database) -> None:
    made = signals(database)

    await made.see(market({"AAPL": 100}, age=6))
    assert made.targets is None

    await made.see(market({"AAPL": 100}, age=4))
    assert made.targets is not None


async def test_signals_are_made_at_the_open_and_every_few_seconds_but_not_while_the_market_is_closed(
    database: Database, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1000.0
    monkeypatch.setattr("apps.signal_service.signals.time.monotonic", lambda: moment)
    session = Session()
    made = signals(database, session, signal_seconds=20)

    def count() -> float:
        return recorded(signals_generated_total, SignalLabels(symbol="AAPL", direction=Direction.LONG)) or 0

    await made.see(market({"AAPL": 100}, is_open=False))
    assert count() == 0
    await made.see(market({"AAPL": 100}))
    await made.see(market({"AAPL": 101}))
    assert count() == 1
    session.date = TUESDAY
    await made.see(market({"AAPL": 101}, date=TUESDAY))
    assert count() == 2
    moment += 20
    await made.see(market({"AAPL": 101}, date=TUESDAY))
    assert count() == 3


async def test_momentum_looks_back_over_the_stored_closes(database: Database, recorded: Recorded) -> None:
    made = signals(database, strategy="momentum", momentum_days=2)
    # (date, its previous closes, its prices). Two dates back from Wednesday are the previous closes of Tuesday.
    for number, (before, now) in enumerate([((100, 100), (90, 110)), ((90, 110), (95, 111)), ((95, 111), (96, 110))]):
        date = MONDAY + dt.timedelta(days=number)
        previous = dict(zip(("AAPL", "MSFT"), before, strict=True))
        await made.make(market(dict(zip(("AAPL", "MSFT"), now, strict=True)), date=date, previous=previous))

    assert made.targets is not None
    assert made.targets.weights == {"AAPL": 1, "MSFT": 0}
    assert recorded(signals_generated_total, SignalLabels(symbol="AAPL", direction=Direction.LONG)) == 1
    assert recorded(signals_generated_total, SignalLabels(symbol="AAPL", direction=Direction.FLAT)) == 2
    assert recorded(target_weight_ratio, SymbolLabels(symbol="MSFT")) == 0


async def test_a_symbol_that_is_no_longer_quoted_has_no_weight(database: Database, recorded: Recorded) -> None:
    made = signals(database)
    await made.make(market({"AAPL": 100, "GONE": 1}))

    await made.make(market({"AAPL": 100}))

    assert recorded(target_weight_ratio, SymbolLabels(symbol="AAPL")) == 1
    assert recorded(target_weight_ratio, SymbolLabels(symbol="GONE")) is None


async def test_without_quotes_there_are_no_signals_and_a_failure_is_counted(
    database: Database, recorded: Recorded
) -> None:
    made = signals(database)

    await made.see(market({}))

    assert made.targets is None
    assert recorded(signal_generation_failures_total, SignalFailureLabels(reason=SignalFailure.NO_QUOTES)) == 1


async def test_if_storing_fails_the_last_targets_stay_and_a_failure_is_counted(
    database: Database, recorded: Recorded
) -> None:
    session = Session()
    made = signals(database, session)
    await made.see(market({"AAPL": 100}))
    last = made.targets
    session.date = TUESDAY
    await database.close()

    await made.see(market({"AAPL": 100, "MSFT": 200}, date=TUESDAY))

    assert made.targets is last
    assert recorded(signal_generation_failures_total, SignalFailureLabels(reason=SignalFailure.STORAGE)) == 1
    assert recorded(target_weight_ratio, SymbolLabels(symbol="MSFT")) is None


AHEAD = dt.date(2031, 1, 1)


def targets(made: Signals) -> tuple[dt.date, set[str]] | None:
    last = made.targets
    return None if last is None else (last.trading_date, set(last.weights))


async def closes(database: Database) -> list[tuple[object, ...]]:
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.fetch("SELECT * FROM signals.previous_closes ORDER BY 1, 2")]


async def test_a_date_that_the_market_data_service_does_not_confirm_has_no_targets_and_no_closes(
    database: Database, recorded: Recorded
) -> None:
    session = Session()
    made = signals(database, session)

    for _ in range(3):
        await made.see(market({"FALSE": 1}, date=AHEAD))
    assert targets(made) is None
    assert await closes(database) == []
    assert recorded(market_states_refused_total, StateRefusalLabels(reason=StateRefusal.TRADING_DATE)) == 3

    await made.see(market({"AAPL": 100}))  # the true one is not put off
    await made.see(market({"FALSE": 1}, date=AHEAD))
    assert targets(made) == (MONDAY, {"AAPL"})
    assert await closes(database) == [(MONDAY, "AAPL", 100)]
    assert session.asked == 1


async def test_a_new_date_has_no_targets_while_the_market_data_service_does_not_answer_and_is_asked_for_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [100.0]
    monkeypatch.setattr("apps.session.time.monotonic", lambda: clock[0])
    session = Session(None)
    made = signals(database, session)

    for _ in range(3):
        await made.see(market({"AAPL": 100}))
        clock[0] += 0.4
    session.date = MONDAY
    assert (targets(made), session.asked) == (None, 1)
    [said] = caplog.records
    assert (said.levelname, said.exc_info) == ("WARNING", None)
    assert "nobody confirms the new trading date 2020-03-09: ConnectError: refused" in said.getMessage()

    await made.see(market({"AAPL": 100}))
    assert targets(made) == (MONDAY, {"AAPL"})
    assert session.asked == 2


async def test_closes_that_are_stored_again_replace_those_before(database: Database) -> None:
    await signals(database).make(market({"AAPL": 100}, previous={"AAPL": 1}))
    await signals(database).make(market({"AAPL": 100}, previous={"AAPL": 99}))

    assert await closes(database) == [(MONDAY, "AAPL", 99)]
