"""What is accepted at the declaration arrives under its own name, through the real collector in the real Prometheus."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from infra.setup.installation import BIN
from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter
from telemetry.exposition import render
from telemetry.http import CONTENT_TYPE
from telemetry.registry import declared
from tests.documents import ROOT
from tests.servers import folder, program_running
from tests.services import free_port
from tests.telemetry.labels import labels
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

Declared = Counter[Any] | UpDownCounter[Any] | Gauge[Any] | Histogram[Any]

KINDS = (Counter, UpDownCounter, Gauge, Histogram)
UNITS = {"_seconds": "s", "_bytes": "By", "_ratio": "1", "_percent": "%", "_milliseconds": "ms", "_meters": "m/s"}
words = st.from_regex(r"[a-z][a-z0-9]{0,4}(_[a-z0-9]{1,4}){0,2}", fullmatch=True)
names = st.one_of(words, words, words, st.text("abz_09", min_size=1, max_size=8))
endings = st.sampled_from(["", *UNITS, "_total_sent", "_info", "_1", "_count", "_sum", "_total", "_created", "__"])
label_names = st.one_of(
    words,
    words,
    st.text("abz_09", min_size=1, max_size=6),
    st.sampled_from(["le", "job", "instance", "quantile", "exported_job", "service_name", "type", "__name__"]),
)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def declarations(draw: st.DrawFn) -> tuple[Any, str, str, str, dict[str, str]]:
    """A declaration that may be refused: kind, name, description, unit, and labels with a value each."""
    kind, ending = draw(st.sampled_from(KINDS)), draw(endings)
    total = "_total" if (kind is Counter) is draw(st.sampled_from([True, True, True, False])) else ""
    return (
        kind,
        f"{draw(names)}{ending}{total}",
        draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)),
        draw(st.sampled_from([UNITS.get(ending, ""), "", "{thing}"])),
        draw(st.dictionaries(label_names, values, max_size=2)),
    )


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    """The address of a Prometheus to which the collector sends what this process shows."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = render()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    ports = {name: free_port() for name in ("prometheus", "health", "collector", "grpc", "http", "nobody")}
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        shown = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
        stack.callback(shown.server_close)
        stack.callback(shown.shutdown)
        threading.Thread(target=shown.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{ports['prometheus']}"
        stack.enter_context(
            program_running(
                [
                    str(BIN / "prometheus"),
                    f"--config.file={_configuration(place)}",
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
                [str(BIN / "otelcol"), f"--config={ROOT / 'collector' / 'config.yaml'}"],
                place / "collector.log",
                {
                    **os.environ,
                    "ORCHESTRATOR_TARGET": f"127.0.0.1:{shown.server_port}",
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
        yield url


def _configuration(place: Path) -> Path:
    """The part of our configuration that decides on names."""
    file = place / "prometheus.yml"
    file.write_text("otlp:\n  translation_strategy: UnderscoreEscapingWithSuffixes\n")
    assert file.read_text() in (ROOT / "infra" / "prometheus" / "prometheus.yml").read_text().replace(
        "otlp:\n  # A metric has one name: what the service calls orders_total is orders_total here.\n", "otlp:\n"
    )
    return file


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


amounts = itertools.count(1)


def accept(kind: Any, name: str, description: str, unit: str, given_labels: dict[str, str]) -> Any:
    """Declares the metric and records one amount. None if the declaration is refused."""
    try:
        by = labels(**{label: Annotated[str, Open()] for label in given_labels})
        metric = kind(name, description, by, unit=unit)
    except ValueError as refusal:
        assert name in str(refusal)  # noqa: PT017  # it must name the metric
        return None
    amount = next(amounts)
    record = {Counter: "add", UpDownCounter: "add", Gauge: "set", Histogram: "record"}[kind]
    getattr(metric, record)(amount, given_labels)
    return metric, given_labels, amount


@settings(
    max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate]
)
@given(st.lists(declarations(), min_size=100, max_size=200))
def test_every_accepted_declaration_arrives_under_exactly_its_own_name_with_its_labels_and_value(
    prometheus: str, tried: list[Any]
) -> None:
    before = dict(declared)
    accepted: dict[str, Any] = {}
    try:
        accepted = {one[1]: done for one in tried if one[1] not in declared if (done := accept(*one)) is not None}
        assume(len(accepted) > 10)
        wait_until(lambda: not _missing(prometheus, accepted), 30, f"{len(accepted)} metrics arrive", every=0.5)
    except TimeoutError:
        raise AssertionError(f"these did not arrive as they are: {_missing(prometheus, accepted)}") from None
    finally:
        declared.clear()
        declared.update(before)


def _missing(prometheus: str, accepted: dict[str, Any]) -> list[Declared]:
    return [one[0] for name, one in accepted.items() if not _arrived(prometheus, name, *one)]


def _arrived(prometheus: str, name: str, metric: Declared, given_labels: dict[str, str], amount: int) -> bool:
    shown = f"{name}_sum" if isinstance(metric, Histogram) else name
    query = f'{{__name__="{shown}",job="orchestrator"}}'
    result = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}).json()["data"]["result"]
    expected = {label: value for label, value in given_labels.items() if value}  # to Prometheus, empty is no label
    return any(
        {label: text for label, text in series["metric"].items() if label not in ("__name__", "job", "instance")}
        == expected
        and float(series["value"][1]) == amount
        for series in result
    )
