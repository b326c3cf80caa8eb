"""Stores previous closes, which momentum needs, and the last targets of each trading date in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal

from apps.database import Database

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS signals;
CREATE TABLE IF NOT EXISTS signals.previous_closes (
    trading_date date,
    symbol text,
    close numeric NOT NULL,
    PRIMARY KEY (trading_date, symbol)
);
CREATE TABLE IF NOT EXISTS signals.targets (
    trading_date date PRIMARY KEY,
    strategy text NOT NULL,
    weights jsonb NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
"""


async def store_closes(database: Database, trading_date: dt.date, closes: Mapping[str, Decimal]) -> None:
    """Stores the previous closes of a trading date in place of earlier ones."""
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO signals.previous_closes VALUES ($1, $2, $3)"
            " ON CONFLICT (trading_date, symbol) DO UPDATE SET close = $3",
            [(trading_date, symbol, close) for symbol, close in closes.items()],
        )


async def closes_before(database: Database, trading_date: dt.date, days: int) -> dict[str, Decimal]:
    """The previous closes of the earliest stored date among the last `days` trading dates."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT symbol, close FROM signals.previous_closes WHERE trading_date = ("
            " SELECT min(trading_date) FROM (SELECT DISTINCT trading_date FROM signals.previous_closes"
            "  WHERE trading_date <= $1 ORDER BY trading_date DESC LIMIT $2) AS last_days)",
            trading_date,
            days,
        )
    return {row["symbol"]: row["close"] for row in rows}


async def store_targets(
    database: Database, trading_date: dt.date, strategy: str, weights: Mapping[str, Decimal]
) -> None:
    """Stores the targets of a trading date in place of earlier ones."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO signals.targets (trading_date, strategy, weights) VALUES ($1, $2, $3)"
            " ON CONFLICT (trading_date) DO UPDATE SET strategy = $2, weights = $3, made_at = now()",
            trading_date,
            strategy,
            json.dumps({symbol: str(weight) for symbol, weight in weights.items()}),
        )
