"""The duties of the desk: each has its own time limit, its own age and its own failures, and stops no other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from apps.background import Duty
from apps.catalogue import duty_failures_total, duty_last_success_timestamp_seconds
from apps.vocabulary import DeskDuty

logger = logging.getLogger(__name__)

LATE_SECONDS = 15.0
"""A duty that has not succeeded for this long is late, and /health says so. The alert comes at 30 s."""

_DOING = {
    DeskDuty.COMMAND: "storing commands",
    DeskDuty.HALT: "agreeing with the venue on a halt",
    DeskDuty.SEND: "sending to the venue",
    DeskDuty.FETCH: "fetching executions",
    DeskDuty.RECONCILE: "reconciling with the venue",
    DeskDuty.FOLLOW_MARKET: "taking a state of the market",
    DeskDuty.TICK_VENUE: "giving the venue the market's state",
    DeskDuty.READ_BREAKER: "reading the circuit breaker",
}


class WatchedDuty(Duty):
    """One duty. A run that takes longer than `seconds` is ended and counts as failed."""

    def __init__(self, duty: DeskDuty, seconds: float) -> None:
        super().__init__(_DOING[duty], logger)
        self.duty = duty
        self._seconds = seconds
        self._succeeded_at = time.monotonic()
        self.error: Exception | None = None
        """Why the last run failed; None if it succeeded."""
        duty_last_success_timestamp_seconds.set(time.time(), {"duty": duty})

    @property
    def age(self) -> float:
        """Seconds since the last success, or since the start."""
        return time.monotonic() - self._succeeded_at

    async def attempt(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Does the work once, within its time. Returns whether it succeeded. Raises only when it is cancelled."""

        async def in_time() -> None:
            async with asyncio.timeout(self._seconds):
                await work()

        return await super().attempt(in_time)

    def failed(self, reason: str, error: Exception | None = None, detail: str = "") -> None:
        """Notes and counts a failure."""
        self.error = error
        duty_failures_total.add(1, {"duty": self.duty})
        super().failed(reason, error, detail)

    def succeeded(self) -> None:
        """Notes a run that succeeded, also one that had nothing to do."""
        self.error = None
        self._succeeded_at = time.monotonic()
        duty_last_success_timestamp_seconds.set(time.time(), {"duty": self.duty})
        super().succeeded()

    async def repeat(self, work: Callable[[], Awaitable[object]], pause: Callable[[], Awaitable[object]]) -> None:
        """Does the work again and again until cancelled. `pause` waits between two runs."""
        while True:
            succeeded = await self.attempt(work)
            await pause()
            if not succeeded:  # what wakes it may wake it at once
                await asyncio.sleep(0.2)


class Wake:
    """Wakes a duty before its pause is over."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Waits until it is called, at most that long. A call that came before counts."""
        await asyncio.sleep(0)  # a duty that wakes itself must not keep all others from running
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()
