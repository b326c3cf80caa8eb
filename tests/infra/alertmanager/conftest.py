"""A real Alertmanager and a real pager, on ports and in a folder of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.alertmanager.destinations import render
from infra.local.addresses import free_ports
from tests.infra.alertmanager.alerting import Alerting
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
ALERTMANAGER = ROOT / ".local" / "bin" / "alertmanager"


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def alerting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    folder = tmp_path_factory.mktemp("alerting")
    ports = free_ports()
    pager_port, port = ports["pager"], ports["alertmanager"]
    found = Alerting(alertmanager=f"http://127.0.0.1:{port}", pager=f"http://127.0.0.1:{pager_port}")
    config = folder / "alertmanager.yml"
    config.write_text(render(ROOT / "infra" / "alertmanager" / "config.yml", folder / "secrets", found.pager).text)
    commands: list[list[str | Path]] = [
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "infra.pager.main:app"),
            *("--port", str(pager_port), "--log-level", "warning"),
        ],
        [
            ALERTMANAGER,
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
    ]
    environment = {**os.environ, "PAGER_DATA": str(folder / "pager")}
    with (folder / "log").open("wb") as log:
        processes = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
            for command in commands
        ]
        try:
            wait_until(lambda: _answers(f"{found.pager}/health"), 30, "the pager is well")
            wait_until(lambda: _answers(f"{found.alertmanager}/-/ready"), 30, "Alertmanager is ready")
            # As Prometheus does: without beats the dead man's switch would page in the midst of other tests.
            found.fire({"labels": {"alertname": "Watchdog", "severity": "none"}})
            yield found
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=20)
