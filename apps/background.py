"""Background work of a service: runs it, repeats it, and logs when it fails and when it works again."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import redis

from apps.database import UNAVAILABLE, Unavailable, Unusable

logger = logging.getLogger(__name__)


class Refusal(Exception):
    """What is wrong with an input, when that is expected to happen. It is logged without a traceback."""


AWAY = (Unavailable, *UNAVAILABLE, redis.RedisError)
"""Errors that mean PostgreSQL or Redis is unavailable."""
_WITHOUT_TRACEBACK = (*AWAY, httpx.TransportError, Refusal)
"""Errors that mean another program is unavailable, and refusals. All others are logged with their traceback."""
STREAKS_A_MINUTE = 5
REASONS = 20
"""How many different reasons are logged while a job keeps failing."""
# Numbers, addresses in memory, UUIDs and other hexadecimal ids.
_VARYING = re.compile(r"0x[0-9a-f]+|\b(?=[a-f-]*\d)[0-9a-f]{6,}(-[0-9a-f]{4,})*\b|\d+", re.IGNORECASE)


def described(error: BaseException) -> str:
    """The type of the error and its message, if it has one. Many time-outs have none."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _failure(error: Exception | asyncio.CancelledError) -> Exception:
    """The error as a failure of the work. A cancellation that comes from outside is raised again.

    Some libraries cancel tasks of their own, and let that through. It must not end what is repeated.
    """
    if isinstance(error, Exception):
        return error
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    return RuntimeError("the work was cancelled from within")


class Duty:
    """A job that is repeated. One failure does not stop it: the next attempt may succeed.

    While it keeps failing, each reason is logged once. Reasons that differ only in numbers and ids count as the same.
    The first success after a failure is logged too. Of a job that fails and works in turn, only the first
    `STREAKS_A_MINUTE` are logged in a minute, and then how many were not.

    Example: `await Duty("reconciling", logger).attempt(reconciliation.run)`.
    """

    def __init__(self, name: str, logger: logging.Logger) -> None:
        self._name = name
        self._logger = logger
        self._failures = 0
        self._failing_since = 0.0
        self._said: set[str] = set()
        self._logged: deque[float] = deque(maxlen=STREAKS_A_MINUTE)  # when the last streaks began
        self._quiet = False
        self._not_logged = 0

    async def attempt(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Does the work once. Returns whether it succeeded. Raises only when it is cancelled."""
        try:
            await work()
        except (Exception, asyncio.CancelledError) as error:  # one that got through would end the repetition
            problem = _failure(error)
            self.failed(described(problem), problem)
            return False
        self.succeeded()
        return True

    def failed(self, reason: str, error: Exception | None = None, detail: str = "") -> None:
        """Notes a failure. `error` is the exception, if there was one.

        `detail` is logged with the reason, and does not make it another one.
        """
        if self._failures == 0:
            self._begin_streak()
        self._failures += 1
        alike = _VARYING.sub("0", reason)
        if self._quiet or alike in self._said or len(self._said) == REASONS:
            return
        self._said.add(alike)
        reason = f"{reason} ({detail})" if detail else reason
        before = f" ({self._not_logged} earlier times it failed and worked again)" if self._not_logged else ""
        self._not_logged = 0
        if error is None or isinstance(error, _WITHOUT_TRACEBACK):
            self._logger.warning("%s fails: %s%s", self._name, reason, before)
        else:
            self._logger.error("%s fails: %s%s", self._name, reason, before, exc_info=error)

    def succeeded(self) -> None:
        """Notes a success."""
        if self._failures and not self._quiet:
            lasted = time.monotonic() - self._failing_since
            times = "1 failure" if self._failures == 1 else f"{self._failures} failures"
            self._logger.info("%s works again, after %s in %.1f s", self._name, times, lasted)
        self._failures = 0
        self._said.clear()

    def _begin_streak(self) -> None:
        self._failing_since = time.monotonic()
        self._quiet = len(self._logged) == STREAKS_A_MINUTE and self._failing_since - self._logged[0] < 60
        if self._quiet:
            self._not_logged += 1
        else:
            self._logged.append(self._failing_since)


async def every(seconds: float, duty: Duty, work: Callable[[], Awaitable[object]]) -> None:
    """Attempts the work until cancelled, with a pause of that many seconds after each attempt."""
    while True:
        await duty.attempt(work)
        await asyncio.sleep(seconds)


@asynccontextmanager
async def background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the coroutines while the block runs. If one ends early, the process ends too, and must be restarted."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.remove_done_callback(_report)
        await _end(tasks)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancels the tasks again and again until all have ended.

    Once is not enough: before Python 3.12, `asyncio.wait_for` can lose a cancellation that comes together with an
    answer. redis-py and asyncpg use it. With a lost cancellation the service would never stop.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        try:
            _, left = await asyncio.wait(left, timeout=0.2)
        except asyncio.CancelledError:  # a second cancellation of this service; the first one is raised by the caller
            left = {task for task in left if not task.done()}


def _report(task: asyncio.Task[None]) -> None:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    # What is unusable is said in a sentence that names the way out: a traceback would hide it.
    trace = None if isinstance(error, Unusable) else error
    logger.critical("background work ended, and so does the service: %s", error, exc_info=trace)
    # A service without its background work looks alive but does not do its job. The supervisor starts a new one.
    os.kill(os.getpid(), signal.SIGTERM)
