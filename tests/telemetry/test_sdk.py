"""init() and shutdown(), each test in a new process."""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as otlp
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route as StarletteRoute

import telemetry
from apps.catalogue import orders_total
from telemetry import environment, metering
from telemetry.otlp import read
from telemetry.provider import the_provider
from telemetry.registry import process
from tests.telemetry.apart import apart
from tests.telemetry.service import ORDER, get, small_app, spans_for_nobody, values
from tests.telemetry.test_exposition import parsed


def a_service_and_a_stranger(installed: str) -> dict[str, Any]:
    sys.path.insert(0, installed)
    app, other = small_app(), FastAPI()
    for _ in range(2):
        telemetry.init("execution_gateway", app)
    telemetry.init("execution_gateway", other)
    telemetry.init("orchestrator", app)
    orders_total.add(2, ORDER)
    metrics.get_meter("somebody").create_counter("their.requests").add(3, {"code": "200"})
    get(app, "/orders/1", "/orders/2", "/orders/x", "/nowhere", "/health", "/metrics", "/metrics/more", "/health?a=b")
    mine, others = get(app, "/metrics")[0], get(other, "/metrics")[0]
    return {
        "text": mine.text,
        "type": mine.headers["content-type"],
        "other": others.status_code,
        "routes": [route.path for route in app.router.routes if getattr(route, "path", "") == "/metrics"],  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("", "metrics: ours and those of the OpenTelemetry API"),
        ("telemetry", "metrics: ours and those of the OpenTelemetry API"),
        (
            "sdk_meter_provider",
            "metrics: ours, and what the MeterProvider that was there before records from now on",
        ),
    ],
)
def test_init_serves_our_metrics_and_those_of_libraries_and_counts_each_request_once(
    provider: str, said: str, installed: Path
) -> None:
    chosen = {"OTEL_PYTHON_METER_PROVIDER": provider} if provider else {}
    done = apart(a_service_and_a_stranger, str(installed), OTEL_SERVICE_NAME="from-the-environment", **chosen)
    series = parsed(done.answer["text"].encode())

    assert done.answer["type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert done.answer["other"] == 200
    assert done.answer["routes"] == ["/metrics"]
    assert values(series, "orders_total", **ORDER) == [2]
    assert values(series, "their_requests_total", code="200") == [3]
    assert values(series, "build_info") == [1]
    assert values(series, "heartbeat_timestamp_seconds")[0] > 1.6e9
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert len(values(series, name)) == 1
    assert values(series, "target_info", service_name="from-the-environment") == [1]
    requests = "http_server_request_duration_seconds_count"
    assert values(series, requests, http_route="/orders/{order_id}", http_response_status_code="200") == [2]
    assert values(series, requests, http_route="/orders/{order_id}", http_response_status_code="422") == [1]
    assert values(series, requests, http_route="/metrics/more") == [1]
    assert values(series, requests, http_response_status_code="404") == [1]
    assert values(series, requests, http_route="/health") == [2]
    assert sum(values(series, requests)) == 7, "/metrics is not measured"
    assert sum(values(series, "http_server_active_requests")) == 0
    assert not any("scope" in label for _, labels in series for label, _ in labels)
    assert "WARNING telemetry.sdk init('orchestrator') after init('execution_gateway')" in done.log
    assert f"INFO telemetry.sdk telemetry of execution_gateway: {said}" in done.log


def a_service_that_is_told_to_be_silent() -> dict[str, Any]:
    app = small_app()
    telemetry.init("execution_gateway", app)
    orders_total.add(2, ORDER)
    answers = get(app, "/orders/1", "/metrics")
    return {
        "statuses": [answer.status_code for answer in answers],
        "text": answers[1].text,
        "provider": type(metrics.get_meter_provider()).__name__,
        "traces": type(trace.get_tracer_provider()).__name__,
    }


def test_with_the_sdk_disabled_nothing_is_recorded_and_metrics_still_answers() -> None:
    done = apart(a_service_that_is_told_to_be_silent, OTEL_SDK_DISABLED=" TRUE ", OTEL_TRACES_EXPORTER="otlp")

    assert done.answer["statuses"] == [200, 200]
    assert done.answer["text"] == ""
    assert done.answer["provider"] == "_ProxyMeterProvider"
    assert done.answer["traces"] == "ProxyTracerProvider"
    assert "telemetry of execution_gateway: off (OTEL_SDK_DISABLED)" in done.log


def refuse() -> None:
    raise ConnectionError("no exporter today")


def a_service_with_a_bad_environment() -> dict[str, Any]:
    otlp.OTLPSpanExporter = refuse  # type: ignore[assignment, misc]
    app = small_app()
    telemetry.init("execution_gateway", app)
    telemetry.init("execution_gateway", "no app")
    orders_total.add(2, ORDER)
    return {"text": get(app, "/orders/1", "/metrics")[1].text}


def test_a_part_that_cannot_be_set_up_is_logged_and_the_other_parts_work() -> None:
    done = apart(
        a_service_with_a_bad_environment,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="carrier-pigeon",
        OTEL_RESOURCE_ATTRIBUTES="=,,nonsense",
    )
    series = parsed(done.answer["text"].encode())

    assert values(series, "orders_total", **ORDER) == [2]
    assert values(series, "http_server_request_duration_seconds_count", http_route="/orders/{order_id}") == [1]
    assert "ERROR telemetry.sdk telemetry: traces could not be set up; the service runs without" in done.log
    assert "OTEL_METRICS_EXPORTER: carrier-pigeon is not used: prometheus, otlp and none are known" in done.log
    assert (
        "ERROR telemetry.sdk the application has no /metrics: str is neither a FastAPI nor a Starlette application"
        in done.log
    )


def test_a_process_ends_despite_a_dead_collector_and_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        done = apart(
            spans_for_nobody,
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}",
            OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
            OTEL_EXPORTER_PROMETHEUS_PORT=address.partition(":")[2],
        )

    assert 1.5 < done.exit_seconds < 6  # the SDK alone takes 8 s and more
    assert "spans were left unsent after 2000 ms" in done.log
    assert "there is no /metrics: OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1" in done.log


def applications_of_each_kind() -> dict[str, Any]:
    bare = Starlette(routes=[StarletteRoute("/", lambda _: PlainTextResponse("here"))])
    inner, outer = small_app(), small_app()
    outer.mount("/inner", inner)
    wrapped = GZipMiddleware(GZipMiddleware(small_app()))
    given: list[Any] = [bare, inner, outer, wrapped]
    for app in given:
        telemetry.init("execution_gateway", app)
    telemetry.init("execution_gateway", object())
    return {
        "statuses": [get(app, "/metrics")[0].status_code for app in given],
        "inner": get(outer, "/inner/metrics")[0].status_code,
        "text": get(outer, "/inner/orders/1", "/metrics")[1].text,
        "alive": gone_again(),
    }


def gone_again() -> int:
    alive = []
    for _ in range(5):
        app = small_app()
        telemetry.init("execution_gateway", app)
        alive.append(weakref.ref(app))
        del app
    gc.collect()
    return sum(one() is not None for one in alive)


def test_any_application_is_taken_wrapped_or_mounted_and_none_is_kept_alive() -> None:
    done = apart(applications_of_each_kind)

    assert done.answer["statuses"] == [200] * 4
    assert done.answer["inner"] == 200
    assert done.answer["alive"] == 0
    assert "object is neither a FastAPI nor a Starlette application" in done.log


def a_provider_of_somebody_else(kind: str) -> dict[str, Any]:
    if kind == "sdk":
        metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))
    else:
        metrics.set_meter_provider(Strange())
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    app = small_app()
    telemetry.init("execution_gateway", app)
    metrics.get_meter("somebody").create_counter("their.requests").add(3)
    return {"text": get(app, "/orders/1", "/metrics")[1].text}


class Strange(metrics.NoOpMeterProvider):
    """A provider that is not the SDK's."""


def test_a_provider_that_was_there_before_is_read_too_and_the_log_is_true() -> None:
    done = apart(a_provider_of_somebody_else, "sdk", OTEL_TRACES_EXPORTER="otlp")
    series = parsed(done.answer["text"].encode())

    assert values(series, "their_requests_total") == [3]
    assert values(series, "http_server_request_duration_seconds_count", http_route="/orders/{order_id}") == [1]
    assert (
        "metrics: ours, and what the MeterProvider that was there before records from now on; "
        "traces: those of the TracerProvider that was there before"
    ) in done.log
    assert "Overriding" not in done.log


def test_a_provider_that_cannot_be_read_is_named() -> None:
    done = apart(a_provider_of_somebody_else, "strange")

    assert "metrics: ours, without those of tests.telemetry.test_sdk.Strange, which was there before" in done.log
    assert "heartbeat_timestamp_seconds" in done.answer["text"]


def a_late_init() -> str:
    app = small_app()
    get(app, "/orders/1")
    telemetry.init("execution_gateway", app)
    return get(app, "/metrics")[0].text


def test_an_init_after_the_start_of_the_application_is_said() -> None:
    done = apart(a_late_init)

    assert "init was called after the application had started: some of its requests may not be measured" in done.log
    assert "heartbeat_timestamp_seconds" in done.answer


def a_forked_child() -> int:
    telemetry.init("execution_gateway", small_app())
    child = os.fork()
    if child == 0:
        telemetry.init("execution_gateway", small_app())
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_an_init_in_a_forked_child_is_said() -> None:
    done = apart(a_forked_child)

    assert done.answer == 0
    assert "init was called before this process was forked" in done.log


def a_preloaded_worker() -> list[int]:
    """As gunicorn does with --preload: init in the parent, requests in a child."""
    app = small_app()
    telemetry.init("execution_gateway", app)
    get(app, "/orders/1")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        statuses = [answer.status_code for answer in get(app, "/orders/1", "/metrics")]
        os.write(writing, json.dumps(statuses).encode())
        os._exit(0)
    os.waitpid(child, 0)
    answered: list[int] = json.loads(os.read(reading, 1000))
    return answered


def test_a_child_of_a_process_that_called_init_serves_metrics() -> None:
    assert apart(a_preloaded_worker, OTEL_TRACES_EXPORTER="otlp").answer == [200, 200]


NAMES: dict[str, Any] = {"number": 5, "bytes": b"x", "blank": " ", "none": None, "surrogate": "a\ud800b"}


def a_service_with_an_odd_name(kind: str) -> tuple[str, str]:
    telemetry.init(NAMES[kind])
    telemetry.Counter("letters_total", "Letters.").add(1)
    name = str(environment.resource().attributes["service.name"])
    body = metering.shown() + metering.shown(openmetrics=True)
    assert body.count(b"letters_total 1\n") == 2
    assert encode_metrics(read(environment.resource(), the_provider, 1)).SerializeToString()
    return name, str(process.service)


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_is_no_text_spoils_neither_scrapes_nor_exports(kind: str) -> None:
    done = apart(a_service_with_an_odd_name, kind, OTEL_EXPORTER_PROMETHEUS_PORT="0")
    name, service = done.answer

    if kind == "surrogate":
        assert (name, service) == ("a?b", "a?b")
        assert "no name of a service" not in done.log
    else:
        assert name.startswith("unknown_service")
        assert service == ""
        assert f"init was called with {NAMES[kind]!r}, which is no name of a service" in done.log
    assert "ERROR" not in done.log
