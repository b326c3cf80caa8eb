"""Asking the market data service for the trading date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from apps.answers import ErrorStatus
from apps.session import Session
from tests.apps.markets import MONDAY
from tests.services import free_port


@asynccontextmanager
async def answering(answer: bytes, *, slowly: bool = False) -> AsyncIterator[Session]:
    """A session at a server that gives this answer, or only begins to."""
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"GET /api/v1/session HTTP/1.1")
        writer.write(answer)
        if slowly:
            await reader.read()
        writer.close()
        await writer.wait_closed()
        served.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    session = Session(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield session
    finally:
        await session.close()
        await asyncio.wait_for(served.wait(), 5)
        server.close()
        await server.wait_closed()


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


async def test_the_trading_date_is_read() -> None:
    async with answering(http('{"trading_date": "2020-03-09", "open": true, "finished": false}')) as session:
        assert await session.trading_date() == MONDAY


@pytest.mark.parametrize(
    "body",
    [
        "",
        "junk",
        "[]",
        "{}",
        "[" * 200_000,
        '{"trading_date": null}',
        '{"trading_date": "20200309"}',
        '{"trading_date": 5}',
    ],
)
async def test_an_answer_without_a_trading_date_is_a_value_error(body: str) -> None:
    async with answering(http(body)) as session:
        with pytest.raises(ValueError, match=r"."):
            await session.trading_date()


async def test_an_error_status_and_a_service_that_is_away_are_http_errors() -> None:
    async with answering(http("{}", "503 Service Unavailable")) as session:
        with pytest.raises(ErrorStatus, match=r"^the market data service answers 503$"):
            await session.trading_date()
    away = Session(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(httpx.ConnectError):
        await away.trading_date()
    await away.close()


@pytest.mark.parametrize("begun", [b"", http("{}")[:-2]])
async def test_a_service_that_does_not_answer_in_a_second_is_an_http_error(begun: bytes) -> None:
    began = asyncio.get_running_loop().time()
    async with answering(begun, slowly=True) as session:
        with pytest.raises(httpx.TimeoutException):
            await session.trading_date()

    assert asyncio.get_running_loop().time() - began < 2
