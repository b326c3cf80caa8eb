"""Foreign hosts, foreign pages and large bodies are refused before the code of an application runs."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict

from apps.guard import ANSWER_BYTES, BODY_BYTES, PROBLEMS, guarded
from tests.waiting import wait_until


class Change(BaseModel):
    """The body of the endpoint."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    times: list[int] = []


class Application:
    """An application that notes whether its own code ran."""

    def __init__(self) -> None:
        self.ran = 0

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            yield

        self.app = guarded("a-service", lifespan)

        @self.app.post("/trip")
        async def trip(change: Change) -> str:
            self.ran += 1
            return change.reason

        @self.app.get("/state")
        async def state() -> int:
            self.ran += 1
            return self.ran

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8002") as client:
                return await client.request(method, path, **how)

        return asyncio.run(asked())


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8002", "localhost:9", "LOCALHOST", "[::1]:8002"])
def test_its_own_host_names_are_accepted(application: Application, host: str) -> None:
    assert application.ask("GET", "/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8002", "127.0.0.1.evil.example", "localhost.evil.example", "", "127.0.0.1, x", "0"],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/state"), ("POST", "/trip"), ("GET", "/nowhere")])
def test_a_foreign_host_name_is_refused(application: Application, host: str, method: str, path: str) -> None:
    answer = application.ask(method, path, headers={"host": host}, json={"reason": "x"})

    assert (answer.status_code, application.ran) == (400, 0)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9099", "http://127.0.0.1", "http://localhost:8002", ""]
)
def test_a_page_of_another_origin_cannot_change_anything(application: Application, origin: str) -> None:
    answer = application.ask("POST", "/trip", headers={"origin": origin}, json={"reason": "x"})

    assert (answer.status_code, application.ran) == (403, 0)
    assert answer.json() == {"detail": "a page of another origin may not change anything here"}


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:8002"}, {"origin": "HTTPS://127.0.0.1:8002"}])
def test_a_program_and_a_page_of_the_same_origin_can_make_changes(
    application: Application, headers: dict[str, str]
) -> None:
    answer = application.ask("POST", "/trip", headers=headers, json={"reason": "x"})

    assert (answer.status_code, answer.json()) == (200, "x")


def test_two_origin_headers_are_refused_if_one_is_foreign(application: Application) -> None:
    both = [("origin", "http://127.0.0.1:8002"), ("origin", "http://evil.example")]

    assert application.ask("POST", "/trip", headers=both, json={"reason": "x"}).status_code == 403


def test_a_page_of_another_origin_can_read(application: Application) -> None:
    assert application.ask("GET", "/state", headers={"origin": "http://evil.example"}).status_code == 200


def test_the_answer_to_input_with_many_problems_is_short(application: Application) -> None:
    answer = application.ask("POST", "/trip", json={"reason": "x", **{f"field{i}": i for i in range(1000)}})

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", f"field{i}"] for i in range(PROBLEMS)]
    assert answer.json()["left_out"] == 1000 - PROBLEMS
    assert len(answer.content) <= ANSWER_BYTES


@pytest.mark.parametrize("name", ["x" * 6000, "\N{GRINNING FACE}" * 500, "\x00" * 1000, "\\" * 3000])
def test_long_names_are_cut(application: Application, name: str) -> None:
    fields = {f"{number}{name}": 1 for number in range(9)}
    answer = application.ask("POST", "/trip", json={"reason": "x", **fields})

    assert answer.status_code == 422
    assert len(answer.content) <= ANSWER_BYTES
    assert len(answer.json()["detail"]) + answer.json().get("left_out", 0) == 9


def test_a_few_problems_are_all_named(application: Application) -> None:
    answer = application.ask("POST", "/trip", json={"times": ["x", 2, None]})

    assert [problem["loc"] for problem in answer.json()["detail"]] == [
        ["body", "reason"],
        ["body", "times", 0],
        ["body", "times", 2],
    ]
    assert "left_out" not in answer.json()


# --- over a real connection


@contextmanager
def serving(application: Application) -> Iterator[int]:
    """Serves the application with uvicorn in a thread, and returns the port."""
    server = uvicorn.Server(uvicorn.Config(application.app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, 5, "uvicorn serves")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def send(port: int, head: str, *parts: bytes) -> bytes:
    """Sends until the other side closes the connection. Returns everything that it answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        try:
            connection.sendall(head.encode())
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                return answer
            if not more:
                return answer
            answer += more


HEAD = "POST /trip HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def test_a_body_that_is_too_large_is_a_413_without_reading_it_and_the_connection_is_closed(
    application: Application,
) -> None:
    with serving(application) as port:
        answer = send(port, f"{HEAD}Content-Length: 50000000\r\n\r\n", b'{"reason": "')

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert application.ran == 0


def test_a_chunked_body_is_a_413_as_soon_as_it_is_too_large(application: Application) -> None:
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    with serving(application) as port:
        answer = send(port, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 8)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert application.ran == 0


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413)])
def test_a_body_may_have_exactly_the_limit_and_not_one_byte_more(
    application: Application, extra: int, status: int
) -> None:
    body = json.dumps({"reason": ""}).encode()
    body = body.replace(b'""', b'"' + b"x" * (BODY_BYTES - len(body) + extra) + b'"')

    assert len(body) == BODY_BYTES + extra
    answer = application.ask("POST", "/trip", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status


@pytest.mark.parametrize("refused", ["Host: evil.example", "Host: 127.0.0.1\r\nOrigin: http://evil.example"])
def test_the_body_of_a_refused_request_is_not_read_to_its_end(application: Application, refused: str) -> None:
    with serving(application) as port:
        answer = send(port, f"POST /trip HTTP/1.1\r\n{refused}\r\nContent-Length: 50000000\r\n\r\n", b"x")

    assert answer.split(b"\r\n")[0] in (b"HTTP/1.1 400 Bad Request", b"HTTP/1.1 403 Forbidden")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_the_connection_is_kept_if_the_body_was_read(application: Application) -> None:
    with serving(application) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        answers = [client.post("/trip", json=body) for body in ({"reason": "x"}, {}, {"reason": "y"})]
        answers.append(client.get("/nowhere"))

    assert [answer.status_code for answer in answers] == [200, 422, 200, 404]
    assert all("connection" not in answer.headers for answer in answers)


@pytest.mark.parametrize(
    ("path", "allowed"), [("/orders/7", "DELETE, GET"), ("/orders", "GET, POST"), ("/trip", "POST"), ("/state", "GET")]
)
def test_a_method_that_a_path_does_not_have_is_a_405_that_lists_all_that_it_has(path: str, allowed: str) -> None:
    application = Application()
    router = APIRouter()
    for method, template in (
        ("GET", "/orders"),
        ("POST", "/orders"),
        ("GET", "/orders/{id}"),
        ("DELETE", "/orders/{id}"),
    ):
        router.add_api_route(template, lambda: None, methods=[method])
    application.app.include_router(router)

    answer = application.ask("PUT", path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_what_is_refused_before_an_endpoint_is_in_its_openapi() -> None:
    answers = Application().app.openapi()["paths"]["/trip"]["post"]["responses"]

    assert answers.keys() == {"200", "400", "403", "413", "422"}
