"""A real PostgreSQL and a real Redis for tests, on sockets in a folder of their own."""

from __future__ import annotations

import asyncio
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis

from infra.local import postgres, redis_server
from tests import marks
from tests.waiting import wait_until


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and its process, for tests that break it."""

    url: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def program_running(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program of the set-up, which may not be ready yet. It is stopped at the end of the block."""
    marks.starts(Path(command[0]).name)
    with _running(command, log, environment=environment) as process:
        yield process


@contextmanager
def _running(
    command: list[str], log: Path, user: str | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        # Without the groups of root, which would close a program to this user that "others" may read.
        group = None if user is None else pwd.getpwnam(user).pw_gid
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            cwd="/",
            env=environment,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short name (a socket's path has at most 100 bytes) that PostgreSQL's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="trading-", dir="/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@contextmanager
def postgres_server(place: Path) -> Iterator[Server]:
    """PostgreSQL with its data in that folder. The same folder again gives the same database."""
    marks.starts("PostgreSQL")
    data, sockets = place / "postgres", place / "sockets"
    postgres.prepare(data, sockets)
    dsn = postgres.dsn(sockets)
    with _running(postgres.command(data, sockets), place / "postgres.log", postgres.system_user()) as process:
        wait_until(lambda: asyncio.run(_answers(dsn)), 20, "PostgreSQL answers")
        yield Server(dsn, process)


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=2)
    except (OSError, asyncpg.CannotConnectNowError):
        return False
    await connection.close()
    return True


@contextmanager
def redis_running(place: Path) -> Iterator[Server]:
    """Redis, empty."""
    marks.starts("Redis")
    socket = place / "redis.sock"
    assert not redis_server.missing(), redis_server.missing()
    with _running(redis_server.command(place, socket), place / "redis.log") as process:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            wait_until(lambda: _pongs(client), 10, "Redis answers")
        yield Server(redis_server.url(socket), process)


def _pongs(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False


@contextmanager
def both() -> Iterator[tuple[Server, Server]]:
    """PostgreSQL and Redis."""
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        yield stack.enter_context(postgres_server(place)), stack.enter_context(redis_running(place))
