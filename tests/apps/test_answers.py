"""What another service answers: it is read whole, in a time, and only up to a length."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import httpx
import pytest

from apps.answers import MOST_BYTES, ErrorStatus, UnusableAnswer, ask, get
from apps.catalogue import dependency_available
from apps.labels import DependencyLabels
from apps.orchestrator.allocation import WantedOrder
from apps.orchestrator.clients import ExecutionGateway, SignalService
from apps.orchestrator.dependencies import Dependencies
from apps.vocabulary import Side
from telemetry.testing import Recorded

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]
SECONDS = 0.3


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that answers so until the client hangs up."""
    connections: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(cast(asyncio.Task[None], asyncio.current_task()))
        await reader.readuntil(b"\r\n\r\n")
        answering = asyncio.ensure_future(serve(writer))
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as http:
        yield http
        await http.aclose()
        await asyncio.wait_for(asyncio.gather(*connections), 5)


def whole(body: bytes, status: str = "200 OK", headers: str = "") -> Serve:
    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await writer.drain()

    return serve


async def drip_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    await _drip(writer, b" ")


async def drip_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await _drip(writer, b"X: 1\r\n")


async def drip_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await _drip(writer, b"1\r\n \r\n")


async def _drip(writer: asyncio.StreamWriter, part: bytes) -> None:
    while True:
        writer.write(part)
        await asyncio.sleep(SECONDS / 10)


async def flood(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


async def test_an_answer_has_its_status_its_headers_its_text_and_what_it_says() -> None:
    async with serving(whole('{"reason": "\u00e4"}'.encode(), "429 Too Many", "Retry-After: 7\r\n")) as http:
        answer = await ask(http, "the gateway", "POST", "/orders", {"qty": 1})

    assert (answer.status, answer.headers["Retry-After"], answer.text) == (429, "7", '{"reason": "\u00e4"}')
    assert answer.json() == {"reason": "\u00e4"}


async def test_an_error_status_names_the_service_and_not_its_address() -> None:
    for status in ("503 Service Unavailable", "302 Found", "404 Not Found"):
        async with serving(whole(b"", status)) as http:
            with pytest.raises(ErrorStatus) as error:
                await get(http, "the gateway", "/book")
        assert str(error.value) == f"the gateway answers {status[:3]}"


@pytest.mark.parametrize("drip", [drip_headers, drip_body, drip_chunks])
async def test_an_answer_in_small_parts_ends_in_the_time_of_one(drip: Serve) -> None:
    began = asyncio.get_running_loop().time()
    async with serving(drip) as http:
        with pytest.raises(httpx.ReadTimeout, match=r"^the gateway gives no whole answer in 0\.3 s$"):
            await get(http, "the gateway", "/book")

        assert asyncio.get_running_loop().time() - began < 5 * SECONDS


async def test_what_is_not_http_is_told_in_a_short_line() -> None:
    async def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 10_000 + b"\r\n\r\n")

    async with serving(speak) as http:
        with pytest.raises(httpx.RemoteProtocolError, match=r"^the gateway: illegal status line") as error:
            await get(http, "the gateway", "/book")

    assert len(str(error.value)) <= 200


async def test_an_answer_is_read_up_to_the_longest_and_no_further() -> None:
    async with serving(whole(b" " * MOST_BYTES)) as http:
        assert len((await get(http, "the gateway", "/book")).body) == MOST_BYTES
    for serve in (whole(b" " * (MOST_BYTES + 1)), flood):
        async with serving(serve) as http:
            with pytest.raises(UnusableAnswer, match=r"^the gateway's answer has more than 1000000 bytes$"):
                await get(http, "the gateway", "/book")


async def test_a_compressed_answer_is_not_unpacked() -> None:
    for packed, encoding in (
        (gzip.compress(b" " * 100_000_000), "gzip"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
    ):
        async with serving(whole(packed, headers=f"Content-Encoding: {encoding}\r\n")) as http:
            with pytest.raises(UnusableAnswer, match=r"^the gateway's answer is compressed"):
                await get(http, "the gateway", "/book")


@pytest.mark.parametrize("body", ["[" * 200_000, '{"a":' * 100_000, "", "{", '"\ud800"'.encode(errors="surrogatepass")])
async def test_what_is_not_json_or_nests_too_deeply_is_a_value_error(body: str | bytes) -> None:
    async with serving(whole(body.encode() if isinstance(body, str) else body)) as http:
        answer = await get(http, "the gateway", "/book")

    with pytest.raises(ValueError, match=r"."):
        answer.json()


ORDER = WantedOrder("AAPL", Side.BUY, 1)
QUESTIONS: dict[str, Callable[[httpx.AsyncClient], Awaitable[object]]] = {
    "targets": lambda http: SignalService(http).targets(),
    "book": lambda http: ExecutionGateway(http).book(),
    "place": lambda http: ExecutionGateway(http).place(ORDER, "1"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("serve", [drip_body, flood])
async def test_no_question_of_the_orchestrator_waits_for_an_answer_without_end(question: str, serve: Serve) -> None:
    began = asyncio.get_running_loop().time()
    async with serving(serve) as http:
        with pytest.raises(httpx.RequestError):
            await QUESTIONS[question](http)

    assert asyncio.get_running_loop().time() - began < 10 * SECONDS


async def test_a_service_whose_health_has_no_end_is_not_available(recorded: Recorded) -> None:
    for serve in (drip_body, flood):
        async with serving(serve) as http:
            await Dependencies({"execution-gateway": http}).ask()
        assert recorded(dependency_available, DependencyLabels(dependency="execution-gateway")) == 0
