"""A service that another program starts: its requests count once, /metrics answers, and the log is true."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from tests import marks
from tests.documents import ROOT
from tests.services import free_port
from tests.telemetry.service import answers, values
from tests.telemetry.test_http import DURATION, series_of
from tests.telemetry.test_http_cases import environment
from tests.waiting import wait_until

pytestmark = pytest.mark.server

SERVICE = """
import logging

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")

from fastapi import FastAPI

import telemetry

app = FastAPI()
telemetry.init("post_office", app)


@app.get("/letters/{letter_id}")
async def letter(letter_id: int) -> int:
    return letter_id
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with gunicorn and all that `opentelemetry-instrument` may use."""
    marks.starts("gunicorn")
    python = environment(
        tmp_path_factory.mktemp("launchers"),
        f"fastapi=={version('fastapi')}",
        "gunicorn",
        "uvicorn-worker",
        "opentelemetry-distro",
        "opentelemetry-instrumentation-starlette",
    )
    return Path(python).parent


THEIRS = (
    "metrics: ours, and what the MeterProvider that was there before records from now on; "
    "traces: those of the TracerProvider that was there before"
)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "gunicorn --preload --no-control-socket -k uvicorn_worker.UvicornWorker -b 127.0.0.1:{port} service:app",
            "metrics: ours and those of the OpenTelemetry API; traces: none",
        ),
        ("opentelemetry-instrument {programs}/uvicorn --port {port} service:app", THEIRS),
    ],
    ids=["gunicorn, preloaded", "opentelemetry-instrument"],
)
def test_each_request_counts_once_under(command: str, said: str, programs: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    (tmp_path / "service.py").write_text(SERVICE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "COVERAGE_"))}
    settings = {
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(free_port()),
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    program, *arguments = command.format(port=port, programs=programs).split()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [programs / program, *arguments],
            cwd=tmp_path,
            env={**inherited, **settings},
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{url}/metrics"), 20, "it answers")
        for number in range(3):
            httpx.get(f"{url}/letters/{number}", headers={"Host": "forged.example"})
        text = httpx.get(f"{url}/metrics").text
    finally:
        process.terminate()
        process.wait(20)

    series = series_of(text)
    assert values(series, DURATION, http_route="/letters/{letter_id}", http_response_status_code="200") == [3]
    assert sum(values(series, DURATION)) == 3
    assert not any(re.match("http_server_(duration|response)", name) for name, _ in series)
    assert "forged" not in text
    assert f"INFO telemetry.sdk telemetry of post_office: {said}\n" in log.read_text()
    assert "Traceback" not in log.read_text()
