"""Stores the runs in PostgreSQL, so that after a restart a session with a successful run gets no other run."""

from __future__ import annotations

import datetime as dt

from apps.database import Database
from apps.vocabulary import RunResult

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS orchestrator;
CREATE TABLE IF NOT EXISTS orchestrator.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trading_date date NOT NULL,
    result text,
    orders int,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE INDEX IF NOT EXISTS runs_by_date ON orchestrator.runs (trading_date);
"""


async def is_done(database: Database, trading_date: dt.date) -> bool:
    """Whether a run of that trading date has succeeded."""
    async with database.connection() as connection:
        return bool(
            await connection.fetchval(
                "SELECT true FROM orchestrator.runs WHERE trading_date = $1 AND result = $2 LIMIT 1",
                trading_date,
                RunResult.SUCCESS,
            )
        )


async def start_run(database: Database, trading_date: dt.date) -> int:
    """Stores a new run and returns its number."""
    async with database.connection() as connection:
        return int(
            await connection.fetchval(
                "INSERT INTO orchestrator.runs (trading_date) VALUES ($1) RETURNING id", trading_date
            )
        )


async def end_run(database: Database, run: int, result: RunResult, orders: int) -> None:
    """Stores how the run ended and how many of its orders were accepted."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE orchestrator.runs SET result = $2, orders = $3, ended_at = now() WHERE id = $1", run, result, orders
        )


async def last_runs(database: Database, limit: int) -> list[dict[str, object]]:
    """The last runs, newest first."""
    async with database.connection() as connection:
        return [
            dict(r) for r in await connection.fetch("SELECT * FROM orchestrator.runs ORDER BY id DESC LIMIT $1", limit)
        ]
