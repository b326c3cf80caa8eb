"""The probes against real servers: what they say when a server dies, hangs, refuses or takes no writes, and is back."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
import redis.asyncio
from opentelemetry import trace

import telemetry
from apps.background import background
from telemetry import DatabaseProbe, RedisProbe, metering
from telemetry.catalogue import (
    DependencyLabels,
    database_connection_status,
    dependency_ping_duration_seconds,
    dependency_writable,
    redis_connection_status,
)
from telemetry.probes import KEY
from telemetry.testing import Recorded
from tests.servers import Server, folder, postgres_server, redis_running
from tests.telemetry.apart import apart
from tests.telemetry.service import values
from tests.telemetry.test_databases import Receiver
from tests.telemetry.test_exposition import parsed
from tests.waiting import wait_until

FLIP_SECONDS = 3.0
REDIS = DependencyLabels(dependency="redis")
DATABASE = DependencyLabels(dependency="database")

Shown = Callable[[], tuple[object, object]]


async def flips(shown: Shown, status: int, writable: int | None, since: str) -> None:
    """Waits until the status and whether it takes writes are shown. Raises when that is not so within 3 s."""
    started = time.monotonic()
    while shown() != (status, writable):
        assert time.monotonic() - started < FLIP_SECONDS, f"still {shown()}, {FLIP_SECONDS} s after {since}"
        await asyncio.sleep(0.02)


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Stops the server and all its processes, so that they hang until the block ends."""
    processes = [psutil.Process(server.process.pid)]
    processes += processes[0].children(recursive=True)
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@pytest.fixture(autouse=True)
def unknown() -> None:
    redis_connection_status.remove()
    database_connection_status.remove()
    dependency_writable.remove(REDIS)
    dependency_writable.remove(DATABASE)


@pytest.fixture
def of_redis(recorded: Recorded) -> Shown:
    return lambda: (recorded(redis_connection_status), recorded(dependency_writable, REDIS))


@pytest.fixture
def of_database(recorded: Recorded) -> Shown:
    return lambda: (recorded(database_connection_status), recorded(dependency_writable, DATABASE))


# --- a server that dies or hangs


@pytest.mark.server
async def test_redis_that_hangs_or_dies_is_down_within_three_seconds_and_up_again(
    of_redis: Shown, recorded: Recorded
) -> None:
    with folder() as place, redis_running(place) as server:
        probe = RedisProbe(server.url)
        async with background(probe.run()):
            await flips(of_redis, 1, 1, "the start")
            with stopped(server):
                await flips(of_redis, 0, None, "it hung")
            await flips(of_redis, 1, 1, "it went on")
            server.kill()
            await flips(of_redis, 0, None, "it was killed")
            with redis_running(place):
                await flips(of_redis, 1, 1, "it was back")
                assert probe.up is True
    assert (recorded(dependency_ping_duration_seconds, REDIS) or 0) >= 5
    assert recorded(dependency_ping_duration_seconds, DATABASE) == 0


@pytest.mark.server
async def test_postgresql_that_hangs_or_dies_is_down_within_three_seconds_and_up_again(
    of_database: Shown, recorded: Recorded
) -> None:
    with folder() as place, ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        async with background(DatabaseProbe(server.url).run()):
            await flips(of_database, 1, 1, "the start")
            with stopped(server):
                await flips(of_database, 0, None, "it hung")
            await flips(of_database, 1, 1, "it went on")
            server.pause()  # its backends go on working, and it makes no new one
            await flips(of_database, 0, None, "it took no connections")
            server.resume()
            await flips(of_database, 1, 1, "it took connections again")
            server.kill()
            await flips(of_database, 0, None, "it was killed")
            await asyncio.to_thread(stack.enter_context, postgres_server(place))
            await flips(of_database, 1, 1, "it was back")
    assert (recorded(dependency_ping_duration_seconds, DATABASE) or 0) >= 5


# --- a server that refuses, although older connections go on working


@pytest.mark.server
async def test_redis_that_refuses_new_connections_is_down_within_three_seconds_and_up_again(of_redis: Shown) -> None:
    with folder() as place, redis_running(place) as server:
        async with (
            redis.asyncio.from_url(server.url, single_connection_client=True) as older,
            background(RedisProbe(server.url).run()),
        ):
            await flips(of_redis, 1, 1, "the start")
            await older.config_set("requirepass", "hunter2")
            await flips(of_redis, 0, None, "it asked for a password")
            await older.config_set("requirepass", "")
            await flips(of_redis, 1, 1, "it asked for none")
            await older.config_set("maxclients", 1)
            await flips(of_redis, 0, None, "it had no connection left")
            await older.config_set("maxclients", 100)
            await flips(of_redis, 1, 1, "it had connections")


@pytest.mark.server
async def test_postgresql_that_refuses_new_connections_is_down_within_three_seconds_and_up_again(
    of_database: Shown,
) -> None:
    with folder() as place, ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        rules = place / "postgres" / "pg_hba.conf"
        trusting = rules.read_text()
        async with background(DatabaseProbe(server.url.replace("postgres@", "postgres:wrong@")).run()):
            await flips(of_database, 1, 1, "the start")
            rules.write_text("local all all scram-sha-256\n")
            server.process.send_signal(signal.SIGHUP)
            await flips(of_database, 0, None, "it asked for a password")
            rules.write_text(trusting)
            server.process.send_signal(signal.SIGHUP)
            await flips(of_database, 1, 1, "it asked for none")
            async with AsyncExitStack() as all_connections:
                await take_all(server.url, all_connections)
                await flips(of_database, 0, None, "it had no connection left")
            await flips(of_database, 1, 1, "it had connections")


async def take_all(dsn: str, connections: AsyncExitStack) -> None:
    """Connects until PostgreSQL has no connection left, not even when a probe has just given its own back."""
    refused = 0
    while refused < 10:
        try:
            connection = await asyncpg.connect(dsn)
        except asyncpg.TooManyConnectionsError:
            refused += 1
            await asyncio.sleep(0.01)
        else:
            connections.push_async_callback(connection.close)


# --- a server that answers and takes no writes


def fill(client: redis.Redis, _: Path) -> None:
    client.rpush("filling", *[bytes(10_000)] * 300)
    # 1 MB over the limit: just at the limit, Redis takes writes again when a client gives back its buffer.
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 1_000_000)


def follow(client: redis.Redis, _: Path) -> None:
    client.replicaof("127.0.0.1", "1")


def miss_replicas(client: redis.Redis, _: Path) -> None:
    client.config_set("min-replicas-to-write", 1)


def fail_to_save(client: redis.Redis, place: Path) -> None:
    gone = place / "gone"
    gone.mkdir()
    client.config_set("dir", str(gone))
    gone.rmdir()
    client.config_set("save", "3600 1000000")
    client.bgsave()
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", 5, "saving has failed")


@pytest.mark.server
@pytest.mark.parametrize(
    ("refuse", "undo", "code"),
    [
        (fill, lambda client: client.flushall(), "OOM"),
        (follow, lambda client: client.replicaof("NO", "ONE"), "READONLY"),
        (miss_replicas, lambda client: client.config_set("min-replicas-to-write", 0), "NOREPLICAS"),
        (fail_to_save, lambda client: client.config_set("save", ""), "MISCONF"),
    ],
    ids=["full", "a replica", "without its replicas", "cannot save"],
)
async def test_redis_that_answers_and_takes_no_writes_is_up_and_not_writable(
    of_redis: Shown,
    refuse: Callable[[redis.Redis, Path], None],
    undo: Callable[[redis.Redis], object],
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with folder() as place, redis_running(place) as server, redis.from_url(server.url) as client:
        async with background(RedisProbe(server.url).run()):
            await flips(of_redis, 1, 1, "the start")
            refuse(client, place)
            await flips(of_redis, 1, 0, "it took no writes")
            undo(client)
            await flips(of_redis, 1, 1, "it took writes again")

    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        f"redis answers but takes no writes: {code}"
    ]


@pytest.mark.server
async def test_postgresql_that_is_read_only_is_up_and_not_writable(
    of_database: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    with folder() as place, ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        async with background(DatabaseProbe(server.url).run()):
            await flips(of_database, 1, 1, "the start")
            for only in ("SYSTEM", "ROLE postgres", "DATABASE trading"):  # the last two are for new connections only
                await changed(server.url, f"ALTER {only} SET default_transaction_read_only = on")
                await flips(of_database, 1, 0, f"{only} was read-only")
                await changed(server.url, f"ALTER {only} RESET default_transaction_read_only")
                await flips(of_database, 1, 1, f"{only} took writes again")

    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "database answers but takes no writes: it is read-only"
    ] * 3


async def changed(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
    await connection.execute(statement)
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.mark.server
async def test_a_standby_is_up_and_not_writable_until_it_is_promoted(of_database: Shown) -> None:
    with folder() as place, ExitStack() as stack:
        primary = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        primary.kill()
        (place / "postgres" / "standby.signal").touch()
        server = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        async with background(DatabaseProbe(server.url).run()):
            await flips(of_database, 1, 0, "the start")
            connection = await asyncpg.connect(server.url)
            await connection.fetchval("SELECT pg_promote()")
            await connection.close()
            await flips(of_database, 1, 1, "it was promoted")


# --- what is not known


@pytest.mark.server
async def test_a_user_who_may_not_write_does_not_know_whether_others_may(
    of_redis: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    with folder() as place, redis_running(place) as server:
        async with redis.asyncio.from_url(server.url) as client:
            await client.config_set("maxmemory", 1)
            probe = RedisProbe(server.url.replace("unix://", "unix://reader:any@"))

            async def asked_as_one_who_may(*commands: str, keys: str) -> tuple[object, object]:
                await client.acl_setuser(
                    "reader", enabled=True, nopass=True, commands=list(commands), keys=[keys], reset=True
                )
                await probe.ask()
                return of_redis()

            assert await asked_as_one_who_may("+get", keys="*") == (1, None)
            assert await asked_as_one_who_may("+ping", "+setrange", keys="prices") == (1, None)
            assert await asked_as_one_who_may("+setrange", keys=KEY) == (1, 0)
            await client.config_set("maxmemory", 0)
            await probe.ask()
            assert of_redis() == (1, 1)

    assert [record.getMessage() for record in caplog.records] == [
        "redis answers; whether it takes writes is not known: NOPERM",
        "redis answers but takes no writes: OOM",
    ]


async def test_there_is_no_status_before_the_first_probe(of_redis: Shown) -> None:
    assert RedisProbe("unix:///nowhere/redis.sock").up is None
    assert of_redis() == (None, None)


@pytest.mark.server
async def test_there_is_no_status_when_nobody_asks_any_more(servers: tuple[Server, Server], of_redis: Shown) -> None:
    probe = RedisProbe(servers[1].url)
    async with background(probe.run()):
        await flips(of_redis, 1, 1, "the start")

    assert of_redis() == (None, None)
    assert probe.up is None


# --- what a probe leaves behind


@pytest.mark.server
async def test_a_probe_of_redis_changes_nothing_even_if_somebody_has_its_key(of_redis: Shown) -> None:
    with folder() as place, redis_running(place) as server:
        async with redis.asyncio.from_url(server.url) as client, client.pubsub() as events:
            await client.config_set("notify-keyspace-events", "KEA")
            await events.psubscribe("__key*")
            probe = RedisProbe(server.url)
            before = await client.info()
            await probe.ask()
            after = await client.info()
            assert await client.dbsize() == 0
            await client.set(KEY, "somebody's")
            await probe.ask()
            assert await client.get(KEY) == b"somebody's"
            await client.delete(KEY)
            await client.rpush(KEY, "a list")
            await probe.ask()
            said = [await events.get_message(timeout=0.2) for _ in range(9)]

            assert after["rdb_changes_since_last_save"] == before["rdb_changes_since_last_save"]
            assert after.get("errorstat_ERR") == before.get("errorstat_ERR")  # those of this test's own clients
            assert after["total_connections_received"] - before["total_connections_received"] == 1
            assert [c["addr"] for c in await client.client_list() if c["cmd"] == "setrange"] == []
            assert [m["data"] for m in said if m and m["channel"].startswith(b"__keyevent")] == [
                b"telemetry:probe"
            ] * 3  # the SET, DEL and RPUSH of this test
            assert of_redis() == (1, None)  # WRONGTYPE says nothing about other writes


@pytest.mark.server
async def test_a_probe_of_postgresql_leaves_no_transaction_and_no_session(of_database: Shown) -> None:
    numbers = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
    abandoned = "SELECT sessions_abandoned FROM pg_stat_database WHERE datname = 'trading'"
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'telemetry probe'"
    with folder() as place, ExitStack() as stack:
        server = await asyncio.to_thread(stack.enter_context, postgres_server(place))
        probe = DatabaseProbe(server.url)
        connection = await asyncpg.connect(server.url)
        before = await connection.fetchval(numbers), await connection.fetchval(abandoned)
        for _ in range(5):
            await probe.ask()
        async with asyncio.timeout(5):
            while await connection.fetchval(sessions):  # noqa: ASYNC110  # PostgreSQL notices its end a moment later
                await asyncio.sleep(0.01)
        after = await connection.fetchval(numbers), await connection.fetchval(abandoned)
        await connection.close()

    assert of_database() == (1, 1)
    assert after == before


@pytest.mark.server
async def test_a_probe_does_not_wait_for_the_pools_of_its_service(servers: tuple[Server, Server]) -> None:
    database, cache = servers
    pool = await asyncpg.create_pool(database.url, min_size=1, max_size=1)
    blocking = redis.asyncio.from_url(cache.url, max_connections=1)
    async with pool.acquire(), blocking.client():
        probes = (DatabaseProbe(database.url), RedisProbe(cache.url))
        for probe in probes:
            await probe.ask()
    await pool.close()
    await blocking.aclose()

    assert [probe.up for probe in probes] == [True, True]


def probes_with_traces_on(database_url: str, redis_url: str) -> str:
    """Probes good and refusing servers with everything instrumented. Returns the text of /metrics."""
    telemetry.init("execution_gateway")
    probes = (
        DatabaseProbe(database_url),
        RedisProbe(redis_url),
        DatabaseProbe(database_url.replace("/trading", "/nowhere")),
        RedisProbe(redis_url.replace("unix://", "unix://nobody:hunter2@")),
    )

    async def work() -> None:
        for probe in probes:
            await probe.ask()
        with trace.get_tracer("a.module").start_as_current_span("the only one"):
            await probes[0].ask()
            await probes[1].ask()

    asyncio.run(work())
    assert [probe.up for probe in probes] == [True, True, False, False]
    text = metering.shown().decode()
    telemetry.shutdown()
    return text


@pytest.mark.server
def test_a_probe_makes_no_span_and_no_metric_of_a_client(servers: tuple[Server, Server]) -> None:
    receiver = Receiver()
    with receiver.listening() as address:
        done = apart(
            probes_with_traces_on,
            *(server.url for server in servers),
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_EXPORTER_PROMETHEUS_PORT="0",
        )
    series = parsed(done.answer.encode())

    assert receiver.spans == [("execution-gateway", "a.module", "the only one")]
    clients = ("db_client", "redis_client")
    assert {name for (name, _), value in series.items() if name.startswith(clients) and value != 0} == set()
    assert values(series, "dependency_ping_duration_seconds_count", dependency="redis") == [3]
    assert values(series, "dependency_ping_duration_seconds_count", dependency="database") == [3]
    assert "hunter" not in done.log + done.answer


# --- a server that was never there, and its log


@pytest.mark.parametrize(
    "probe",
    [
        RedisProbe("unix:///nowhere/redis.sock"),
        RedisProbe("redis://127.0.0.1:1/0"),
        DatabaseProbe("postgresql://postgres@/trading?host=/nowhere"),
        DatabaseProbe("postgresql://postgres@127.0.0.1:1/trading"),
    ],
    ids=["redis socket", "redis port", "postgresql socket", "postgresql port"],
)
async def test_a_server_that_was_never_up_is_down(
    probe: RedisProbe | DatabaseProbe, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        await probe.ask()

    assert probe.up is False
    assert probe.status.values() == {(): 0}
    assert dependency_writable.values() == {}
    assert [r.getMessage() for r in caplog.records if "does not answer" in r.getMessage()] != []
    assert len(caplog.records) == 1  # logged when the status changes, not every second


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (DatabaseProbe("postgresql://postgres@127.0.0.1:1/trading"), "ConnectionRefusedError: Connection refused"),
        (RedisProbe("redis://127.0.0.1:1"), "ConnectionError: Connection refused"),
        (RedisProbe("unix:///nowhere/redis.sock"), "ConnectionError: No such file or directory"),
    ],
)
async def test_the_reason_of_the_system_is_logged(
    probe: RedisProbe | DatabaseProbe, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    await probe.ask()

    assert [record.getMessage() for record in caplog.records] == [f"{probe.dependency} does not answer: {said}"]


@pytest.mark.parametrize(
    "probe",
    [
        DatabaseProbe("postgresql://hunter"),
        DatabaseProbe("postgresql://hunter/d"),
        DatabaseProbe("postgresql://u:p@hunter:1/d"),
        RedisProbe("redis://hunter"),
        RedisProbe("redis://hunter:1"),
        RedisProbe("unix:///hunter"),
    ],
)
async def test_a_server_that_is_not_found_is_down_and_no_part_of_its_address_is_logged(
    probe: RedisProbe | DatabaseProbe, caplog: pytest.LogCaptureFixture
) -> None:
    await probe.ask()

    assert probe.up is False
    [record] = caplog.records
    assert record.getMessage().startswith(f"{probe.dependency} does not answer: ")
    assert "hunter" not in caplog.text


async def test_a_certificate_that_is_not_accepted_is_an_outage_and_no_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, of_database: Shown
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ssl.SSLCertVerificationError(1, "certificate has expired")  # a ValueError as well

    monkeypatch.setattr(asyncpg, "connect", refuse)

    await DatabaseProbe("postgresql://127.0.0.1/trading?sslmode=verify-full").ask()

    assert of_database() == (0, None)


# --- an address that is none


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (DatabaseProbe, "postgresql://user:hunter/2@127.0.0.1:1/d"),
        (DatabaseProbe, "postgresql://u:a:hunter#x@127.0.0.1:1/d"),
        (DatabaseProbe, "postgresql://u:12?hunter@127.0.0.1:1/d"),
        (DatabaseProbe, "postgresql://u:p@127.0.0.1:hunter/d"),
        (DatabaseProbe, "postgresql://u:hunter@[::1/d"),
        (DatabaseProbe, "redis://:hunter@127.0.0.1:1"),
        (DatabaseProbe, "hunter"),
        (DatabaseProbe, ""),
        (RedisProbe, "redis://:hunter/2@127.0.0.1:1"),
        (RedisProbe, "redis://:p@hunt/er2@127.0.0.1:1"),
        (RedisProbe, "redis://127.0.0.1:hunter"),
        (RedisProbe, "postgresql://u:hunter@127.0.0.1:1/d"),
        (RedisProbe, "hunter:6379"),
        (RedisProbe, ""),
    ],
)
def test_a_malformed_address_is_refused_at_the_start_and_not_shown(
    kind: type[DatabaseProbe | RedisProbe], address: str
) -> None:
    with pytest.raises(ValueError, match=r"^the address of \w+ is not like \w+://") as refusal:
        kind(address)

    assert "hunt" not in str(refusal.value)
    assert refusal.value.__context__ is None  # the error of urllib quotes the port


@pytest.mark.parametrize(
    "probe",
    [
        DatabaseProbe("postgresql://u:p@127.0.0.1:1/d?sslmode=hunter"),
        DatabaseProbe("postgresql://u:p@127.0.0.1:1/d?hunter"),
        RedisProbe("redis://127.0.0.1:1?timeout=hunter"),
        RedisProbe("redis://127.0.0.1:1?hunter=1"),
    ],
)
async def test_an_address_that_the_client_cannot_use_is_said_once_and_is_no_outage(
    probe: RedisProbe | DatabaseProbe, caplog: pytest.LogCaptureFixture, recorded: Recorded
) -> None:
    for _ in range(2):
        await probe.ask()

    assert probe.up is None
    assert probe.status.values() == dependency_writable.values() == {}
    assert recorded(dependency_ping_duration_seconds, probe._labels) == 0
    [record] = [record.getMessage() for record in caplog.records]
    assert record.startswith(f"the status of {probe.dependency} is not known: its address cannot be used (")
    assert "hunter" not in caplog.text
