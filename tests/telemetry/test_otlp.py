"""Metrics over OTLP: what is sent arrives as what is scraped, also from several workers."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import signal
import socket
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Metric, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

import telemetry
from telemetry import Counter, Gauge, Histogram
from telemetry.collection import collect
from telemetry.environment import INSTANCE
from telemetry.otlp import together
from telemetry.provider import Provider
from tests.infra.prometheus.rule_files import rule
from tests.servers import program_running
from tests.services import free_port
from tests.telemetry.apart import apart
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide, Side
from tests.telemetry.pipeline import Pipeline, labels_of, pipeline_running, query
from tests.telemetry.service import answers, get, small_app
from tests.waiting import wait_until

Series = dict[frozenset[tuple[str, str]], float]

RESOURCE = Resource({"service.name": "post-office"})


def sent(*declared: Any, provider: Provider | None = None) -> list[Metric]:
    """What would be sent of these metrics."""
    made = [] if provider is None else list(provider.instruments.values())
    data = together(RESOURCE, collect(declared, made), began=1)
    [one] = data.resource_metrics
    assert one.resource == RESOURCE
    return [metric for scope in one.scope_metrics for metric in scope.metrics if metric.name != "telemetry_series"]


def points(metric: Metric) -> list[Any]:
    return list(metric.data.data_points)


def test_a_counter_is_a_sum_that_only_rises_since_the_beginning() -> None:
    counter = Counter("sent_total", "Things sent.", BySide, unit="{thing}")
    counter.add(3, {"side": Side.BUY})

    [metric] = sent(counter)

    assert (metric.name, metric.description, metric.unit) == ("sent_total", "Things sent.", "{thing}")
    assert (metric.data.is_monotonic, metric.data.aggregation_temporality.name) == (True, "CUMULATIVE")  # type: ignore[union-attr]
    assert [(point.attributes, point.value) for point in points(metric)] == [
        ({"side": "buy"}, 3),
        ({"side": "sell"}, 0),
    ]
    assert all(point.start_time_unix_nano == 1 < point.time_unix_nano for point in points(metric))


def test_a_gauge_is_sent_while_it_has_a_value() -> None:
    gauge = Gauge("waiting_things", "Things that wait.", unit="{thing}")

    assert sent(gauge) == []
    gauge.set(7)
    assert [point.value for point in points(sent(gauge)[0])] == [7]
    gauge.remove()
    assert sent(gauge) == []


def test_a_histogram_is_sent_with_the_count_of_each_bucket() -> None:
    histogram = Histogram("took_seconds", "Time.", BySide, unit="s", buckets=(0.5, 1))
    for amount in (0.25, 0.75, 0.75, 2):
        histogram.record(amount, {"side": Side.SELL})

    none, some = points(sent(histogram)[0])

    assert (none.attributes, none.count, none.sum, none.bucket_counts) == ({"side": "buy"}, 0, 0, (0, 0, 0))
    assert (some.attributes, some.count, some.sum, some.bucket_counts) == ({"side": "sell"}, 4, 3.75, (1, 2, 1))
    assert list(some.explicit_bounds) == [0.5, 1]


def test_what_others_record_is_sent_too_unless_its_name_is_ours() -> None:
    provider = Provider()
    meter = provider.get_meter("theirs")
    meter.create_counter("theirs").add(2)
    meter.create_gauge("waiting.things").set(2)
    ours = Gauge("waiting_things", "Things that wait.", unit="{thing}")
    ours.set(1)

    found = sent(ours, provider=provider)

    assert [(metric.name, points(metric)[0].value) for metric in found] == [("waiting_things", 1), ("theirs", 2)]


OURS = [
    ("queue", "By", "queue_bytes"),
    ("their.time", "s", "their_time_seconds"),
    ("took-seconds", "", "took_seconds"),
    ("took.seconds.count", "", "took_seconds"),
]


@pytest.mark.parametrize(("name", "unit", "ours"), OURS)
def test_a_name_that_prometheus_would_make_ours_is_left_out_and_said(
    name: str, unit: str, ours: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider()
    meter = provider.get_meter("theirs")
    meter.create_gauge(name, unit).set(2)
    declared: Any = Histogram(ours, "Ours.", unit="s") if ours == "took_seconds" else Gauge(ours, "Ours.")

    found = sent(declared, provider=provider)

    assert [metric for metric in found if metric.name == name and metric.description != "Ours."] == []
    assert f"a record of {ours.removesuffix('_count')}" in caplog.text


@pytest.mark.parametrize("name", ["letters", "letters_total"])
def test_what_others_count_in_a_declared_series_is_added_to_it(name: str, dropped: Drops) -> None:
    provider = Provider()
    counter = Counter("letters_total", "Letters.", BySide, unit="{letter}")
    counter.add(1, {"side": Side.BUY})
    theirs = provider.get_meter("theirs").create_counter(name)
    theirs.add(2, {"side": "buy"})
    theirs.add(4, {"side": "up"})

    [metric] = sent(counter, provider=provider)

    assert {point.attributes["side"]: point.value for point in points(metric)} == {"buy": 3, "sell": 0}
    assert dropped("letters_total") == {"not_rendered": 1}


def test_a_number_of_more_than_64_bits_is_sent_as_a_float_and_a_unit_that_would_change_the_name_is_not() -> None:
    provider = Provider()
    meter = provider.get_meter("theirs")
    meter.create_counter("big").add(2**63 - 1)
    meter.create_counter("big").add(2**63 - 1)
    meter.create_gauge("full", "1").set(2)

    big, full = sent(provider=provider)

    assert (points(big)[0].value, type(points(big)[0].value)) == (2.0**64, float)
    assert (full.name, full.unit) == ("full", "")


def a_stranger_whose_callback(kind: str) -> dict[str, Any]:
    def callback(_: Any) -> Any:
        if kind == "hangs":
            threading.Event().wait()
        raise {"raises": ValueError, "cancels": asyncio.CancelledError, "exits": SystemExit}[kind]

    telemetry.init("execution_gateway", small_app())
    metrics.get_meter("theirs").create_observable_gauge("theirs", [callback])
    received.clear()
    wait_until(lambda: len(received) >= 3, 20, "three exports after the callback")
    return {"ours": all(b"heartbeat_timestamp_seconds" in body for body in received)}


received: list[bytes] = []


class Taking(BaseHTTPRequestHandler):
    """Takes what is sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def with_a_collector(function: str, *arguments: str) -> Any:
    """Calls a function of this module in this process, beside a collector that keeps what is sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
    return globals()[function](*arguments)


OFTEN = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "200"}


@pytest.mark.parametrize("kind", ["hangs", "raises", "cancels", "exits"])
def test_a_callback_of_another_library_costs_no_export_of_ours(kind: str) -> None:
    assert apart(with_a_collector, "a_stranger_whose_callback", kind, **OFTEN).answer == {"ours": True}


def a_parent_and_its_child() -> dict[str, Any]:
    letters_total = Counter("letters_total", "Letters.", unit="{letter}")
    telemetry.init("execution_gateway", small_app())
    letters_total.add(5)
    wait_until(lambda: received, 20, "the parent has sent")
    child = os.fork()
    if not child:
        letters_total.add(1)
        telemetry.shutdown(5000)
        os._exit(0)
    os.waitpid(child, 0)
    telemetry.shutdown(5000)
    found: dict[str, list[int]] = {}
    for body in received:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            [instance] = [one.value.string_value for one in resource.resource.attributes if one.key == INSTANCE]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "letters_total":
                        found.setdefault(instance, []).append(metric.sum.data_points[0].as_int)
    return {"last": sorted(values[-1] for values in found.values()), "instances": sorted(found)}


def test_a_forked_child_begins_at_zero_and_is_another_instance() -> None:
    answer = apart(with_a_collector, "a_parent_and_its_child", **OFTEN).answer

    assert answer["last"] == [1, 5]
    assert len(answer["instances"]) == 2

    chosen = {"OTEL_RESOURCE_ATTRIBUTES": f"{INSTANCE}=pod-1"}
    instances = apart(with_a_collector, "a_parent_and_its_child", **OFTEN, **chosen).answer["instances"]
    assert instances[0] == "pod-1"
    assert re.fullmatch(r"pod-1-\d+", instances[1])


def a_service_without_the_exporter() -> dict[str, Any]:
    sys.modules["opentelemetry.exporter.otlp.proto.http.metric_exporter"] = None  # type: ignore[assignment]
    app = small_app()
    telemetry.init("execution_gateway", app)
    return {"text": get(app, "/metrics")[0].text}


def test_what_cannot_be_sent_is_shown_and_the_log_says_so() -> None:
    done = apart(a_service_without_the_exporter, OTEL_METRICS_EXPORTER="otlp")

    assert "heartbeat_timestamp_seconds" in done.answer["text"]
    assert "there is no part for sending metrics" in done.log
    assert "sent over OTLP" not in done.log


def a_service_with_a_provider_of_somebody_else() -> None:
    metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))
    telemetry.init("execution_gateway", small_app())


@pytest.mark.parametrize(("exporters", "theirs"), [("otlp", "without what"), ("otlp,prometheus", "and what")])
def test_the_report_says_that_another_provider_sends_its_own(exporters: str, theirs: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    done = apart(
        a_service_with_a_provider_of_somebody_else,
        OTEL_METRICS_EXPORTER=exporters,
        OTEL_EXPORTER_OTLP_ENDPOINT=nobody,
    )

    said = (
        f"metrics: ours, {theirs} the MeterProvider that was there before records from now on; ours are sent over OTLP"
    )
    assert said in done.log


def a_service_that_sends() -> dict[str, Any]:
    app = small_app()
    telemetry.init("execution_gateway", app)
    return {"text": get(app, "/metrics")[0].text}


def test_without_prometheus_metrics_says_where_they_are_and_a_dead_collector_costs_two_seconds_at_exit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        done = apart(
            a_service_that_sends,
            OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{deaf.getsockname()[1]}",
        )

    assert done.answer["text"] == "# The metrics are sent over OTLP (OTEL_METRICS_EXPORTER).\n"
    assert "metrics: ours and those of the OpenTelemetry API, sent over OTLP; traces: none" in done.log
    assert "metrics were left unsent after 2000 ms" in done.log
    assert 1.5 < done.exit_seconds < 6


def a_service_whose_collector_is_gone() -> dict[str, Any]:
    telemetry.init("execution_gateway", small_app())
    telemetry.shutdown(20_000)
    return {}


def test_a_collector_that_refuses_is_said_once_and_not_by_the_exporter_too() -> None:
    done = apart(
        a_service_whose_collector_is_gone,
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_METRIC_EXPORT_INTERVAL="300",
        OTEL_EXPORTER_OTLP_METRICS_TIMEOUT="0.1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}",
    )

    assert done.log.count("metrics are not sent; it is tried again, and not said again") == 1
    assert "left unsent" not in done.log


@pytest.fixture(scope="module")
def scraped_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def pipeline(scraped_port: int) -> Iterator[Pipeline]:
    with pipeline_running(f"127.0.0.1:{scraped_port}") as running:
        yield running


BOTH_WAYS = """
    import signal
    import telemetry
    from opentelemetry import metrics
    from typing import Annotated, Literal, TypedDict

    class Labels(TypedDict):
        office: Annotated[str, telemetry.Open()]
        result: Literal["sent", "lost"]

    letters_total = telemetry.Counter("letters_total", "Letters.", Labels, unit="{letter}")
    letters_waiting = telemetry.Gauge("letters_waiting", "Letters that wait.", unit="{letter}")
    queue_bytes = telemetry.UpDownCounter("queue_bytes", "Size of the queue.", unit="By")
    full_ratio = telemetry.Gauge("full_ratio", "How full the box is.", unit="1")
    sort_seconds = telemetry.Histogram("sort_seconds", "Time to sort.", Labels, unit="s")
    telemetry.init("signal_service")
    for number in range(100):
        labels = {"office": f"office {number % 7}", "result": "sent"}
        letters_total.add(number, labels)
        sort_seconds.record(number / 50, labels)
    letters_waiting.set(-3.5)
    queue_bytes.add(2**40)
    full_ratio.set(0.25)
    metrics.get_meter("theirs").create_counter("theirs", unit="1").add(7, {"kind": "x"})
    metrics.get_meter("theirs").create_histogram("their.time", unit="s").record(0.3)
    signal.pause()
"""
OWN_TIME = "up|target_info|scrape_.*|heartbeat_.*|process_.*|python_.*"
"""What differs from one moment to the next, or comes from the scrape itself."""


@pytest.mark.integration
@pytest.mark.timeout(120)
def test_the_same_events_pulled_and_pushed_are_the_same_series_in_prometheus(
    pipeline: Pipeline, scraped_port: int, tmp_path: Path
) -> None:
    (tmp_path / "both_ways.py").write_text(textwrap.dedent(BOTH_WAYS))

    def series(job: str) -> Series:
        found = query(pipeline.prometheus, f'{{job="{job}",__name__!~"{OWN_TIME}"}}')
        return {frozenset(labels_of(one).items()): float(one["value"][1]) for one in found}

    with running_script(tmp_path / "both_ways.py", pipeline, scraped_port):
        wait_until(lambda: series("orchestrator") and series("signal-service"), 40, "both arrive", every=0.5)
        with suppress(TimeoutError):
            wait_until(lambda: series("orchestrator") == series("signal-service"), 20, "both are equal", every=0.5)
        pulled, pushed = series("orchestrator"), series("signal-service")
        assert {labels: (pulled.get(labels), pushed.get(labels)) for labels in differing(pulled, pushed)} == {}

    names = {dict(labels)["__name__"] for labels in pushed}
    assert {"letters_total", "queue_bytes", "full_ratio", "sort_seconds_bucket", "theirs_total"} <= names
    assert "their_time_seconds_sum" in names


def differing(one: Series, other: Series) -> list[frozenset[tuple[str, str]]]:
    return [labels for labels in one.keys() | other.keys() if one.get(labels) != other.get(labels)]


def running_script(file: Path, pipeline: Pipeline, port: int) -> Any:
    return program_running(
        [sys.executable, str(file)],
        file.with_suffix(".log"),
        {
            "PYTHONPATH": ":".join(sys.path),
            "OTEL_METRICS_EXPORTER": "prometheus,otlp",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_EXPORTER_OTLP_ENDPOINT": pipeline.otlp,
            "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
        },
    )


WORKER = """
    from fastapi import FastAPI
    import telemetry

    served_total = telemetry.Counter("served_total", "Letters served.", unit="{letter}")
    app = FastAPI()
    telemetry.init("market_data", app)

    @app.get("/letters")
    async def serve() -> None:
        served_total.add(1)
"""


@pytest.mark.integration
@pytest.mark.timeout(120)
def test_several_workers_that_send_add_up_exactly(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(textwrap.dedent(WORKER))
    port = free_port()
    environment = {
        "PYTHONPATH": ":".join([str(tmp_path), *sys.path]),
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_EXPORTER_OTLP_ENDPOINT": pipeline.otlp,
    }
    uvicorn = [sys.executable, "-m", "uvicorn", "office:app", "--port", str(port), "--workers", "2"]
    log = tmp_path / "workers.log"

    def value(expression: str) -> list[float]:
        return [float(one["value"][1]) for one in query(pipeline.prometheus, expression)]

    with program_running(uvicorn, log, environment):
        wait_until(lambda: value("count(served_total)") == [2], 40, "both workers send", every=0.5)
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/metrics"), 20, "one of them listens")
        for _ in range(60):
            assert httpx.get(f"http://127.0.0.1:{port}/letters").status_code == 200
        wait_until(lambda: value("sum(served_total)") == [60], 20, "their sum is exact", every=0.5)
        requests = 'sum(http_server_request_duration_seconds_count{http_route="/letters"})'
        wait_until(lambda: value(requests) == [60], 20, "the sum of the requests is exact", every=0.5)

    assert "run one worker a port" not in log.read_text()


def missing_workers() -> str:
    """The expression of ServiceWorkersMissing, for a service that sends twice a second."""
    age = "instance:heartbeat_age_seconds:sent"
    fresh = rule(age)["expr"].replace("< 90", "< 4")
    return str(rule("ServiceWorkersMissing")["expr"].replace(age, f"({fresh})"))


@pytest.mark.integration
@pytest.mark.timeout(120)
def test_a_worker_that_was_killed_and_is_not_replaced_is_missed(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(textwrap.dedent(WORKER).replace("market_data", "post_office"))
    environment = {
        "PYTHONPATH": ":".join([str(tmp_path), *sys.path]),
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_EXPORTER_OTLP_ENDPOINT": pipeline.otlp,
        "WEB_CONCURRENCY": "2",
    }
    uvicorn = [sys.executable, "-m", "uvicorn", "office:app", "--port", str(free_port())]

    def value(expression: str) -> list[float]:
        found = query(pipeline.prometheus, expression)
        return [float(one["value"][1]) for one in found if one["metric"].get("job") == "post-office"]

    with program_running(uvicorn, tmp_path / "workers.log", environment) as web_server:
        wait_until(lambda: value("workers_expected") == [2, 2], 40, "both workers send", every=0.5)
        wait_until(lambda: value(missing_workers()) == [], 20, "none is missing", every=0.5)
        web_server.send_signal(signal.SIGSTOP)  # it would start another one
        try:
            worker = next(
                child for child in psutil.Process(web_server.pid).children() if "spawn_main" in str(child.cmdline())
            )
            worker.kill()
            wait_until(lambda: value(missing_workers()) == [1], 20, "one is missing", every=0.5)
        finally:
            web_server.send_signal(signal.SIGCONT)
        wait_until(lambda: value(missing_workers()) == [], 40, "another one was started", every=0.5)


def a_process_that_ends_by_itself() -> None:
    telemetry.init("execution_gateway", small_app())
    Counter("letters_total", "Letters.", unit="{letter}").add(3)
    Gauge("level", "A level.").watch(lambda: 7)
    metrics.get_meter("theirs").create_counter("theirs").add(2)


def a_process_with_a_reader_of_its_own() -> None:
    a_process_that_ends_by_itself()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=600_000)
    provider = metrics.get_meter_provider()
    assert isinstance(provider, Provider)
    provider.add_metric_reader(reader)


@pytest.mark.parametrize(
    ("program", "exporter"),
    [(a_process_that_ends_by_itself, "otlp"), (a_process_with_a_reader_of_its_own, "prometheus")],
)
def test_the_last_values_are_sent_at_exit_also_those_of_callbacks(program: Callable[[], None], exporter: str) -> None:
    received.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = apart(
        program,
        OTEL_METRICS_EXPORTER=exporter,
        OTEL_METRIC_EXPORT_INTERVAL="600000",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
    )
    server.shutdown()
    server.server_close()

    [body] = received
    assert all(name in body for name in (b"letters_total", b"level", b"theirs"))
    assert "WARNING" not in done.log
