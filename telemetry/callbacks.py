"""Calls what is not ours: callbacks and collectors. One that hangs or raises anything costs only itself."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from opentelemetry.metrics import CallbackOptions, Observation

from telemetry.amounts import Amount
from telemetry.drops import Dropped, Reason, said

T = TypeVar("T")
Answer = Amount | Iterable[Observation]
Callback = Callable[[], Answer] | Callable[[CallbackOptions], Answer]
Observed = list[tuple[Any, Any]]
"""Values with their attributes."""

SECONDS = 1.0
"""How long a scrape waits for a callback."""


class Call(Generic[T]):
    """One call, in a thread of its own."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._ended = False
        self.began = time.monotonic()
        self.answers: list[T] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="telemetry-callback")
        try:
            self._thread.start()
        except RuntimeError:  # since Python 3.12, no thread can be started while the interpreter exits
            self._run()

    def _run(self) -> None:
        try:
            self.answers.append(self._work())
        except BaseException as error:  # also CancelledError and SystemExit: it is the caller's code
            self.error = error
        finally:
            self._ended = True

    @property
    def runs(self) -> bool:
        """Whether it goes on. After a fork, the child has none of the threads of its parent."""
        return not self._ended and self._thread.is_alive()

    def within(self, seconds: float) -> bool:
        """Waits until it ends, at most until so many seconds after its beginning. Returns whether it has ended."""
        # Not by an Event: a signal's handler that asks, too, would wait for its lock for ever.
        if self.runs and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, self.began + seconds - time.monotonic()))
        return self._ended


class Caller(Generic[T]):
    """Calls one function, and never while an earlier call still runs: then both scrapes share its answer."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self._call: Call[T] | None = None
        self._lock = threading.RLock()  # a signal's handler may ask while its thread is in `start`

    def start(self) -> Call[T]:
        """Begins a call, unless one runs."""
        with self._lock:
            if self._call is None or not self._call.runs:
                self._call = Call(self.work)
            return self._call

    def ask(self, call: Call[T] | None = None) -> T:
        """What the function returns, in a call that was begun. Raises `Dropped` if it raises, or takes too long."""
        call = call or self.start()
        if not call.within(SECONDS):
            raise Dropped(Reason.CALLBACK_HANGS, f"its callback did not return within {SECONDS:g} s")
        if not call.answers:
            raise Dropped(Reason.CALLBACK_FAILED, said(call.error))
        return call.answers[0]


def observing(callback: Callback) -> Callable[[], Amount | Observed]:
    """The callback as a function without arguments, which returns a number or a list of values and attributes."""
    call: Callable[..., Answer] = callback
    arguments = (CallbackOptions(),) if _wants_options(callback) else ()

    def observe() -> Amount | Observed:
        answer = call(*arguments)
        if isinstance(answer, Iterable):
            return [(observation.value, observation.attributes) for observation in answer]
        return answer

    return observe


def _wants_options(callback: Callable[..., Any]) -> bool:
    """Whether it is a callback of the OpenTelemetry API, which takes `CallbackOptions`."""
    try:
        signature = inspect.signature(callback)
    except Exception:  # some functions that are written in C do not tell
        return False
    try:
        signature.bind()
    except TypeError:
        return True
    return False
