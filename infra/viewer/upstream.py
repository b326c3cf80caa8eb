"""Passes a request on to Prometheus or to the pager and streams the answer back, or says why there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
# What describes the body. Nothing else of the answer is handed on.
_DESCRIBING = ("content-type", "content-encoding", "content-length")
# Answers are of this moment. A browser that kept them would show the past as the present.
_FRESH = {"cache-control": "no-store"}


class Upstream:
    """A server that only the viewer asks, at paths that only the viewer chooses.

    Args:
        name: As people call it.
        url: Its address.
        advice: What people can do when it does not answer.
        refusal: Makes the body of an error from a sentence, in the form that the clients of this server read.
        seconds: How long it may take until its answer begins, and how long the answer may pause.
    """

    def __init__(
        self, name: str, url: str, advice: str, refusal: Callable[[str], Mapping[str, str]], seconds: float
    ) -> None:
        self._name = name
        self._advice = advice
        self._refusal = refusal
        self._seconds = seconds
        # A proxy from the environment must not be used for addresses of this machine. And a cookie that is kept would
        # be sent with the next request, whose ever that is.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(base_url=url, timeout=seconds, trust_env=False, cookies=no_cookies)

    async def close(self) -> None:
        await self._client.aclose()

    async def answer(self, request: Request, path: str) -> Response:
        """The answer to the request's query, or to its form, at `path`. 502 if there is none, 504 if it is late."""
        headers = {"accept-encoding": request.headers.get("accept-encoding", "identity")}
        body = None
        if request.method == "POST":
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
                return JSONResponse(self._refusal(f"the body must be of the type {FORM}"), 415)
            body = await request.body()
            headers["content-type"] = FORM
        url = httpx.URL(path=path, query=request.scope["query_string"] or None)
        try:
            async with asyncio.timeout(self._seconds):
                asked = self._client.build_request(request.method, url, headers=headers, content=body)
                answer = await self._client.send(asked, stream=True)
        except (TimeoutError, httpx.TimeoutException):
            return self._unavailable(504, f"{self._name} has not answered within {self._seconds:g} s.")
        except httpx.TransportError:
            return self._unavailable(502, f"{self._name} does not answer.")
        return _Passed(self._name, answer)

    def _unavailable(self, status: int, sentence: str) -> Response:
        return JSONResponse(self._refusal(f"{sentence} {self._advice}"), status, headers=_FRESH)


class _Passed(StreamingResponse):
    """The answer as it arrives, never held as a whole."""

    def __init__(self, name: str, answer: httpx.Response) -> None:
        headers = {each: answer.headers[each] for each in _DESCRIBING if each in answer.headers}
        super().__init__(answer.aiter_raw(), answer.status_code, headers | _FRESH)
        self._name = name
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except httpx.TransportError as error:
            # The status has been sent. uvicorn closes the connection, so that half an answer is not taken for a whole.
            logger.warning("the answer of %s broke off: %s", self._name, type(error).__name__)
        finally:
            await self._answer.aclose()  # also when the browser has left before the first byte
