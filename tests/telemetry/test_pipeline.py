"""What is accepted at the declaration arrives under its own name, through the real collector in the real Prometheus."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import Resource

from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter
from telemetry.answers import Asked, answer
from telemetry.collection import collect
from telemetry.exposition import render
from telemetry.otlp import together
from telemetry.registry import declared
from tests.telemetry.labels import labels
from tests.telemetry.pipeline import Pipeline, labels_of, pipeline_running, query
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
def pipeline() -> Iterator[Pipeline]:
    """The collector scrapes what this process shows, and takes what it sends."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(self.headers.get("accept", ""), self.headers.get("accept-encoding", ""))
            body, headers = answer(render, asked)
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    shown = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=shown.serve_forever, daemon=True).start()
    try:
        with pipeline_running(f"127.0.0.1:{shown.server_port}") as running:
            yield running
    finally:
        shown.shutdown()
        shown.server_close()


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
    pipeline: Pipeline, tried: list[Any]
) -> None:
    before = dict(declared)
    accepted: dict[str, Any] = {}
    exporter = OTLPMetricExporter(endpoint=f"{pipeline.otlp}/v1/metrics")
    try:
        accepted = {one[1]: done for one in tried if one[1] not in declared if (done := accept(*one)) is not None}
        assume(len(accepted) > 10)
        metrics = [one[0] for one in accepted.values()]
        sent = together(Resource({"service.name": "pushed"}), collect(metrics), time.time_ns())
        assert exporter.export(sent) is MetricExportResult.SUCCESS
        wait_until(lambda: not _missing(pipeline, accepted), 30, f"{len(accepted)} metrics arrive", every=0.5)
    except TimeoutError:
        raise AssertionError(f"these did not arrive as they are: {_missing(pipeline, accepted)}") from None
    finally:
        exporter.shutdown()
        declared.clear()
        declared.update(before)


def _missing(pipeline: Pipeline, accepted: dict[str, Any]) -> list[tuple[str, Declared]]:
    return [
        (job, one[0])
        for name, one in accepted.items()
        for job in ("orchestrator", "pushed")
        if not _arrived(pipeline, job, name, *one)
    ]


def _arrived(
    pipeline: Pipeline, job: str, name: str, metric: Declared, given_labels: dict[str, str], amount: int
) -> bool:
    shown = f"{name}_sum" if isinstance(metric, Histogram) else name
    expected = {label: value for label, value in given_labels.items() if value}  # to Prometheus, empty is no label
    return any(
        labels_of(series) == {"__name__": shown, **expected} and float(series["value"][1]) == amount
        for series in query(pipeline.prometheus, f'{{__name__="{shown}",job="{job}"}}')
    )
