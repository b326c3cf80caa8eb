"""PostgreSQL's data folder is made once, whole or not at all."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from infra.failure import Failure
from infra.local import postgres
from tests import servers

pytestmark = pytest.mark.server


def asked(dsn: str, query: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_what_was_stored_is_there_when_the_same_folder_is_used_again() -> None:
    with servers.folder() as place:
        with servers.postgres_server(place) as server:
            asked(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        with servers.postgres_server(place) as server:
            assert asked(server.url, "SELECT answer FROM kept") == 42


def test_a_server_that_was_killed_does_not_keep_the_next_from_starting() -> None:
    with servers.folder() as place:
        with servers.postgres_server(place) as server:
            server.kill()
        with servers.postgres_server(place) as server:
            assert asked(server.url, "SELECT current_database()") == "trading"


def test_every_transaction_reaches_the_disk_and_no_port_is_open() -> None:
    with servers.folder() as place, servers.postgres_server(place) as server:
        assert asked(server.url, "SHOW fsync") == "on"
        assert asked(server.url, "SHOW synchronous_commit") == "on"
        assert asked(server.url, "SHOW listen_addresses") == ""


def test_a_folder_that_was_made_half_way_is_made_anew() -> None:
    with servers.folder() as place:
        half = place / "postgres.new"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")

        postgres.prepare(place / "postgres", place / "sockets")

        assert (place / "postgres" / "global" / "pg_control").exists()
        assert not half.exists()


def test_a_database_that_cannot_be_made_is_said_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with servers.folder() as place:
        postgres.prepare(place / "made", place / "sockets")  # as root, also the user it runs as
        initdb = place / "initdb"
        initdb.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
        initdb.chmod(0o755)
        monkeypatch.setattr(postgres, "binaries", lambda: place)

        with pytest.raises(Failure, match=r"data folder could not be made(.|\n)*no space left"):
            postgres._initialise(place / "postgres")
