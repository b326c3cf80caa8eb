"""Request metrics with an older FastAPI: the same names as with a new one, and each request counts once."""

from __future__ import annotations

import os
from typing import Any

import pytest
from fastapi import FastAPI

import telemetry
from telemetry import http
from tests.telemetry.apart import apart
from tests.telemetry.test_exposition import parsed
from tests.telemetry.test_sdk import get, small_app, values


def an_older_fastapi(made: str) -> dict[str, Any]:
    """`made` says which application: one of ours, one created before init, or one created after an init without it."""
    http.has_native_telemetry = lambda: False
    host = "forged.example/metrics"
    if made == "gateway":
        from apps.execution_gateway.app import create
        from apps.execution_gateway.settings import Settings

        app, host = create(Settings()), "127.0.0.1"  # the gateway refuses requests for any other host
    elif made == "before":
        app = small_app()
        telemetry.init("execution_gateway", app)
    else:
        telemetry.init("execution_gateway")
        app = small_app_of_the_module()
        http.serve_metrics(app, telemetry.sdk._render)
    paths = ["/api/v1/orders/1", "/api/v1/pnl"] if made == "gateway" else ["/orders/x", "/orders/1", "/metrics/more"]
    get(app, *paths, "/nowhere", Host=host)
    get(app, "/health", "/metrics", "/health?a=b", "/metrics?a=b", Host="127.0.0.1")
    return {"text": get(app, "/metrics", Host="127.0.0.1")[0].text}


def small_app_of_the_module() -> FastAPI:
    """An application of a module with `import fastapi` instead of `from fastapi import FastAPI`."""
    import fastapi

    app = fastapi.FastAPI()

    @app.get("/health")
    @app.get("/metrics/more")
    @app.get("/orders/{order_id}")
    async def answer(order_id: int = 0) -> int:
        return order_id

    return app


DURATION = "http_server_request_duration_seconds_count"


def test_our_gateway_on_an_older_fastapi_has_the_same_names_and_counts_each_request_once() -> None:
    # With traces, because the instrumentation of redis and asyncpg could set the old conventions for all of them.
    done = apart(an_older_fastapi, "gateway", OTEL_TRACES_EXPORTER="otlp", OTEL_BSP_SCHEDULE_DELAY="60000")
    series = parsed(done.answer["text"].encode())

    assert values(series, DURATION, http_route="/api/v1/orders/{order_id}", http_response_status_code="422") == [1]
    assert values(series, DURATION, http_route="/api/v1/pnl", http_response_status_code="503") == [1]
    assert sum(values(series, DURATION)) == 3
    assert values(series, "http_server_active_requests") == [0]
    assert "forged" not in done.answer["text"]
    assert not any(name.startswith("http_server_duration") for name, _ in series)


def test_an_application_created_before_init_is_measured() -> None:
    series = parsed(apart(an_older_fastapi, "before").answer["text"].encode())

    assert values(series, DURATION, http_route="/orders/{order_id}", http_response_status_code="422") == [1]
    assert values(series, DURATION, http_route="/orders/{order_id}", http_response_status_code="200") == [1]
    assert values(series, DURATION, http_route="/metrics/more") == [1]
    assert sum(values(series, DURATION)) == 4


def test_an_application_created_after_an_init_without_one_is_measured() -> None:
    done = apart(an_older_fastapi, "after", OTEL_EXPORTER_PROMETHEUS_PORT="0")
    series = parsed(done.answer["text"].encode())

    assert values(series, DURATION, http_route="/orders/{order_id}", http_response_status_code="200") == [1]
    assert sum(values(series, DURATION)) == 4


@pytest.mark.parametrize(
    ("given", "chosen"),
    [(None, "http"), ("", "http"), ("database", "database,http"), ("http", "http"), ("http/dup, x", "http/dup, x")],
)
def test_the_stable_names_of_http_are_added_to_what_was_chosen(
    given: str | None, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "OTEL_SEMCONV_STABILITY_OPT_IN"
    monkeypatch.setenv(name, given or "")
    if given is None:
        monkeypatch.delenv(name)

    http.choose_conventions()

    assert os.environ[name] == chosen
