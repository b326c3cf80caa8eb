"""Measures how long blocks and functions take, and records it in a histogram, in seconds."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class _Recorder(Protocol):
    def record(self, amount: float, attributes: Mapping[str, Any] | None) -> None: ...


class Timer:
    """A context manager and a decorator. It records the duration in seconds, also when the block or function raises."""

    def __init__(self, histogram: _Recorder, attributes: Mapping[str, Any] | None) -> None:
        self._histogram = histogram
        self._attributes = attributes
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._histogram.record(time.perf_counter() - self._started, self._attributes)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def timed_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with Timer(self._histogram, self._attributes):
                    return await function(*args, **kwargs)

            return timed_coroutine  # type: ignore[return-value]  # the wrapper is awaited just as the function is

        @functools.wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            with Timer(self._histogram, self._attributes):
                return function(*args, **kwargs)

        return timed
