"""The real collector, with our configuration, and a real Prometheus that takes what it sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.setup.installation import BIN
from tests.documents import ROOT
from tests.servers import folder, program_running
from tests.services import free_port
from tests.waiting import wait_until


@dataclass(frozen=True)
class Pipeline:
    """The address of Prometheus, and the one to which a service sends OTLP."""

    prometheus: str
    otlp: str


@contextmanager
def pipeline_running(target: str = "", checkout: Path = ROOT, rules: str = "", **settings: str) -> Iterator[Pipeline]:
    """Starts both. `target` is what the collector scrapes as the job `orchestrator`, and `settings` are its variables.

    `checkout` has the configuration of the collector, and the file with that name of `rules`, which are evaluated.
    """
    ports = {name: free_port() for name in ("prometheus", "health", "collector", "grpc", "http", "nobody")}
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        url = f"http://127.0.0.1:{ports['prometheus']}"
        stack.enter_context(
            program_running(
                [
                    str(BIN / "prometheus"),
                    f"--config.file={_configuration(place, checkout / rules if rules else None)}",
                    f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
                    f"--storage.tsdb.path={place / 'data'}",
                    "--web.enable-otlp-receiver",
                ],
                place / "prometheus.log",
            )
        )
        wait_until(lambda: _answers(f"{url}/-/ready"), 20, "Prometheus is ready")
        nobody = f"127.0.0.1:{ports['nobody']}"
        stack.enter_context(
            program_running(
                [str(BIN / "otelcol"), f"--config={checkout / 'collector' / 'config.yaml'}"],
                place / "collector.log",
                {
                    **os.environ,
                    **settings,
                    "ORCHESTRATOR_TARGET": target or nobody,
                    **{f"{name}_TARGET": nobody for name in ("EXECUTION_GATEWAY", "SIGNAL_SERVICE", "MARKET_DATA")},
                    "PROMETHEUS_OTLP_ENDPOINT": f"{url}/api/v1/otlp",
                    "COLLECTOR_METRICS_PORT": str(ports["collector"]),
                    "COLLECTOR_HEALTH_ENDPOINT": f"127.0.0.1:{ports['health']}",
                    "COLLECTOR_QUEUE_DIR": str(place / "queue"),
                    "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{ports['grpc']}",
                    "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{ports['http']}",
                },
            )
        )
        wait_until(lambda: _answers(f"http://127.0.0.1:{ports['health']}"), 20, "the collector is ready")
        yield Pipeline(url, f"http://127.0.0.1:{ports['http']}")


def _configuration(place: Path, rules: Path | None) -> Path:
    """The part of our configuration that decides on names, and the rules."""
    file = place / "prometheus.yml"
    file.write_text("otlp:\n  translation_strategy: UnderscoreEscapingWithSuffixes\n")
    assert file.read_text() in (ROOT / "infra" / "prometheus" / "prometheus.yml").read_text().replace(
        "otlp:\n  # A metric has one name: what the service calls orders_total is orders_total here.\n", "otlp:\n"
    )
    if rules is not None:
        file.write_text(f"{file.read_text()}rule_files: [{rules}]\n")
    return file


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    """The series that the query selects now, as Prometheus answers them."""
    answer: list[dict[str, Any]] = httpx.get(f"{prometheus}/api/v1/query", params={"query": expression}).json()["data"][
        "result"
    ]
    return answer


def labels_of(series: dict[str, Any]) -> dict[str, str]:
    """The name and the labels, without those that say from which process it comes."""
    return {label: text for label, text in series["metric"].items() if label not in ("job", "instance")}
