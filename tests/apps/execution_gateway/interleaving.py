"""A database in which something else may happen before any statement, and in which answers may be lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from apps.database import Connection, Database

Hook = Callable[[], Awaitable[None]]

STATEMENTS = ("fetch", "fetchrow", "fetchval", "execute")


class _Between:
    """A connection that calls a hook before each statement."""

    def __init__(self, connection: Connection, hook: Hook) -> None:
        self._connection = connection
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._connection, name)
        if name not in STATEMENTS:
            return real

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._hook()
            return await real(*arguments, **named)

        return call


class Stage(Database):
    """Calls `hook` before each statement, and loses the answer of as many commits as `lost_commits` says."""

    hook: Hook | None = None
    lost_commits = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            yield _Between(connection, self._called) if self.hook else connection  # type: ignore[misc]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with super().transaction() as connection:
            yield connection
        if self.lost_commits:
            self.lost_commits -= 1
            raise ConnectionResetError("the answer is lost")

    async def _called(self) -> None:
        if self.hook is not None:
            await self.hook()


def at_statement(number: int, what: Callable[[], Awaitable[object]]) -> tuple[Hook, list[asyncio.Task[object]]]:
    """A hook that begins `what` before the statement of that number, and gives it 50 ms. And the list of its tasks."""
    seen = 0
    tasks: list[asyncio.Task[object]] = []

    async def run() -> object:
        return await what()

    async def hook() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            tasks.append(asyncio.create_task(run()))
            await asyncio.wait(tasks, timeout=0.05)  # it may wait for a lock that this statement's transaction holds

    return hook, tasks
