"""Waits for what the writer answers, for as long as a client would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from apps.execution_gateway.draft import Draft
from apps.execution_gateway.errors import Busy, NotStoredYet
from apps.execution_gateway.writer import Writer

T = TypeVar("T")

ANSWER_SECONDS = 3.0
"""How long a client waits for an outcome. Then it is told that the outcome is not known yet."""


async def within(seconds: float, future: asyncio.Future[T]) -> T:
    """Waits for a future, which goes on when the time is over. Raises TimeoutError."""
    # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with the answer.
    try:
        async with asyncio.timeout(max(seconds, 0)):
            return await asyncio.shield(future)
    except TimeoutError:
        if future.done():  # the answer came at the last moment
            return future.result()
        raise


async def answered(writer: Writer, command: Callable[[Draft], T]) -> T:
    """Has a command of a person stored. Raises `Busy` if it was not taken, `NotStoredYet` if nobody knows yet."""
    asked = writer.ask(command, first=True)
    try:
        return await within(ANSWER_SECONDS, asked.done)
    except TimeoutError:
        if writer.withdraw(asked):
            raise Busy("PostgreSQL does not answer") from None
        raise NotStoredYet("the change is not stored yet: look whether it is before you send it again") from None


def succeeded(done: asyncio.Future[Any]) -> bool:
    """Whether a future has a result."""
    return done.done() and not done.cancelled() and done.exception() is None
