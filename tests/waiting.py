"""Waits for a condition, and names the condition that did not come true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float, what: str, every: float = 0.05) -> T:
    """Returns the first true answer. Raises TimeoutError, which names `what`, when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what} (last answer: {answer!r})")
        time.sleep(every)


async def until(condition: Callable[[], object], what: str, seconds: float = 5.0) -> None:
    """The same for a condition that the running event loop brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.005)
