"""`opentelemetry-instrument`, with its distro and without: whose metrics there are, and that they are sent once."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics

from tests.documents import ROOT
from tests.services import free_port
from tests.telemetry.service import answers, values
from tests.telemetry.test_http import series_of
from tests.telemetry.test_http_cases import environment
from tests.waiting import wait_until

pytestmark = pytest.mark.server

SERVICE = """
import logging

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")

from fastapi import FastAPI
from opentelemetry import metrics

app = FastAPI()
jobs = metrics.get_meter("a library").create_counter("jobs")


@app.get("/job")
async def job() -> int:
    jobs.add(1)
    return 1
"""
INIT = '\nimport telemetry\n\ntelemetry.init("post_office", app)\n'
OURS = {"OTEL_PYTHON_METER_PROVIDER": "telemetry", "OTEL_PYTHON_CONFIGURATOR": "telemetry"}
OFTEN = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "200"}
QUIET = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
SPANS = {
    **QUIET,
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}


@dataclass
class Collected:
    """What a collector was sent, by the path to which it was."""

    url: str
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    def resources(self) -> list[ResourceMetrics]:
        requests = [ExportMetricsServiceRequest.FromString(body) for body in self.bodies.get("/v1/metrics", [])]
        return [one for request in requests for one in request.resource_metrics]

    def metrics(self, name: str) -> list[Metric]:
        """A metric as it was sent, each time."""
        return [
            metric
            for resource in self.resources()
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]

    def said(self, attribute: str) -> list[str]:
        """The values of an attribute of the resource, in the order in which they came."""
        named = [
            pair.value.string_value
            for resource in self.resources()
            for pair in resource.resource.attributes
            if pair.key == attribute
        ]
        return list(dict.fromkeys(named))


class Taking(BaseHTTPRequestHandler):
    """Takes what is sent."""

    def __init__(self, bodies: dict[str, list[bytes]], *given: object) -> None:
        self.bodies = bodies
        super().__init__(*given)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
        self.bodies.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


@pytest.fixture
def collector() -> Iterator[Collected]:
    bodies: dict[str, list[bytes]] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Taking, bodies)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Collected(f"http://127.0.0.1:{server.server_port}", bodies)
        server.shutdown()


def installation(place: Path, *more: str) -> Path:
    """The programs of an environment with these packages."""
    same = ("instrumentation", "exporter-otlp-proto-http")
    packages = [f"opentelemetry-{name}=={version(f'opentelemetry-{name}')}" for name in same]
    return Path(environment(place, f"fastapi=={version('fastapi')}", *packages, *more)).parent


@pytest.fixture(scope="module")
def without_distro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installation(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def with_distro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    distro = f"opentelemetry-distro=={version('opentelemetry-instrumentation')}"
    return installation(tmp_path_factory.mktemp("distro"), distro)


@pytest.fixture(params=["without_distro", "with_distro"])
def programs(request: pytest.FixtureRequest) -> Path:
    """Those of either environment."""
    found: Path = request.getfixturevalue(request.param)
    return found


@dataclass(frozen=True)
class Service:
    """A service that was started by `opentelemetry-instrument`."""

    url: str
    log: Path

    def work(self, times: int) -> None:
        for _ in range(times):
            httpx.get(f"{self.url}/job").raise_for_status()


@contextmanager
def started(programs: Path, place: Path, installed: Path, source: str, **settings: str) -> Iterator[Service]:
    port, log = free_port(), place / "log"
    (place / "service.py").write_text(source)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "COVERAGE_"))}
    settings = {"OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()), **settings}
    command: list[str | Path] = [
        programs / "opentelemetry-instrument",
        programs / "uvicorn",
        "--port",
        str(port),
        "service:app",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=place,
            env={**inherited, "PYTHONPATH": f"{ROOT}:{place}:{installed}", **settings},
            stdout=output,
            stderr=output,
        )
    try:
        service = Service(f"http://127.0.0.1:{port}", log)
        wait_until(lambda: answers(f"{service.url}/job") or process.poll() is not None, 20, "it answers")
        assert process.poll() is None, log.read_text()
        yield service
    finally:
        process.terminate()
        process.wait(20)


def test_without_init_what_libraries_record_has_a_port_of_its_own(
    programs: Path, tmp_path: Path, installed: Path
) -> None:
    port = free_port()
    chosen = {**OURS, **QUIET, "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_SERVICE_NAME": "post-office"}
    with started(programs, tmp_path, installed, SERVICE, **chosen, OTEL_EXPORTER_PROMETHEUS_PORT=str(port)) as service:
        service.work(2)
        series = series_of(httpx.get(f"http://127.0.0.1:{port}/metrics").text)

    assert values(series, "jobs_total") == [3]
    assert values(series, "target_info", service_name="post-office") == [1]
    assert any(name.startswith("http_server_") for name, _ in series)
    assert not [line for line in service.log.read_text().splitlines() if "Overriding" in line or "Traceback" in line]


@pytest.mark.parametrize("spans", [QUIET, SPANS], ids=["no trace exporter", "a trace exporter"])
def test_with_init_they_are_sent_once_under_the_name_that_it_gives(
    spans: dict[str, str], programs: Path, tmp_path: Path, installed: Path, collector: Collected
) -> None:
    chosen = {**OURS, **OFTEN, **spans, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with started(programs, tmp_path, installed, SERVICE + INIT, **chosen) as service:
        service.work(2)
        wait_until(lambda: jobs_sent(collector) == 3, 20, "what was recorded has arrived")
        if spans is SPANS:
            wait_until(lambda: b"GET /job" in b"".join(collector.bodies.get("/v1/traces", [])), 20, "spans have, too")

    assert collector.said("service.name")[-1] == "post-office"
    assert len(collector.said("service.instance.id")) == 1
    names = [metric.name for scope in collector.resources()[-1].scope_metrics for metric in scope.metrics]
    assert len(names) == len(set(names))
    assert {"build_info", "jobs", "process_cpu_seconds_total"} <= set(names)
    assert ("/v1/traces" in collector.bodies) is (spans is SPANS)
    log = service.log.read_text()
    assert "telemetry of post_office: metrics: ours and those of the OpenTelemetry API, sent over OTLP" in log
    assert "Overriding" not in log
    assert "Traceback" not in log


def jobs_sent(collector: Collected) -> int:
    return max(
        (int(point.as_int) for metric in collector.metrics("jobs") for point in metric.sum.data_points), default=0
    )


def test_an_exporter_of_spans_that_is_not_installed_costs_no_metrics(
    with_distro: Path, tmp_path: Path, installed: Path, collector: Collected
) -> None:
    chosen = {**OURS, **OFTEN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}  # the distro adds spans over gRPC
    with started(with_distro, tmp_path, installed, SERVICE, **chosen) as service:
        service.work(2)
        wait_until(lambda: jobs_sent(collector) == 3, 20, "what was recorded has arrived")

    assert "there are no spans and logs: the SDK could not be set up: RuntimeError" in service.log.read_text()


SDK = "metrics: ours, and what the MeterProvider that was there before records from now on"
PROXY = "metrics: ours and those of the OpenTelemetry API"


@pytest.mark.parametrize(
    ("programs", "chosen", "said"),
    [
        ("with_distro", {}, SDK),
        ("without_distro", {}, PROXY),
        ("with_distro", {"OTEL_PYTHON_CONFIGURATOR": "telemetry"}, SDK),
        ("without_distro", {"OTEL_PYTHON_CONFIGURATOR": "telemetry"}, SDK),
        ("with_distro", {**OURS, "OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider"}, SDK),
        ("with_distro", OURS, PROXY),
    ],
    indirect=["programs"],
)
def test_it_takes_the_place_of_the_sdk_only_where_the_meter_provider_is_ours(
    chosen: dict[str, str], said: str, programs: Path, tmp_path: Path, installed: Path
) -> None:
    settings = {**chosen, **QUIET, "OTEL_METRICS_EXPORTER": "prometheus"}
    with started(programs, tmp_path, installed, SERVICE + INIT, **settings) as service:
        service.work(2)
        series = series_of(httpx.get(f"{service.url}/metrics").text)

    assert values(series, "jobs_total") == [3]
    assert values(series, "build_info") == [1]
    assert f"telemetry of post_office: {said}" in service.log.read_text()
