"""Measures how long blocks and functions take, and records it in a histogram, in seconds."""

from __future__ import annotations

import contextlib
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Generator
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
        self._started: list[float] = []  # several, if blocks are nested

    def __enter__(self) -> None:
        self._started.append(time.perf_counter())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._record(time.perf_counter() - self._started.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, staticmethod | classmethod):
            return type(function)(self(function.__func__))
        timed = self._timed(function)
        if isinstance(function, functools.partial):  # it has no name of its own
            return functools.update_wrapper(timed, function.func)
        return functools.update_wrapper(timed, function)

    def _timed(self, function: Callable[P, Any]) -> Callable[P, Any]:
        if inspect.iscoroutinefunction(function):
            return _coroutine(function, self._record)
        if inspect.isgeneratorfunction(function):
            return _generator(function, self._record)
        if inspect.isasyncgenfunction(function):
            return _async_generator(function, self._record)
        return _function(function, self._record)


def _coroutine(function: Callable[P, Any], record: Callable[[float], None]) -> Callable[P, Any]:
    async def timed(*args: P.args, **kwargs: P.kwargs) -> Any:
        with Timer(record):
            return await function(*args, **kwargs)

    return timed


def _generator(function: Callable[P, Any], record: Callable[[float], None]) -> Callable[P, Any]:
    def timed(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
        with Timer(record):
            return (yield from function(*args, **kwargs))

    return timed


def _async_generator(function: Callable[P, Any], record: Callable[[float], None]) -> Callable[P, Any]:
    async def timed(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Any]:
        with Timer(record):
            inner = function(*args, **kwargs)
            step = anext(inner)
            while True:
                try:
                    value = await step
                except StopAsyncIteration:
                    return
                # What is sent or thrown in goes to the function, as `yield from` does it for generators.
                try:
                    step = inner.asend((yield value))
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:
                    step = inner.athrow(error)

    return timed


def _function(function: Callable[P, Any], record: Callable[[float], None]) -> Callable[P, Any]:
    def timed(*args: P.args, **kwargs: P.kwargs) -> Any:
        began = time.perf_counter()
        try:
            answer = function(*args, **kwargs)
        except BaseException:
            record(time.perf_counter() - began)
            raise
        # The work of these begins only now.
        if inspect.iscoroutine(answer):
            return _timed_await(answer, record)
        if isinstance(answer, contextlib._GeneratorContextManager):
            return _Block(lambda: function(*args, **kwargs), answer, record)
        if isinstance(answer, contextlib._AsyncGeneratorContextManager):
            return _AsyncBlock(lambda: function(*args, **kwargs), answer, record)
        record(time.perf_counter() - began)
        return answer

    return timed


async def _timed_await(answer: Any, record: Callable[[float], None]) -> Any:
    with Timer(record):
        return await answer


class _Block(contextlib.ContextDecorator, contextlib.AbstractContextManager[Any]):
    """A context manager whose block is measured. As a decorator it is made anew for each call."""

    def __init__(self, make: Callable[[], Any], block: Any, record: Callable[[float], None]) -> None:
        self._make = make
        self._block = block
        self._timer = Timer(record)
        self._record = record

    def _recreate_cm(self) -> _Block:
        return _Block(self._make, self._make(), self._record)

    def __enter__(self) -> Any:
        with contextlib.ExitStack() as failed:
            failed.enter_context(self._timer)
            value = self._block.__enter__()
            failed.pop_all()  # the block ends later
            return value

    def __exit__(self, *error: Any) -> bool | None:
        try:
            ended: bool | None = self._block.__exit__(*error)
            return ended
        finally:
            self._timer.__exit__(None, None, None)


class _AsyncBlock(contextlib.AsyncContextDecorator, contextlib.AbstractAsyncContextManager[Any]):
    """The same for an asynchronous one."""

    def __init__(self, make: Callable[[], Any], block: Any, record: Callable[[float], None]) -> None:
        self._make = make
        self._block = block
        self._timer = Timer(record)
        self._record = record

    def _recreate_cm(self) -> _AsyncBlock:
        return _AsyncBlock(self._make, self._make(), self._record)

    async def __aenter__(self) -> Any:
        with contextlib.ExitStack() as failed:
            failed.enter_context(self._timer)
            value = await self._block.__aenter__()
            failed.pop_all()
            return value

    async def __aexit__(self, *error: Any) -> bool | None:
        try:
            ended: bool | None = await self._block.__aexit__(*error)
            return ended
        finally:
            self._timer.__exit__(None, None, None)
