"""Ends what sends telemetry, within a time limit: at exit, or before a signal ends the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from telemetry.drops import quoted, warn

_LONGEST_MILLIS = 3_600_000.0


def bounded(timeout_millis: object, default: float) -> float:
    """A time that may be waited: from 0 to an hour, in milliseconds. What is no time is said, and is the default."""
    try:
        given = float(timeout_millis)  # type: ignore[arg-type]
        if given == given:
            return min(max(given, 0.0), _LONGEST_MILLIS)
    except Exception:
        given = default
    warn(("timeout", ""), f"{quoted(timeout_millis)} is no number of milliseconds: {default:g} are taken")
    return default


class Ending(Protocol):
    """What is still to be sent when the process ends."""

    what: str

    def begin(self) -> None:
        """Starts the end. Does not wait for it."""

    def within(self, seconds: float) -> bool:
        """Whether it ended within that many seconds."""


class Closing:
    """Closes something in a thread, so that the caller can stop waiting for it.

    With a dead collector the shutdown of the SDK's providers takes 8 to 17 s. The thread is started early, because
    since Python 3.12 no thread can be started while the interpreter exits.
    """

    def __init__(self, what: str, close: Callable[[], None]) -> None:
        self.what = what
        self._close = close
        self._asked = threading.Event()
        self._start()
        os.register_at_fork(after_in_child=self._start_again)

    def _start_again(self) -> None:
        if not self._asked.is_set():  # else the parent had ended it before
            self._start()

    def _start(self) -> None:
        self._asked = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="telemetry-shutdown").start()

    def _run(self) -> None:
        self._asked.wait()
        try:
            self._close()
        finally:
            self._done.set()

    def begin(self) -> None:
        """Starts the end."""
        self._asked.set()

    def within(self, seconds: float) -> bool:
        """Whether it ended within that many seconds."""
        return self._done.wait(seconds)
