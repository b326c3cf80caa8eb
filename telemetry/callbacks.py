"""Calls the callbacks of watched gauges. One that hangs or raises anything costs its own gauge only."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

from telemetry.amounts import Amount
from telemetry.drops import Dropped, Reason

Answer = Amount | Iterable[Observation]
Callback = Callable[[], Answer] | Callable[[CallbackOptions], Answer]

SECONDS = 1.0
"""How long a scrape waits for a callback."""


class Caller:
    """Calls one callback, in a thread of its own, and never while an earlier call still runs."""

    def __init__(self, callback: Callback) -> None:
        self._callback: Callable[..., Answer] = callback
        self._arguments = (CallbackOptions(),) if _wants_options(callback) else ()
        self._running = threading.Lock()

    def ask(self, seconds: float = SECONDS) -> Amount | list[Observation]:
        """What the callback returns. Raises `Dropped` if it raises, hangs, or still runs."""
        if not self._running.acquire(blocking=False):
            raise Dropped(Reason.CALLBACK_HANGS, "its callback still runs since an earlier scrape")
        answers: list[Amount | list[Observation]] = []
        errors: list[BaseException] = []

        def call() -> None:
            try:
                answer = self._callback(*self._arguments)
                answers.append(list(answer) if isinstance(answer, Iterable) else answer)
            except BaseException as error:  # also CancelledError and SystemExit: it is the caller's code
                errors.append(error)
            finally:
                self._running.release()

        try:
            thread = threading.Thread(target=call, daemon=True, name="telemetry-callback")
            thread.start()
        except BaseException:
            self._running.release()
            raise
        thread.join(seconds)
        if errors:
            raise Dropped(Reason.CALLBACK_FAILED, f"{type(errors[0]).__name__}: {errors[0]}")
        if not answers:
            raise Dropped(Reason.CALLBACK_HANGS, f"its callback did not return within {seconds:g} s")
        return answers[0]


def _wants_options(callback: Callable[..., Any]) -> bool:
    """Whether it is a callback of the OpenTelemetry API, which takes `CallbackOptions`."""
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # some functions that are written in C do not tell
        return False
    try:
        signature.bind()
    except TypeError:
        return True
    return False
