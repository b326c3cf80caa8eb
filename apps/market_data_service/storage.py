"""Stores the position of the replay in PostgreSQL, so that it continues there after a restart."""

from __future__ import annotations

import logging

import asyncpg

from apps.database import Database, Unusable
from apps.market_data_service.replay import Replay, ReplayPoint

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS market_data;
CREATE TABLE IF NOT EXISTS market_data.replay (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    file text NOT NULL,
    start date NOT NULL,
    trading_date date NOT NULL,
    seconds double precision NOT NULL,
    last_tick double precision NOT NULL
);
-- The hash of the closes. Data of an earlier version have none until they are read once.
ALTER TABLE market_data.replay ADD COLUMN IF NOT EXISTS closes text;
-- The length of a day in which `seconds` are counted. Data of an earlier version have none until they are read once.
ALTER TABLE market_data.replay ADD COLUMN IF NOT EXISTS day_seconds double precision;
"""


class MadeWithOtherData(Unusable):
    """The stored point belongs to another replay."""


async def load(database: Database, file: str, replay: Replay) -> ReplayPoint:
    """The stored point, or the first one. Raises `MadeWithOtherData` if the stored point is of another replay.

    If a day had another length, the point is at the same part of its day: see `Replay.same_moment`.
    """
    digest = replay.closes.digest
    async with database.transaction() as connection:
        row = await connection.fetchrow(
            "SELECT file, start, trading_date, seconds, last_tick, closes, day_seconds FROM market_data.replay"
        )
        if row is None:
            point = replay.first()
            await connection.execute(
                "INSERT INTO market_data.replay (file, start, trading_date, seconds, last_tick, closes, day_seconds)"
                " VALUES ($1, $2, $3, 0, 0, $4, $5)",
                file,
                replay.start,
                point.trading_date,
                digest,
                replay.day_seconds,
            )
            return point
        _check(row, file, digest, replay)
        seconds = _seconds(row, replay)
        # With the point, so that no later start counts these seconds in a day of another length.
        await connection.execute(
            "UPDATE market_data.replay SET closes = $1, seconds = $2, day_seconds = $3",
            digest,
            seconds,
            replay.day_seconds,
        )
    return ReplayPoint(row["trading_date"], seconds, row["last_tick"])


def _seconds(row: asyncpg.Record, replay: Replay) -> float:
    """The seconds since the open in a day of this replay."""
    before: float = row["seconds"]
    # Data without a length: their day was at least as long as it had lasted.
    length = max(replay.day_seconds, before) if row["day_seconds"] is None else row["day_seconds"]
    seconds = replay.same_moment(before, length)
    if length != replay.day_seconds:
        logger.warning(
            "a day had %g s and has %g s now (REPLAY_DAY_SECONDS): the replay continues at the same part of %s, "
            "%.1f s after the open instead of %.1f s",
            length,
            replay.day_seconds,
            row["trading_date"],
            seconds,
            before,
        )
    return seconds


def _check(row: asyncpg.Record, file: str, digest: str, replay: Replay) -> None:
    if (row["file"], row["start"]) != (file, replay.start):
        raise MadeWithOtherData(
            f"the data folder was made with REPLAY_FILE={row['file']} REPLAY_START={row['start']}, "
            f"now they are {file} and {replay.start}: set them back, or run `make clean-data`"
        )
    if row["closes"] not in (None, digest) or not replay.has(row["trading_date"]):
        raise MadeWithOtherData(
            f"REPLAY_FILE={file} has other closes than those that the data folder was made with: "
            "put the earlier file back, or run `make clean-data`"
        )
    if not replay.start <= row["trading_date"] <= replay.end:
        raise MadeWithOtherData(
            f"the replay is at {row['trading_date']}, past REPLAY_END={replay.end}: "
            "set it later, or run `make clean-data`"
        )


async def store(database: Database, point: ReplayPoint) -> None:
    """Stores the point."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE market_data.replay SET trading_date = $1, seconds = $2, last_tick = $3",
            point.trading_date,
            point.seconds,
            point.last_tick,
        )
