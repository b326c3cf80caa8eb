"""A service whose modules are executed twice."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import telemetry
from tests.documents import ROOT
from tests.telemetry.apart import apart
from tests.telemetry.service import answers, get, small_app, values
from tests.telemetry.test_exposition import parsed
from tests.waiting import wait_until

POST_OFFICE = """
import sys

import uvicorn
from fastapi import FastAPI

import telemetry

letters_total = telemetry.Counter("letters_total", "Letters.", unit="{letter}")
app = FastAPI()
telemetry.init("post_office", app)


@app.post("/letters")
async def send() -> None:
    letters_total.add(1)


if __name__ == "__main__":
    uvicorn.run("post_office:app", port=int(sys.argv[1]), reload="--reload" in sys.argv)
"""


@pytest.mark.parametrize("more", [[], ["--reload"]], ids=["", "reload"])
def test_a_service_whose_file_is_executed_twice_has_each_metric_once(
    tmp_path: Path, free_port: str, more: list[str]
) -> None:
    (tmp_path / "post_office.py").write_text(POST_OFFICE)
    environment = {**os.environ, "PYTHONPATH": str(Path(telemetry.__file__).parents[1])}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "post_office.py", free_port, *more],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{free_port}"
    try:
        wait_until(lambda: answers(f"{address}/metrics"), 20, "it answers")
        assert httpx.post(f"{address}/letters").status_code == 200
        text = httpx.get(f"{address}/metrics").text
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert "\nletters_total 1\n" in text
    assert "Traceback" not in log.read_text()


def a_module_that_is_loaded_again() -> str:
    import telemetry.catalogue

    telemetry.init("execution_gateway", small_app())
    importlib.reload(telemetry.catalogue)
    app = small_app()
    telemetry.init("execution_gateway", app)
    return get(app, "/metrics")[0].text


def test_a_module_of_metrics_may_be_loaded_again() -> None:
    series = parsed(apart(a_module_that_is_loaded_again).answer.encode())

    assert len(values(series, "heartbeat_timestamp_seconds")) == 1


FIRST_SCRAPES = """
import sys

import telemetry
from opentelemetry import metrics

telemetry.init("post_office")
metrics.get_meter("x").create_counter("letters").add(1)
before = set(sys.modules)
from telemetry import metering
from telemetry.answers import Asked, answer

for accept in ("", "application/openmetrics-text"):
    answer(metering.shown, Asked(accept, "gzip"))
print(sorted(set(sys.modules) - before))
"""


def test_the_first_scrape_loads_nothing_because_a_fork_meanwhile_would_leave_it_half_loaded() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    done = subprocess.run([sys.executable, "-c", FIRST_SCRAPES], env=environment, stdout=subprocess.PIPE, check=True)

    assert done.stdout.decode().strip() == "[]"
