"""What the start of everything waits for, and what it can do without."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.failure import Failure
from infra.local.data_folder import DataFolder
from infra.local.processes import SERVICES, Process
from infra.local.running import Running, Stopping
from tests import servers

pytestmark = pytest.mark.server


class Scraped(BaseHTTPRequestHandler):
    """Answers as a Prometheus that has just scraped every service."""

    def do_GET(self) -> None:  # the name that http.server calls
        series = [{"metric": {"job": job}, "value": [0, str(time.time())]} for job in SERVICES.values()]
        body = json.dumps({"data": {"result": series}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scraped)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place() -> Iterator[Path]:
    with servers.folder() as folder:
        yield folder


def start(place: Path, prometheus: str, *processes: Process) -> list[float]:
    """Runs them until they are ready. Returns how long that took, once."""
    data, stopping = DataFolder(place / "data"), Stopping()
    data.create()
    took: list[float] = []

    def ready(seconds: float) -> None:
        took.append(seconds)
        stopping.asked.set()

    Running(processes, data, prometheus, stopping).until_stopped(lambda: None, ready)
    return took


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


REDIS = Process("redis", ["sleep", "60"], lambda: "")


def dies(name: str) -> Process:
    return Process(name, ["false"], lambda: f"{name} does not answer")


def test_a_viewer_that_cannot_be_started_does_not_stop_the_rest(
    place: Path, prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(start(place, prometheus, REDIS, dies("viewer"))) == 1
    assert "viewer died (exit status 1) and will be restarted." in capsys.readouterr().out


def test_any_other_process_does(place: Path, prometheus: str) -> None:
    with pytest.raises(Failure, match="pager is not ready: pager does not answer") as failed:
        start(place, prometheus, REDIS, dies("viewer"), dies("pager"))

    assert f"{place}/data/logs/pager.log ends with:" in str(failed.value)
