"""A service has as many file descriptors as it may have, and a log that clients cannot fill."""

from __future__ import annotations

import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from apps.descriptors import MOST
from tests.services import ROOT, free_port
from tests.waiting import wait_until

HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.parametrize(
    ("limits", "raised"),
    [
        ((100, 200), (200, 200)),
        ((300, 300), (300, 300)),
        ((1024, HARD), (MOST if HARD == resource.RLIM_INFINITY else min(HARD, MOST), HARD)),
    ],
)
def test_the_soft_limit_is_raised_to_the_hard_one_or_to_the_most(
    limits: tuple[int, int], raised: tuple[int, int]
) -> None:
    code = f"import resource as r; from apps.descriptors import raise_limit; r.setrlimit(r.RLIMIT_NOFILE, {limits})\n"
    code += "raise_limit(); print(r.getrlimit(r.RLIMIT_NOFILE))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == str(raised)


SERVICE = """
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from apps.guard import guarded
from telemetry import repeats, set_up_logging

repeats.PAUSE_SECONDS = float(os.environ["PAUSE_SECONDS"])

@asynccontextmanager
async def lifespan(_):
    yield

def app():
    set_up_logging("a_service")
    made = guarded("a-service", lifespan)
    made.get("/health")(lambda: "ok")
    return made
"""


@contextmanager
def serving(place: Path, limits: tuple[int, int], pause: float = 60) -> Iterator[tuple[int, Path]]:
    """A guarded application, started with these limits: its port, and its log. After `pause` a line is told again."""
    port, log = free_port(), place / "service.log"
    (place / "a_service.py").write_text(SERVICE)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--factory", "a_service:app", "--app-dir", str(place),
             "--port", str(port), "--no-access-log", "--log-level", "warning", "--backlog", "128"],
            cwd=ROOT, stdout=output, stderr=output, env={"PYTHONPATH": str(ROOT), "PAUSE_SECONDS": str(pause)},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
        )  # fmt: skip
    try:
        wait_until(lambda: answers(port), 20, "the service answers")
        yield port, log
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def half_a_request(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=2)
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127")
    return connection


@pytest.mark.server
def test_many_connections_without_a_request_do_not_use_up_a_low_soft_limit(tmp_path: Path) -> None:
    with serving(tmp_path, (128, 1024)) as (port, log), ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(half_a_request(port))

        assert answers(port)
        assert log.read_text() == ""


@pytest.mark.server
def test_without_a_file_descriptor_left_one_line_says_so_and_the_service_answers_once_there_is_one(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, (128, 128), pause=1.5) as (port, log):
        with ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(half_a_request(port))
            wait_until(lambda: "out of system resource" in log.read_text(), 5, "it is said")
            # asyncio tries again each second, as often as the backlog is long.
            again = r"\((\d+) earlier times it was not logged\)"
            wait_until(lambda: re.search(again, log.read_text()), 10, "it is said again, with the number of the others")
            lines = log.read_text().splitlines()
            left_out = sum(map(int, re.findall(again, log.read_text())))
            assert left_out > 100
            assert len(lines) <= 3
        wait_until(lambda: answers(port), 10, "it answers again")


@pytest.mark.server
def test_requests_that_cannot_be_read_and_upgrades_are_a_line_of_each_kind_however_many_come(tmp_path: Path) -> None:
    upgrade = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with serving(tmp_path, (128, 1024)) as (port, log):
        for _ in range(20):
            for request, status in ((b"\x00\xff\r\n\r\n", b"400"), (upgrade, b"200")):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                    connection.sendall(request)
                    assert connection.recv(100).split()[1] == status

        said = [line.split(": ", 1)[1] for line in log.read_text().splitlines()]
    assert [line.split(".")[0] for line in said] == [
        "Invalid HTTP request received",
        "Unsupported upgrade request",
        "No supported WebSocket library detected",
    ]
