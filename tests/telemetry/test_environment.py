"""The standard variables: what each does, and that a wrong one is named and costs nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest

import telemetry
from apps.catalogue import orders_total
from telemetry import environment, metering
from telemetry.environment import INSTANCE
from tests.telemetry.apart import apart
from tests.telemetry.service import ORDER, get, small_app, values
from tests.telemetry.test_exposition import parsed

DURATION = "http_server_request_duration_seconds_count"


def a_service() -> dict[str, Any]:
    app = small_app()
    telemetry.init("execution_gateway", app)
    orders_total.add(2, ORDER)
    get(app, "/orders/1", "/metrics/more", "/nowhere")
    answer = get(app, "/metrics")[0]
    return {"status": answer.status_code, "text": answer.text}


MALFORMED = {
    "OTEL_BSP_SCHEDULE_DELAY": "soon",
    "OTEL_BSP_MAX_QUEUE_SIZE": "-5",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "nan",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5000",
    "OTEL_SDK_DISABLED": "maybe",
    "OTEL_RESOURCE_ATTRIBUTES": "=,,nonsense,service.version=1%2E2",
    "OTEL_METRICS_EXPORTER": "prometheus, smoke signals",
    "OTEL_METRIC_EXPORT_INTERVAL": "5s",
    "OTEL_METRICS_EXEMPLAR_FILTER": "nonsense",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "user:secret@localhost:4318",
    "OTEL_PYTHON_TRACER_PROVIDER": "nobody's",
    "OTEL_ATTRIBUTE_COUNT_LIMIT": "9" * 5000,
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_CONFIG_FILE": "/nowhere.yaml",
    "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "(",
}


def test_a_malformed_variable_is_named_in_a_warning_and_everything_works() -> None:
    done = apart(a_service, **MALFORMED, OTEL_TRACES_EXPORTER="otlp")
    series = parsed(done.answer["text"].encode())

    for said in (
        "OTEL_BSP_SCHEDULE_DELAY=soon is not used: it is no whole number above zero",
        "OTEL_BSP_MAX_QUEUE_SIZE=-5 is not used: it is no whole number above zero",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=5000 is not used: it is larger than the queue",
        "OTEL_EXPORTER_OTLP_TIMEOUT=nan is not used: it is no number above zero",
        "OTEL_SDK_DISABLED=maybe is not used: it is neither true nor false; telemetry is on",
        "OTEL_RESOURCE_ATTRIBUTES: 'nonsense' is not used: it is no name=value",
        "OTEL_CONFIG_FILE is ignored",
        "OTEL_METRICS_EXPORTER: smoke signals is not used: prometheus, otlp and none are known",
        "OTEL_METRICS_EXEMPLAR_FILTER=nonsense is not used: it is none of always_on, always_off, trace_based",
        "OTEL_EXPORTER_OTLP_COMPRESSION=zip is not used: it is none of none, gzip, deflate",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=*** is not used: it does not begin with http:// or https://",
        "OTEL_PYTHON_TRACER_PROVIDER=nobody's is not used: no package that is installed has one of that name",
        "OTEL_ATTRIBUTE_COUNT_LIMIT=99999",
        "OTEL_METRIC_EXPORT_INTERVAL=5s is not used: it is no whole number above zero",
        "OTEL_EXPORTER_OTLP_PROTOCOL is not used: http/protobuf is, and its usual port is 4318",
        "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS: the pattern '(' is not used",
    ):
        assert f"WARNING telemetry.environment {said}" in done.log
    assert "Traceback" not in done.log
    assert values(series, "orders_total", **ORDER) == [2]
    assert values(series, "build_info", version="1.2") == [1]
    assert "telemetry of execution_gateway: metrics: ours and those of the OpenTelemetry API; traces: otlp" in done.log


def test_a_wrong_limit_of_spans_is_named_although_the_sdk_reads_it_when_it_is_imported() -> None:
    code = "import logging, telemetry; logging.basicConfig(level=logging.INFO); telemetry.init('somebody')"
    environment = {
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1.5",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "-5",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "0",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=30
    )

    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=1.5 is not used: it is no whole number" in done.stderr
    assert "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=-5 is not used: it is no whole number" in done.stderr
    assert "OTEL_SPAN_EVENT_COUNT_LIMIT" not in done.stderr
    assert "traces: otlp" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_name_of_the_service_comes_from_the_environment_first() -> None:
    done = apart(a_service, OTEL_SERVICE_NAME="gateway-7", OTEL_RESOURCE_ATTRIBUTES="deployment=blue")
    series = parsed(done.answer["text"].encode())

    assert values(series, "target_info", service_name="gateway-7", deployment="blue") == [1]
    assert values(series, "orders_total", **ORDER) == [2]  # what it owns is decided by the argument
    assert values(series, "build_info", version="unknown", telemetry=telemetry.__version__) == [1]


def a_child_beside_its_parent() -> dict[str, Any]:
    telemetry.init("execution_gateway", small_app())
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, shown_instance().encode())
        os._exit(0)
    os.waitpid(child, 0)
    return {"parent": shown_instance(), "child": os.read(reading, 200).decode(), "pid": child}


def shown_instance() -> str:
    [shown] = re.findall(rb'target_info{.*service_instance_id="(.*?)"', metering.shown())
    return str(shown.decode())


def test_a_forked_child_is_another_instance_in_what_it_shows() -> None:
    made = apart(a_child_beside_its_parent).answer
    assert len({made["parent"], made["child"]}) == 2

    chosen = apart(a_child_beside_its_parent, OTEL_RESOURCE_ATTRIBUTES=f"{INSTANCE}=pod-1").answer
    assert chosen == {"parent": "pod-1", "child": f"pod-1-{chosen['pid']}", "pid": chosen["pid"]}


def test_a_name_among_the_resource_attributes_is_taken_if_there_is_no_other() -> None:
    series = parsed(apart(a_service, OTEL_RESOURCE_ATTRIBUTES="service.name=gateway%2D8").answer["text"].encode())

    assert values(series, "target_info", service_name="gateway-8") == [1]


def test_a_name_in_another_encoding_costs_no_scrape_and_is_said() -> None:
    latin = {"OTEL_SERVICE_NAME": "caf\udce9", "OTEL_RESOURCE_ATTRIBUTES": "service.version=1\udcff,place=Z\udcfcrich"}
    done = apart(a_service, **latin)
    series = parsed(done.answer["text"].encode())

    assert done.answer["status"] == 200
    assert values(series, "target_info", service_name="caf\ufffd", place="Z\ufffdrich") == [1]
    assert values(series, "build_info", version="1\ufffd") == [1]
    for name in latin:
        assert f"WARNING telemetry.environment {name} is not UTF-8: each byte of it that cannot be read" in done.log


def test_without_an_exporter_of_metrics_nothing_is_shown_and_metrics_answers() -> None:
    done = apart(a_service, OTEL_METRICS_EXPORTER="none", OTEL_TRACES_EXPORTER="otlp")

    assert done.answer == {"status": 200, "text": ""}
    assert "telemetry of execution_gateway: metrics: off (OTEL_METRICS_EXPORTER); traces: otlp" in done.log


@pytest.mark.parametrize("name", ["OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS"])
def test_paths_that_match_are_not_measured(name: str) -> None:
    done = apart(a_service, **{name: "orders/.*, more$"})
    series = parsed(done.answer["text"].encode())

    assert [value for (sample, _), value in series.items() if sample == DURATION] == [1]  # /nowhere
    assert values(series, DURATION, http_response_status_code="404") == [1]


@pytest.mark.parametrize("names", ["fastapi", " Redis, FASTAPI", "*"])
def test_an_instrumentation_that_is_disabled_measures_no_request(names: str) -> None:
    done = apart(a_service, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=names)
    series = parsed(done.answer["text"].encode())

    assert [value for (sample, _), value in series.items() if sample == DURATION] == []
    assert values(series, "orders_total", **ORDER) == [2]


@pytest.mark.parametrize("value", ["9999999999999999", str(2**31), "0", "1e300"])
def test_a_time_that_no_thread_can_wait_is_not_used(
    value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("OTEL_METRIC_EXPORT_INTERVAL", "OTEL_BSP_SCHEDULE_DELAY"):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1e300")

    environment.check()

    assert environment.export_interval() == 5
    assert "OTEL_BSP_SCHEDULE_DELAY" not in os.environ
    assert "OTEL_EXPORTER_OTLP_TIMEOUT=1e300 is not used" in caplog.text


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "  ")

    assert environment.read("OTEL_TRACES_EXPORTER", "none") == "none"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version= 1 ,service.version=2,x")
    assert environment.resource_attribute("service.version") == "2"
    assert environment.resource_attribute("service.name") is None
    monkeypatch.setenv("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "")
    monkeypatch.setenv("OTEL_PYTHON_EXCLUDED_URLS", "/a")
    assert environment.excluded_urls("FASTAPI") == "/a"


@pytest.mark.parametrize(
    ("given", "exporters"),
    [
        ("", {"prometheus"}),
        ("otlp", {"otlp"}),
        (" otlp , prometheus,", {"otlp", "prometheus"}),
        ("none", set()),
        ("none,otlp", {"otlp"}),
        ("console", {"prometheus"}),
    ],
)
def test_metrics_are_shown_or_sent_or_both(given: str, exporters: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", given)

    assert environment.metrics_exporters() == exporters


@pytest.mark.parametrize(
    ("value", "instrumented"),
    [("", True), ("asyncpg", True), (" Redis ,asyncpg", False), ("redis", False), ("*", False), ("redis-py", True)],
)
def test_a_library_that_is_named_is_left_alone(value: str, instrumented: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", value)

    assert environment.is_instrumented("redis") == instrumented
