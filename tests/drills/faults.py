"""The faults that drills bring about, each for real and for as long as its block runs."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import asyncpg
import psutil
import redis

from tests.drills.platform import Platform
from tests.waiting import wait_until

Fault = Callable[[Platform], AbstractContextManager[None]]


def killed(program: str) -> Fault:
    """The process is killed with -9, and stays down."""

    @contextmanager
    def fault(platform: Platform) -> Iterator[None]:
        platform.control.hold_down(program)
        try:
            yield
        finally:
            platform.control.release(program)

    return fault


@contextmanager
def a_position_edited_at_the_venue(platform: Platform) -> Iterator[None]:
    """Somebody corrects a number by hand, in the book of the venue."""
    execute(platform, "UPDATE venue.positions SET shares = shares + 7 WHERE symbol = 'KO'")
    try:
        yield
    finally:
        execute(platform, "UPDATE venue.positions SET shares = shares - 7 WHERE symbol = 'KO'")


@contextmanager
def a_forgotten_lock_on_the_executions(platform: Platform) -> Iterator[None]:
    """Fetching executions hangs; the gateway and PostgreSQL answer."""
    with locked(platform, "venue.executions"):
        yield


@contextmanager
def a_forgotten_lock_on_the_targets(platform: Platform) -> Iterator[None]:
    """Storing targets hangs; the signal service and PostgreSQL answer."""
    with locked(platform, "signals.targets"):
        yield


@contextmanager
def a_feed_that_does_not_start(platform: Platform) -> Iterator[None]:
    """The market data service was started again and cannot read where the replay was; it answers."""
    with locked(platform, "market_data.replay"):
        platform.control.kill("market_data_service")
        yield


@contextmanager
def an_algorithm_whose_orders_are_too_large(platform: Platform) -> Iterator[None]:
    """A risk check refuses them."""

    def send() -> None:
        platform.post("execution_gateway", "/api/v1/orders", {"symbol": "AAPL", "side": "buy", "qty": 1_000_000})

    with again_and_again(send):
        yield


@contextmanager
def an_algorithm_that_runs_away(platform: Platform) -> Iterator[None]:
    """It buys and sells in a loop, in several threads, and reads no answer."""
    sides = itertools.cycle(["buy", "sell"])

    def send() -> None:
        platform.post("execution_gateway", "/api/v1/orders", {"symbol": "KO", "side": next(sides), "qty": 1})

    with ExitStack() as loops:
        for _ in range(8):
            loops.enter_context(again_and_again(send, seconds=0))
        yield


@contextmanager
def a_program_that_publishes_garbage(platform: Platform) -> Iterator[None]:
    """Between the states of the market are messages which cannot be read."""
    client = redis.Redis.from_url(str(platform.stack.addresses["redis_url"]))
    with again_and_again(lambda: client.publish("market:state", b"garbage")):
        yield


@contextmanager
def again_and_again(work: Callable[[], object], seconds: float = 0.5) -> Iterator[None]:
    """Does it in a thread of its own, with a pause of so many seconds."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(seconds):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def few_file_descriptors(platform: Platform) -> Iterator[None]:
    """The signal service may open hardly more than it has open."""
    process = psutil.Process(platform.control.pid("signal_service"))
    usual = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() * 10 // 9 + 1, usual[1]))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, usual)


@contextmanager
def a_configuration_of_prometheus_that_cannot_be_read(platform: Platform) -> Iterator[None]:
    """Somebody edits it, and has it loaded."""
    file = platform.stack.folder / "data" / "run" / "prometheus" / "prometheus.yml"
    good = file.read_text()

    def load(text: str) -> None:
        file.write_text(text)
        os.kill(platform.control.pid("prometheus"), signal.SIGHUP)

    load(f"{good}\nno_such_setting: 1\n")
    try:
        yield
    finally:
        load(good)


@contextmanager
def a_full_redis(platform: Platform) -> Iterator[None]:
    """Redis answers, and takes no writes."""
    client = redis.Redis.from_url(str(platform.stack.addresses["redis_url"]))
    client.rpush("filling", *[bytes(10_000)] * 300)
    # 1 MB over the limit: just at the limit, Redis takes writes again when a client gives back its buffer.
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 1_000_000)
    try:
        yield
    finally:
        client.delete("filling")
        client.config_set("maxmemory", 0)


@contextmanager
def a_read_only_postgresql(platform: Platform) -> Iterator[None]:
    """PostgreSQL answers, and takes no writes."""
    execute(platform, "ALTER SYSTEM SET default_transaction_read_only = on")
    execute(platform, "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        execute(platform, "ALTER SYSTEM RESET default_transaction_read_only")
        execute(platform, "SELECT pg_reload_conf()")


@contextmanager
def the_feed_is_cut(platform: Platform) -> Iterator[None]:
    """Nothing comes any more; the market data service answers."""
    with _feed(platform, "cut"):
        yield


@contextmanager
def one_symbol_is_silent(platform: Platform) -> Iterator[None]:
    """KO does not tick, and the others do."""
    with _feed(platform, "silent KO"):
        yield


@contextmanager
def all_symbols_are_silent(platform: Platform) -> Iterator[None]:
    """States of the market are published, and no symbol ticks."""
    symbols = platform.get("market_data_service", "/api/v1/quotes")
    with _feed(platform, f"silent {' '.join(symbols)}"):
        yield


@contextmanager
def _feed(platform: Platform, fault: str) -> Iterator[None]:
    """See inside/sitecustomize.py."""
    _tell_the_feed(platform, fault)
    try:
        yield
    finally:
        _tell_the_feed(platform, "")


def _tell_the_feed(platform: Platform, fault: str) -> None:
    process = platform.control.pid("market_data_service")
    file = Path(tempfile.gettempdir()) / f"drill-{process}"
    file.write_text(fault)
    os.kill(process, signal.SIGUSR2)
    wait_until(lambda: not file.exists(), 5, f"the feed does as it is told: {fault!r}")


def execute(platform: Platform, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(str(platform.stack.addresses["database_url"]))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


@contextmanager
def locked(platform: Platform, table: str) -> Iterator[None]:
    """Nobody else can read the table."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(str(platform.stack.addresses["database_url"])))
        runner.run(connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        try:
            yield
        finally:
            runner.run(connection.close())
