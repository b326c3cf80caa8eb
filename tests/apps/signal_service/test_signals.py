"""Signals are made at the open and then every few seconds, stored, and counted."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from apps.catalogue import (
    signal_generation_duration_seconds,
    signal_generation_failures_total,
    signals_generated_total,
    signals_last_generated_timestamp_seconds,
    target_weight_ratio,
)
from apps.database import Database
from apps.labels import SignalFailureLabels, SignalLabels, StrategyLabels, SymbolLabels
from apps.signal_service.settings import Settings
from apps.signal_service.signals import Signals
from apps.signal_service.storage import SCHEMA
from apps.vocabulary import Direction, SignalFailure, Strategy
from telemetry.testing import Recorded
from tests.apps.markets import MONDAY, TUESDAY, market


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, SCHEMA)
    await opened.open()
    yield opened
    await opened.close()


def signals(database: Database, **settings: Any) -> Signals:
    return Signals(Settings(**settings), database)


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
    made = signals(database, signal_seconds=20)

    def count() -> float:
        return recorded(signals_generated_total, SignalLabels(symbol="AAPL", direction=Direction.LONG)) or 0

    await made.see(market({"AAPL": 100}, is_open=False))
    assert count() == 0
    await made.see(market({"AAPL": 100}))
    await made.see(market({"AAPL": 101}))
    assert count() == 1
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
    made = signals(database)
    await made.see(market({"AAPL": 100}))
    last = made.targets
    await database.close()

    await made.see(market({"AAPL": 100, "MSFT": 200}, date=TUESDAY))

    assert made.targets is last
    assert recorded(signal_generation_failures_total, SignalFailureLabels(reason=SignalFailure.STORAGE)) == 1
    assert recorded(target_weight_ratio, SymbolLabels(symbol="MSFT")) is None
