"""Measures how late an event loop is. A timer that is due every 50 ms says by how much it was late.

While code on the loop computes or blocks, the loop answers nobody: the timer is then late by that time, less 50 ms at
most. A loop is measured from the start of an application, from its first scrape, or from an `init` that is called while
it runs. Of a process without an application, whose `init` was called before its loop ran, no loop is measured.
"""

from __future__ import annotations

import contextvars
import sys
import weakref
from time import monotonic
from typing import TYPE_CHECKING

from telemetry.catalogue import event_loop_lag_seconds
from telemetry.registry import process

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

INTERVAL_SECONDS = 0.05
"""A block is recorded as shorter than it was by this at most. Half of it would cost twice as much."""

_measured: weakref.WeakSet[AbstractEventLoop] = weakref.WeakSet()


def measure() -> None:
    """Begins to measure the event loop that runs in this thread. Does nothing if none runs, or if it is measured.

    It is a timer and no task, so nothing has to be ended: it goes with its loop, and does not keep the loop running. If
    a loop is stopped and then run again, the time in between counts as lag.
    """
    asyncio = sys.modules.get("asyncio")  # where it was not imported, no loop runs
    if asyncio is None or process.disabled:
        return
    try:
        loop: AbstractEventLoop = asyncio.get_running_loop()
    except RuntimeError:
        return
    if loop not in _measured:
        _measured.add(loop)
        # A context of its own: the timer would keep that of the request in which it began.
        contextvars.Context().run(_wait, loop)


def _wait(loop: AbstractEventLoop) -> None:
    loop.call_later(INTERVAL_SECONDS, _measure_once, loop, monotonic() + INTERVAL_SECONDS)


def _measure_once(loop: AbstractEventLoop, due: float) -> None:
    event_loop_lag_seconds.record(max(0.0, monotonic() - due))  # a loop may be early by the resolution of its clock
    _wait(loop)
