"""Requests that httpx sends, to real servers: each is counted once, however it ends."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.utils import suppress_instrumentation

from telemetry import http_client
from telemetry.catalogue import HttpClientLabels, http_client_request_duration_seconds
from telemetry.testing import Recorded

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\nhalf of it"


@contextmanager
def answering(*answers: bytes, hang: bool = False) -> Iterator[int]:
    """A server on a port, which gives one of the answers to each connection, and then closes it, or hangs."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            kept = []
            for answer in answers:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                connection.recv(65536)
                connection.sendall(answer)
                if hang:
                    kept.append(connection)
                else:
                    connection.close()
            ended.wait(10)
            for connection in kept:
                connection.close()

        ended = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join(10)


class Counts:
    """How many requests there were to a port of this machine since the test began."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def __call__(self, port: int, status: int | str = "", error: str = "", method: str = "GET") -> int | float | None:
        labels = HttpClientLabels(
            http_request_method=method,
            server_address="127.0.0.1",
            server_port=port,
            http_response_status_code=status,
            error_type=error,
        )
        return self._recorded(http_client_request_duration_seconds, labels)

    def all(self, port: int) -> int | float:
        readings = http_client_request_duration_seconds.readings()
        return sum(count for key, count in readings.items() if key[2] == str(port))


@pytest.fixture
def counts(recorded: Recorded) -> Counts:
    http_client.measure()
    return Counts(recorded)


def url(port: int) -> str:
    return f"http://user:secret-password@127.0.0.1:{port}/secret-path?secret=query"


def test_an_answer_counts_by_method_host_port_and_status(counts: Counts) -> None:
    with answering(OK, OK, NOT_FOUND) as port, httpx.Client() as client:
        client.get(url(port))
        client.post(url(port))
        client.get(url(port))

        assert counts(port, 200) == 1
        assert counts(port, 200, method="POST") == 1
        assert counts(port, 404, "404") == 1
        assert counts.all(port) == 3
    assert "secret" not in str(http_client_request_duration_seconds.readings())


async def test_an_asyncio_client_that_existed_before_is_measured_and_each_hop_of_a_redirect_counts(
    recorded: Recorded,
) -> None:
    async with httpx.AsyncClient(follow_redirects=True) as client:
        http_client.measure()
        http_client.measure()
        counts = Counts(recorded)
        with answering(REDIRECT, OK) as port:
            await client.get(url(port))

            assert counts(port, 302) == counts(port, 200) == 1
            assert counts.all(port) == 2


def test_a_refused_connection_counts_by_the_class_of_its_error(counts: Counts, free_port: str) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(url(int(free_port)))

    assert counts(int(free_port), error="ConnectError") == counts.all(int(free_port)) == 1


def test_a_time_out_counts_with_the_time_it_took(counts: Counts) -> None:
    with answering(b"", hang=True) as port, pytest.raises(httpx.ReadTimeout):
        httpx.get(url(port), timeout=0.1)

    assert counts(port, error="ReadTimeout") == counts.all(port) == 1
    [took] = [sum_ for key, (_, sum_) in http_client_request_duration_seconds.values().items() if key[2] == str(port)]
    assert took >= 0.1


async def test_a_caller_that_is_cancelled_counts(counts: Counts) -> None:
    with answering(b"", hang=True) as port:
        async with httpx.AsyncClient() as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.get(url(port))

    assert counts(port, error="CancelledError") == counts.all(port) == 1


def test_an_answer_that_breaks_off_is_one_error_and_no_success(counts: Counts) -> None:
    with answering(HALF) as port, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url(port))

    assert counts(port, 200, "RemoteProtocolError") == counts.all(port) == 1


async def test_an_answer_that_breaks_off_while_it_is_streamed_is_one_error(counts: Counts) -> None:
    with answering(HALF) as port:
        async with httpx.AsyncClient() as client, client.stream("GET", url(port)) as response:
            assert counts.all(port) == 0, "it goes on"
            with pytest.raises(httpx.RemoteProtocolError):
                [_ async for _ in response.aiter_bytes()]

    assert counts(port, 200, "RemoteProtocolError") == counts.all(port) == 1


def test_a_stream_that_is_not_read_to_its_end_is_one_success(counts: Counts) -> None:
    with (
        answering(HALF, hang=True) as port,
        httpx.Client() as client,
        client.stream("GET", url(port), timeout=5) as response,
    ):
        next(response.iter_raw())

    assert counts(port, 200) == counts.all(port) == 1


async def test_an_asyncio_stream_that_is_not_read_to_its_end_is_one_success(counts: Counts) -> None:
    with answering(HALF, hang=True) as port:
        async with httpx.AsyncClient() as client, client.stream("GET", url(port), timeout=5) as response:
            async for _ in response.aiter_raw():
                break
            gc.collect()
            await asyncio.sleep(0.01)  # the loop closes the generators

    assert counts(port, 200) == counts.all(port) == 1


async def test_a_stream_whose_reading_times_out_is_an_error(counts: Counts) -> None:
    with answering(HALF, hang=True) as port:
        async with httpx.AsyncClient(timeout=0.1) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get(url(port))

    assert counts(port, 200, "ReadTimeout") == counts.all(port) == 1


def test_a_method_that_nobody_knows_is_other(counts: Counts) -> None:
    with answering(OK, OK) as port, httpx.Client() as client:
        client.request("SECRET", url(port))
        client.request("get", url(port))

        assert counts(port, 200, method="_OTHER") == counts(port, 200) == 1


def test_a_suppressed_request_is_not_counted(counts: Counts) -> None:
    with answering(OK) as port, suppress_instrumentation():
        httpx.get(url(port))

    assert counts.all(port) == 0


async def test_a_request_without_a_network_is_not_counted(counts: Counts) -> None:
    before = http_client_request_duration_seconds.readings()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(FastAPI()), base_url="http://here") as client:
        await client.get("/nowhere")

    assert http_client_request_duration_seconds.readings() == before
