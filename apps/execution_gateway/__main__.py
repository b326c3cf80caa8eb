"""Trips the circuit breaker from the command line, also while the gateway hangs."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable
from functools import partial

import asyncpg

from apps.background import AWAY, described
from apps.database import Database, NoTables, Unusable
from apps.execution_gateway import commands
from apps.execution_gateway.schema import NUMBER
from apps.execution_gateway.settings import Settings
from apps.execution_gateway.writer import Writer
from apps.inputs import in_sight
from apps.paper_venue import PaperVenue
from apps.settings import DatabaseSettings, load

SECONDS = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line. Returns 0 if the trip is stored and the venue is halted, otherwise 1."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.execution_gateway",
        description="Works on PostgreSQL and the venue directly: use it when the gateway does not answer.",
        epilog="It reads one setting, DATABASE_URL, which is that of the gateway.",
    )
    trip = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "trip", help="trips the circuit breaker and halts the venue", description="Trips the breaker, halts the venue."
    )
    trip.add_argument("--reason", required=True, help="why, for those who read it later")
    trip.add_argument("--by", required=True, help="who you are")
    given = parser.parse_args(arguments)
    try:
        return asyncio.run(_trip(load(DatabaseSettings).database_url, in_sight(given.reason), in_sight(given.by)))
    except KeyboardInterrupt:
        return 130


async def _trip(address: str, reason: str, by: str) -> int:
    # Without a schema: in the wrong database it must create nothing, and trip nothing that no gateway reads.
    database = Database(address, None, number=("gateway", NUMBER), name="trip")
    try:
        async with asyncio.timeout(SECONDS):
            await database.open()
            settings = await _settings(database)
        return await _trip_and_halt(database, settings, reason, by)
    except NoTables as error:
        problem = f"this database has no gateway ({error}). Check DATABASE_URL"
    except TimeoutError:
        problem = "PostgreSQL does not answer"
    except Unusable as error:
        problem = str(error)
    except (*AWAY, asyncpg.PostgresError) as error:
        problem = described(error)
    finally:
        await database.close()
    print(f"Nothing is tripped: {problem}.", file=sys.stderr)
    return 1


async def _settings(database: Database) -> Settings:
    """What a trip needs to know of the gateway. Raises `NoTables` if this database has none.

    The environment is not read for it: a wrong limit that keeps the gateway from starting must not keep this from
    working. What is stored depends on no limit, and the cash that the account began with is in PostgreSQL.
    """
    async with database.connection() as connection:
        for table in ("gateway.account", "venue.state"):
            if await connection.fetchval("SELECT to_regclass($1) IS NULL", table):
                raise NoTables(f"it has no table {table}")
        cash = await connection.fetchval("SELECT initial_cash FROM gateway.account CROSS JOIN venue.state")
    if cash is None:
        raise NoTables("it has no account, or no venue")
    return Settings.model_construct(initial_cash=cash)


async def _trip_and_halt(database: Database, settings: Settings, reason: str, by: str) -> int:
    venue = PaperVenue(database, settings)
    # Both at once, because each alone stops orders that add risk, and one may have to wait.
    stored, halted = await asyncio.gather(
        _within("The trip is not stored", _store(database, settings, reason, by)),
        _within("The venue is not halted", venue.halt()),
    )
    if stored:
        print("The circuit breaker is TRIPPED. The gateway notices it within a second, or when it works again.")
    if halted:
        print("The venue is halted: it fills only what reduces a position.")
    return 0 if stored and halted else 1


async def _store(database: Database, settings: Settings, reason: str, by: str) -> None:
    writer = Writer(database, settings)
    asked = writer.ask(partial(commands.trip, reason=reason, by=by, at=time.time()))
    while not asked.done.done():
        try:
            await writer.work()
        except AWAY as error:  # somebody may hold a lock: until the time is over it is tried again
            print(f"PostgreSQL: {described(error)}. Trying again ...", file=sys.stderr)
            await asyncio.sleep(0.2)
    asked.done.result()


async def _within(failure: str, work: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(SECONDS):
            await work
    except (*AWAY, asyncpg.PostgresError, Unusable, ValueError) as error:
        print(f"{failure}: {described(error)}.", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
