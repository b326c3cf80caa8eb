"""Trips the circuit breaker from the command line, also while the gateway hangs."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable
from functools import partial

import asyncpg

from apps import paper_venue
from apps.background import AWAY, described
from apps.database import Database, OtherSchema
from apps.execution_gateway import commands
from apps.execution_gateway.schema import NUMBER, SCHEMA
from apps.execution_gateway.settings import Settings
from apps.execution_gateway.writer import Writer
from apps.inputs import in_sight
from apps.settings import load

SECONDS = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line. Returns 0 if the trip is stored and the venue is halted, otherwise 1."""
    parser = argparse.ArgumentParser(
        prog="python -m apps.execution_gateway",
        description="Works on PostgreSQL and the venue directly: use it when the gateway does not answer.",
        epilog="The settings are those of the gateway, above all DATABASE_URL.",
    )
    trip = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "trip", help="trips the circuit breaker and halts the venue", description="Trips the breaker, halts the venue."
    )
    trip.add_argument("--reason", required=True, help="why, for those who read it later")
    trip.add_argument("--by", required=True, help="who you are")
    given = parser.parse_args(arguments)
    try:
        return asyncio.run(_trip(load(Settings), in_sight(given.reason), in_sight(given.by)))
    except KeyboardInterrupt:
        return 130


async def _trip(settings: Settings, reason: str, by: str) -> int:
    tables = SCHEMA + paper_venue.SCHEMA
    database = Database(settings.database_url, tables, number=("gateway", NUMBER), name="trip")
    venue = paper_venue.PaperVenue(database, settings)
    try:
        async with asyncio.timeout(SECONDS):
            await database.open()
    except (OtherSchema, TimeoutError) as error:
        print(f"Nothing is tripped: {error if str(error) else 'PostgreSQL does not answer'}.", file=sys.stderr)
        return 1
    # Both at once, because each alone stops orders that add risk, and one may have to wait.
    stored, halted = await asyncio.gather(
        _within("The trip is not stored", _store(database, settings, reason, by)),
        _within("The venue is not halted", venue.halt()),
    )
    if stored:
        print("The circuit breaker is TRIPPED. The gateway notices it within a second, or when it works again.")
    if halted:
        print("The venue is halted: it fills only what reduces a position.")
    await database.close()
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
    except (*AWAY, asyncpg.PostgresError, ValueError) as error:
        print(f"{failure}: {described(error)}.", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
