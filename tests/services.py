"""Real services for tests: each a uvicorn process on a free port, as `make up` starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests import marks
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Service:
    """A running service: where it answers, its process, and what it logs."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def started(folder: str, place: Path, settings: Mapping[str, str]) -> Iterator[Service]:
    """The service in that folder of apps/, started with these environment variables; it may not be ready yet."""
    marks.starts(folder)
    port = free_port()
    log = place / f"{folder}-{port}.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--factory", f"apps.{folder}.main:app",
             "--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--no-proxy-headers", "--backlog", "128",
             "--timeout-graceful-shutdown", "3", "--log-level", "warning"],
            env={**inherited, **settings}, stdout=output, stderr=output, cwd=ROOT,
        )  # fmt: skip
    try:
        yield Service(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(folder: str, place: Path, settings: Mapping[str, str]) -> Iterator[Service]:
    """The same, once it says that it is healthy."""
    with started(folder, place, settings) as service:
        try:
            wait_until(lambda: _healthy(service), 20, f"{folder} is healthy")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{service.log.read_text()}") from None
        yield service


def _healthy(service: Service) -> bool:
    if service.process.poll() is not None:
        raise RuntimeError(f"it ended with {service.process.returncode}:\n{service.log.read_text()}")
    try:
        return httpx.get(f"{service.url}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
