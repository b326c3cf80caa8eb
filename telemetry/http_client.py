"""Measures the requests that httpx sends: whom to, how they ended, and how long they took until the answer was read.

opentelemetry-instrumentation-httpx counts no request that fails, and one whose answer breaks off as a success.
So the transports of httpx are measured here. What it makes of requests as spans is not affected.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from time import perf_counter
from typing import Any

import httpx

from telemetry.catalogue import HttpClientLabels, http_client_request_duration_seconds
from telemetry.wrapping import is_suppressed, wrap

METHODS = frozenset(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"])
OTHER = "_OTHER"
_PORTS = {"http": 80, "https": 443}


def measure() -> None:
    """Has all clients of httpx measured, those that exist and those to come. A second call changes nothing.

    A transport without a network, such as `ASGITransport`, is not measured.
    """
    wrap(httpx.HTTPTransport, "handle_request", _sent)
    wrap(httpx.AsyncHTTPTransport, "handle_async_request", _sent_async)


class _Request:
    """One request, which is recorded once."""

    def __init__(self, request: httpx.Request) -> None:
        self._began = perf_counter()
        self._ended = False
        method = request.method.upper()
        self._labels: HttpClientLabels = {
            "http_request_method": method if method in METHODS else OTHER,
            "server_address": request.url.host,
            "server_port": request.url.port or _PORTS.get(request.url.scheme, 0),
            "http_response_status_code": "",
            "error_type": "",
        }

    def answered(self, status: int) -> None:
        self._labels["http_response_status_code"] = status
        if status >= 400:
            self._labels["error_type"] = str(status)

    def ended(self, error: BaseException | None = None) -> None:
        if not self._ended:
            self._ended = True
            if error is not None:
                self._labels["error_type"] = type(error).__name__
            http_client_request_duration_seconds.record(perf_counter() - self._began, self._labels)


def _sent(original: Callable[..., Any]) -> Callable[..., Any]:
    def measured(self: Any, request: Any) -> Any:
        if is_suppressed():
            return original(self, request)
        one = _Request(request)
        try:
            response = original(self, request)
        except BaseException as error:
            one.ended(error)
            raise
        one.answered(response.status_code)
        response.stream = _Stream(response.stream, one)
        return response

    return measured


def _sent_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def measured(self: Any, request: Any) -> Any:
        if is_suppressed():
            return await original(self, request)
        one = _Request(request)
        try:
            response = await original(self, request)
        except BaseException as error:
            one.ended(error)
            raise
        one.answered(response.status_code)
        response.stream = _AsyncStream(response.stream, one)
        return response

    return measured


class _Stream(httpx.SyncByteStream):
    """The body of an answer. The request ends with it."""

    def __init__(self, inner: Any, one: _Request) -> None:
        self._inner = inner
        self._one = one

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._inner
        except GeneratorExit:  # the caller reads no further
            raise
        except BaseException as error:
            self._one.ended(error)
            raise

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._one.ended()


class _AsyncStream(httpx.AsyncByteStream):
    """The same for an AsyncClient."""

    def __init__(self, inner: Any, one: _Request) -> None:
        self._inner = inner
        self._one = one

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            self._one.ended(error)
            raise

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._one.ended()
