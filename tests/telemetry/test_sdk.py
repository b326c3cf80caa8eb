"""init() and shutdown(), each test in a new process."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
from fastapi import FastAPI
from opentelemetry import metrics, trace

import telemetry
from apps.catalogue import orders_total
from apps.labels import PlacementLabels
from apps.vocabulary import PlacementStatus, Side
from telemetry import sdk
from tests.telemetry.apart import apart
from tests.telemetry.test_exposition import Series, parsed

ORDER = PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)


def get(app: FastAPI, *paths: str, **headers: str) -> list[httpx.Response]:
    """Sends the requests to the application without a server."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return [await client.get(path, headers=headers) for path in paths]

    return asyncio.run(ask())


def small_app() -> FastAPI:
    app = FastAPI()

    @app.get("/health")
    @app.get("/metrics/more")
    @app.get("/orders/{order_id}")
    async def answer(order_id: int = 0) -> int:
        return order_id

    return app


def values(series: Series, name: str, **labels: str) -> list[float]:
    """The values of the series that have this name and at least these labels."""
    return [value for (sample, have), value in series.items() if sample == name and labels.items() <= set(have)]


def a_service_and_a_stranger() -> dict[str, Any]:
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


def test_init_serves_our_metrics_and_those_of_libraries_and_counts_each_request_once() -> None:
    done = apart(a_service_and_a_stranger, OTEL_SERVICE_NAME="from-the-environment")
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
    assert values(series, "target_info", service_name="execution-gateway") == [1]
    requests = "http_server_request_duration_seconds_count"
    assert values(series, requests, http_route="/orders/{order_id}", http_response_status_code="200") == [2]
    assert values(series, requests, http_route="/orders/{order_id}", http_response_status_code="422") == [1]
    assert values(series, requests, http_route="/metrics/more") == [1]
    assert values(series, requests, http_response_status_code="404") == [1]
    assert sum(values(series, requests)) == 5, "/metrics and /health are not measured"
    assert sum(values(series, "http_server_active_requests")) == 0
    assert not any("scope" in label for _, labels in series for label, _ in labels)
    assert "WARNING telemetry.sdk init('orchestrator') after init('execution_gateway')" in done.log
    assert "INFO telemetry.sdk telemetry of execution_gateway: metrics: ours and" in done.log


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
    setattr(sdk, "OTLPSpanExporter", refuse)  # noqa: B010 - the name is not the module's own
    app = small_app()
    telemetry.init("execution_gateway", app)
    telemetry.init("execution_gateway", "no app")  # type: ignore[arg-type]
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
    assert "OTEL_METRICS_EXPORTER=carrier-pigeon: only prometheus is supported" in done.log
    assert "ERROR telemetry.sdk telemetry could not be set up for execution_gateway" in done.log


def a_process_without_an_application(port: str) -> dict[str, Any]:
    telemetry.init("execution_gateway")
    orders_total.add(2, ORDER)
    app = small_app()
    get(app, "/orders/1")
    address = f"http://127.0.0.1:{port}"
    return {
        "text": httpx.get(f"{address}/metrics?x=1").text,
        "type": httpx.get(f"{address}/metrics").headers["content-type"],
        "elsewhere": httpx.get(f"{address}/").status_code,
    }


def test_without_an_application_metrics_have_their_own_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    done = apart(
        a_process_without_an_application,
        port,
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=port,
    )

    series = parsed(done.answer["text"].encode())
    assert values(series, "orders_total", **ORDER) == [2]
    assert values(series, "http_server_request_duration_seconds_count", http_route="/orders/{order_id}") == [1]
    assert done.answer["type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert done.answer["elsewhere"] == 404


def spans_for_nobody() -> float:
    telemetry.init("execution_gateway")
    for _ in range(100):
        with trace.get_tracer("test").start_as_current_span("work"):
            pass
    return 0


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
    assert "/metrics could not be set up" in done.log
