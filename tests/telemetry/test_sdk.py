"""init() and shutdown(), each test in a new process."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http import trace_exporter as otlp
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route as StarletteRoute

import telemetry
from apps.catalogue import orders_total
from apps.labels import PlacementLabels
from apps.vocabulary import PlacementStatus, Side
from tests.telemetry.apart import apart
from tests.telemetry.test_exposition import Series, parsed
from tests.waiting import wait_until

ORDER = PlacementLabels(symbol="AAPL", side=Side.BUY, status=PlacementStatus.SUCCESS)


def get(app: FastAPI, *paths: str, **headers: str) -> list[httpx.Response]:
    """Sends the requests to the application without a server."""

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://here"
        ) as client:
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


def test_without_an_application_metrics_have_their_own_port(free_port: str) -> None:
    port = free_port

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
    assert "there is no /metrics: OTEL_EXPORTER_PROMETHEUS_HOST=127.0.0.1" in done.log


HEAVY = ("asyncio", "asyncpg", "fastapi", "http.server", "opentelemetry.sdk", "prometheus_client", "redis", "starlette")


def test_importing_the_library_loads_neither_the_sdk_nor_any_extra() -> None:
    code = "import sys, telemetry; print([m for m in sys.argv[1:] if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def a_service_without_extras(*missing: str) -> dict[str, Any]:
    for module in missing:
        sys.modules[module] = None  # type: ignore[assignment]  # so that importing it fails
    import telemetry

    telemetry.init("somebody")
    probes = [telemetry.DatabaseProbe("postgresql://nowhere"), telemetry.RedisProbe("redis://nowhere")]

    async def ask() -> None:
        for probe in probes:
            await probe.ask()
            await probe.ask()

    asyncio.run(ask())
    port = os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {"text": text, "up": [probe.up for probe in probes]}


def test_a_package_that_is_missing_is_a_sentence_and_what_needs_it_is_unknown(free_port: str) -> None:
    done = apart(
        a_service_without_extras,
        *("fastapi", "asyncpg", "redis", "redis.asyncio", "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=free_port,
        OTEL_TRACES_EXPORTER="otlp",
    )
    series = parsed(done.answer["text"].encode())

    assert "telemetry: there is no part for traces: " in done.log
    assert "run pip install 'trading-telemetry[otlp]'" in done.log
    for name, extra in (("database", "asyncpg"), ("redis", "redis")):
        assert done.log.count(f"the status of {name} is not known: ") == 1
        assert f"run pip install 'trading-telemetry[{extra}]'" in done.log
    assert "Traceback" not in done.log
    assert done.answer["up"] == [None, None]
    assert values(series, "database_connection_status") == values(series, "redis_connection_status") == []
    assert values(series, "dependency_writable") == []
    assert set(values(series, "dependency_ping_duration_seconds_count")) <= {0}  # nothing was asked
    assert values(series, "heartbeat_timestamp_seconds") != []


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


def a_user_of_prometheus_client() -> str:
    import prometheus_client

    prometheus_client.Counter("their_jobs_total", "Jobs.").inc(4)
    prometheus_client.Gauge("orders_total_x", "Theirs.").set(1)
    prometheus_client.Counter("orders_total", "A name of ours.").inc(40)
    app = small_app()
    telemetry.init("execution_gateway", app)
    orders_total.add(2, ORDER)
    return get(app, "/metrics")[0].text


def test_what_prometheus_client_records_is_shown_too_unless_its_name_is_ours() -> None:
    done = apart(a_user_of_prometheus_client)
    series = parsed(done.answer.encode())

    assert values(series, "their_jobs_total") == [4]
    assert values(series, "orders_total", **ORDER) == [2]
    assert len(values(series, "process_cpu_seconds_total")) == 1
    assert "orders_total was also recorded by another library; that one is left out" in done.log


def a_service_whose_threads_are_all_busy() -> float:
    app, go, busy = FastAPI(), threading.Event(), threading.Semaphore(0)

    @app.get("/blocked")
    def blocked() -> None:
        busy.release()
        go.wait(20)

    telemetry.init("execution_gateway", app)

    async def ask() -> float:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://here", timeout=30
        ) as client:
            waiting = [asyncio.create_task(client.get("/blocked")) for _ in range(60)]
            for _ in range(40):  # as many threads as an application has
                await asyncio.to_thread(busy.acquire)
            began = time.monotonic()
            answers = [(await client.get("/metrics")).status_code, (await client.head("/metrics")).status_code]
            took = time.monotonic() - began
            go.set()
            await asyncio.gather(*waiting)
            assert answers == [200, 200]
            return took

    return asyncio.run(ask())


def test_a_scrape_does_not_wait_for_the_threads_of_the_application() -> None:
    assert apart(a_service_whose_threads_are_all_busy).answer < 5


def a_service_with_a_callback_that_hangs() -> dict[str, Any]:
    app, go, calls = FastAPI(), threading.Event(), []

    @app.get("/work")
    def work() -> int:
        return 7

    def hang() -> int:
        calls.append(1)
        go.wait()
        return 1

    telemetry.init("execution_gateway", app)
    telemetry.Gauge("level", "A level.").watch(hang)

    async def ask() -> dict[str, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", timeout=30) as client:
            scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(40)]
            texts = [(await asyncio.wait_for(scrape, 15)).text for scrape in scrapes]
            worked = (await asyncio.wait_for(client.get("/work"), 5)).json()
            later = (await client.get("/metrics")).text
            called = len(calls)
            go.set()
            return {"work": worked, "calls": called, "shown": sum("heartbeat" in text for text in texts), "text": later}

    return asyncio.run(ask())


def test_a_callback_that_hangs_starves_neither_scrapes_nor_endpoints_and_is_counted() -> None:
    answer = apart(a_service_with_a_callback_that_hangs).answer
    series = parsed(answer["text"].encode())

    assert (answer["work"], answer["calls"], answer["shown"]) == (7, 1, 40)
    assert values(series, "telemetry_dropped_total", metric="level", reason="callback_hangs")[0] >= 1
    assert values(series, "level") == []


def a_scrape_of_a_port_of_its_own(host: str, port: str) -> dict[str, Any]:
    telemetry.init("execution_gateway")
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    head = httpx.head(f"{address}/metrics")
    return {
        "head": [head.status_code, head.text, int(head.headers["content-length"]) > 1000],
        "get": httpx.get(f"{address}/metrics").status_code,
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_of_its_own_answers_head_and_takes_an_address_of_ipv6(host: str, free_port: str) -> None:
    done = apart(
        a_scrape_of_a_port_of_its_own,
        host,
        free_port,
        OTEL_EXPORTER_PROMETHEUS_HOST=host,
        OTEL_EXPORTER_PROMETHEUS_PORT=free_port,
    )

    assert done.answer == {"head": [200, "", True], "get": 200}


@pytest.mark.parametrize("port", ["http", "-1", "70000"])
def test_a_wrong_port_is_a_sentence(port: str) -> None:
    done = apart(spans_for_nobody, OTEL_EXPORTER_PROMETHEUS_PORT=port)

    assert "ERROR telemetry.port there is no /metrics: OTEL_EXPORTER_PROMETHEUS_HOST=localhost and " in done.log
    assert f"OTEL_EXPORTER_PROMETHEUS_PORT={port} cannot be used" in done.log
    assert "Traceback" not in done.log


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


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


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
