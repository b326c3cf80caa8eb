"""The viewer in front of a real Prometheus: the same answers as Prometheus itself gives, and none while it hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from infra.setup.installation import BIN
from infra.viewer.app import create
from tests.infra.viewer.serving import nobody, serving
from tests.servers import Server, folder, program_running
from tests.services import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.server

CONFIGURATION = """
global: { scrape_interval: 1s }
scrape_configs: [{ job_name: prometheus, static_configs: [{ targets: ["%s"] }] }]
"""
SECONDS = 2.0


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Server]:
    """One that scrapes itself, with some samples."""
    target = f"127.0.0.1:{free_port()}"
    with folder() as place:
        file = place / "prometheus.yml"
        file.write_text(CONFIGURATION % target)
        command = [
            str(BIN / "prometheus"),
            f"--config.file={file}",
            f"--web.listen-address={target}",
            f"--storage.tsdb.path={place / 'data'}",
        ]
        with program_running(command, place / "prometheus.log") as process:
            server = Server(f"http://{target}", process)
            wait_until(lambda: _samples(server) > 3, 20, "it has samples")
            yield server


def _samples(server: Server) -> float:
    try:
        answer = httpx.get(f"{server.url}/api/v1/query", params={"query": "count_over_time(up[1m])"})
    except httpx.TransportError:
        return 0
    result = answer.json().get("data", {"result": []})["result"] if answer.is_success else []
    return float(result[0]["value"][1]) if result else 0


@dataclass(frozen=True)
class Both:
    """Clients of the same API: of Prometheus itself, and of the viewer in front of it."""

    itself: httpx.Client
    viewer: httpx.Client


@pytest.fixture(scope="module")
def both(prometheus: Server) -> Iterator[Both]:
    with (
        serving(create(prometheus.url, nobody(), seconds=SECONDS)) as url,
        httpx.Client(base_url=f"{prometheus.url}/api/v1", timeout=20) as itself,
        httpx.Client(base_url=f"{url}/api/prometheus/api/v1", timeout=20) as viewer,
    ):
        yield Both(itself, viewer)


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("query", {"query": 'max by (job) (up{job=~"prom.+|x"})'}, 200),
        ("query", {"query": "sum("}, 400),
        ("query_range", {"query": "count_over_time(up[10s] offset -1s)", "step": "1"}, 200),
        ("query_range", {"query": "up", "step": "0"}, 400),
        ("series", {"match[]": 'prometheus_http_requests_total{code=~"2.."}'}, 200),
        ("labels", {"match[]": 'prometheus_http_requests_total{code=~"2.."}'}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_has_the_answer_of_prometheus_itself(
    both: Both, path: str, asked: dict[str, str], status: int, method: str
) -> None:
    now = time.time()
    times = {"time": str(now)} if path == "query" else {"start": str(now - 60), "end": str(now)}
    parameters = asked | times
    how = {"params": parameters} if method == "GET" else {"data": parameters}

    direct = both.itself.request(method, path, **how)  # type: ignore[arg-type]
    passed = both.viewer.request(method, path, **how)  # type: ignore[arg-type]

    assert (passed.status_code, passed.json()) == (direct.status_code, direct.json())
    assert passed.headers["content-type"] == direct.headers["content-type"]
    assert passed.status_code == status
    assert passed.json()["data" if status == 200 else "error"]


@pytest.mark.parametrize("path", ["label/job/values", "metadata", "rules", "alerts", "status/buildinfo"])
def test_what_there_is_to_know_is_what_prometheus_itself_says(both: Both, path: str) -> None:
    direct, passed = both.itself.get(path), both.viewer.get(path)

    assert passed.status_code == 200
    assert passed.json() == direct.json()


def test_a_large_answer_stays_compressed_on_its_whole_way(both: Both) -> None:
    query = {"query": '{__name__=~".+"}', "start": str(time.time() - 3600), "end": str(time.time()), "step": "1"}

    with both.viewer.stream("GET", "query_range", params=query, headers={"accept-encoding": "gzip"}) as answer:
        compressed = sum(len(part) for part in answer.iter_raw())
    whole = both.viewer.get("query_range", params=query).json()["data"]["result"]

    assert answer.headers["content-encoding"] == "gzip"
    assert len(whole) > 300
    assert compressed < len(str(whole)) / 2


def test_while_prometheus_hangs_each_query_is_a_504_in_time_and_then_all_is_as_before(
    both: Both, prometheus: Server
) -> None:
    prometheus.pause()
    try:
        began = time.monotonic()
        answer = both.viewer.get("query", params={"query": "up"})
        took = time.monotonic() - began
    finally:
        prometheus.resume()

    assert (answer.status_code, answer.json()["errorType"]) == (504, "unavailable")
    assert "Prometheus has not answered within 2 s" in answer.json()["error"]
    assert SECONDS <= took < SECONDS + 3
    wait_until(lambda: both.viewer.get("query", params={"query": "up"}).status_code == 200, 10, "it answers again")
