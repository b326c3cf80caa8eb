"""Work in the background of a service: done again and again, said when it fails and when it works again."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import redis

from apps.database import UNAVAILABLE, Unavailable

logger = logging.getLogger(__name__)

AWAY = (Unavailable, *UNAVAILABLE, redis.RedisError)
"""What tells of a dependency that is away. Anything else is an error of ours, and is logged with its traceback."""


def described(error: BaseException) -> str:
    """The kind of error and what it says; many time-outs say nothing."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class Duty:
    """Something that is done again and again, and may fail: the next time comes.

    Of failures in a row each reason is said once (numbers in it do not make it another), and the first success after
    them. Example: `await Duty("reconciling", logger).attempt(reconciliation.run)`.
    """

    def __init__(self, name: str, logger: logging.Logger) -> None:
        self._name = name
        self._logger = logger
        self._failures = 0
        self._failing_since = 0.0
        self._said: set[str] = set()

    async def attempt(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Does it, and says whether it succeeded. Raises nothing but a cancellation."""
        try:
            await work()
        except Exception as error:  # whatever it is: what is not done the next time ends silently
            self.failed(described(error), error)
            return False
        self.succeeded()
        return True

    def failed(self, reason: str, error: Exception | None = None) -> None:
        """It failed; `error` is what was raised, if anything was."""
        if self._failures == 0:
            self._failing_since = time.monotonic()
        self._failures += 1
        alike = re.sub(r"\d+", "0", reason)
        if alike in self._said:
            return
        self._said.add(alike)
        if error is None or isinstance(error, AWAY):
            self._logger.warning("%s fails: %s", self._name, reason)
        else:
            self._logger.error("%s fails: %s", self._name, reason, exc_info=error)

    def succeeded(self) -> None:
        """It did what it is for."""
        if self._failures:
            lasted = time.monotonic() - self._failing_since
            times = "1 failure" if self._failures == 1 else f"{self._failures} failures"
            self._logger.info("%s works again, after %s in %.1f s", self._name, times, lasted)
            self._failures = 0
            self._said.clear()


async def every(seconds: float, duty: Duty, work: Callable[[], Awaitable[object]]) -> None:
    """Attempts it for ever, with that pause in between."""
    while True:
        await duty.attempt(work)
        await asyncio.sleep(seconds)


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the coroutines while the block does. One that ends takes the service down: it is restarted."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        await _end(tasks)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels until every task has ended: before Python 3.12, `asyncio.wait_for` can lose a cancellation.

    redis-py and asyncpg wait by it: one cancellation in the moment of an answer, and a service would never stop.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        try:
            _, left = await asyncio.wait(left, timeout=0.2)
        except asyncio.CancelledError:  # again; the first one goes on after this
            left = {task for task in left if not task.done()}


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        error = task.exception()
        logger.critical("background work ended, and so does the service: %s", error, exc_info=error)
        # Half a service that looks alive is worse than none; the supervisor starts a whole one.
        os.kill(os.getpid(), signal.SIGTERM)
