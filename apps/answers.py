"""Asks other services over HTTP. An answer has a time limit as a whole, and a largest size."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
from pydantic_core import from_json

from apps.inputs import in_sight

MOST_BYTES = 1_000_000
"""No answer is longer. A book of 1000 positions has some 100,000."""


class ErrorStatus(httpx.HTTPError):
    """The service answers with an error status. The message says which service, and has no address."""


class UnusableAnswer(httpx.RequestError):
    """The answer is too long, or compressed. The message says which service it is of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes

    def json(self) -> object:
        """What it says. Raises ValueError if it is not JSON, also if it nests too deeply."""
        return from_json(self.body)

    @property
    def text(self) -> str:
        """The body as text, whatever encoding it says it has."""
        return self.body.decode(errors="replace")


async def ask(http: httpx.AsyncClient, service: str, method: str, path: str, json: object = None) -> Answer:
    """Asks the service, whose name is for errors. Raises httpx.RequestError without an answer, or a usable one.

    The whole answer must be there in the time that the client has for a part of it.
    """
    seconds = http.timeout.read
    try:
        # The limit of httpx is for each part: an answer in many small parts would never end.
        async with (
            asyncio.timeout(seconds),
            http.stream(method, path, json=json, headers={"Accept-Encoding": "identity"}) as response,
        ):
            return Answer(response.status_code, response.headers, await _body(response, service))
    except TimeoutError as error:
        raise httpx.ReadTimeout(f"{service} gives no whole answer in {seconds:g} s") from error
    except httpx.RemoteProtocolError as error:  # its text has what was read, of any length
        raise httpx.RemoteProtocolError(in_sight(f"{service}: {error}")) from error


async def get(http: httpx.AsyncClient, service: str, path: str) -> Answer:
    """The same for a question. Raises `ErrorStatus` as well: any status but 2xx."""
    answer = await ask(http, service, "GET", path)
    if not 200 <= answer.status < 300:
        raise ErrorStatus(f"{service} answers {answer.status}")
    return answer


async def _body(response: httpx.Response, service: str) -> bytes:
    # A small part of a compressed answer may become a thousand times as long before its length can be seen.
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UnusableAnswer(f"{service}'s answer is compressed, which was not asked for")
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MOST_BYTES:
            raise UnusableAnswer(f"{service}'s answer has more than {MOST_BYTES} bytes")
    return bytes(body)
