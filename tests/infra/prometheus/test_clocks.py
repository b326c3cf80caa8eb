"""Samples of the future, which promtool does not have: a real Prometheus whose collector is ahead of it."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from infra.setup.installation import BIN
from tests.infra.prometheus import rule_files
from tests.servers import folder, program_running
from tests.services import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.server

RULES = [rule for rule in rule_files.ALERTS if rule["alert"] == "ClockSkew"]


def pushed(url: str, job: str, at: float) -> None:
    """Sends one `up` of that time over OTLP, as the collector does."""
    point = {"timeUnixNano": str(int(at * 1e9)), "asDouble": 1.0}
    metric = {"name": "up", "gauge": {"dataPoints": [point]}}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": job}}]}
    body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    httpx.post(f"{url}/api/v1/otlp/v1/metrics", json=body).raise_for_status()


def found(url: str, expression: str) -> list[float]:
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}).json()
    return [float(series["value"][1]) for series in answer["data"]["result"]]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def prometheus(place: Path, port: int) -> list[str]:
    (place / "prometheus.yml").write_text("{}\n")
    return [
        str(BIN / "prometheus"),
        f"--config.file={place / 'prometheus.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={place / 'data'}",
        "--web.enable-otlp-receiver",
    ]


def test_a_collector_that_is_ahead_of_prometheus_is_seen_and_one_that_is_right_is_not() -> None:
    [_, collector] = [rule["expr"] for rule in RULES]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with folder() as place, program_running(prometheus(place, port), place / "prometheus.log"):
        wait_until(lambda: answers(f"{url}/-/ready"), 20, "Prometheus is ready")
        pushed(url, "orchestrator", time.time())
        wait_until(lambda: found(url, 'timestamp(up{job="orchestrator"})'), 10, "the sample is there")
        assert found(url, collector) == []

        pushed(url, "market-data", time.time() + 20)

        [ahead] = wait_until(lambda: found(url, collector), 10, "the sample of the future is seen")
        assert 5 < ahead <= 20
        assert found(url, 'up{job="market-data"}') == [], "nothing else sees it"
