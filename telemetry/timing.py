"""Measures how long blocks and functions take, and records it in a histogram, in seconds."""

from __future__ import annotations

import contextlib
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Timer:
    """A context manager and a decorator. It records the duration in seconds, also when the block or function raises.

    Of a coroutine, a generator or a function made by `contextlib.contextmanager`, the execution is measured: until the
    last value, or until the block ends.
    """

    def __init__(self, record: Callable[[float], None]) -> None:
        self._record = record
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._record(time.perf_counter() - self._started)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        timed = self._timed(function)
        if isinstance(function, functools.partial):  # it has no name of its own
            return functools.update_wrapper(timed, function.func)
        return functools.update_wrapper(timed, function)

    def _timed(self, function: Callable[P, Any]) -> Callable[P, Any]:
        record = self._record
        if inspect.iscoroutinefunction(function):

            async def timed_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                with Timer(record):
                    return await function(*args, **kwargs)

            return timed_coroutine
        if inspect.isgeneratorfunction(function):

            def timed_generator(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
                with Timer(record):
                    return (yield from function(*args, **kwargs))

            return timed_generator
        if inspect.isasyncgenfunction(function):

            async def timed_async_generator(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Any]:
                with Timer(record):
                    async with contextlib.aclosing(function(*args, **kwargs)) as values:
                        async for value in values:
                            yield value

            return timed_async_generator

        def timed_function(*args: P.args, **kwargs: P.kwargs) -> Any:
            timer = Timer(record)
            with timer:
                answer = function(*args, **kwargs)
                timer._record = _nothing if _goes_on(answer) else record
            return _timed_on(answer, record) if _goes_on(answer) else answer

        return timed_function


def _nothing(_: float) -> None: ...


def _goes_on(answer: object) -> bool:
    """Whether the work begins only now: with what a coroutine or a context manager does."""
    return inspect.iscoroutine(answer) or isinstance(
        answer, contextlib._GeneratorContextManager | contextlib._AsyncGeneratorContextManager
    )


def _timed_on(answer: Any, record: Callable[[float], None]) -> Any:
    if isinstance(answer, contextlib._GeneratorContextManager):
        return _timed_block(answer, record)
    if isinstance(answer, contextlib._AsyncGeneratorContextManager):
        return _timed_async_block(answer, record)
    return _timed_await(answer, record)


@contextlib.contextmanager
def _timed_block(block: Any, record: Callable[[float], None]) -> Iterator[Any]:
    with Timer(record), block as value:
        yield value


@contextlib.asynccontextmanager
async def _timed_async_block(block: Any, record: Callable[[float], None]) -> AsyncIterator[Any]:
    with Timer(record):
        async with block as value:
            yield value


async def _timed_await(answer: Any, record: Callable[[float], None]) -> Any:
    with Timer(record):
        return await answer
