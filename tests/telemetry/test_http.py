"""Request metrics: which source measures an application, and that each request counts once, whatever came before."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import telemetry
from telemetry import asgi, http, metering
from tests.telemetry.apart import apart
from tests.telemetry.service import get, small_app, values
from tests.telemetry.test_exposition import Series, parsed

DURATION = "http_server_request_duration_seconds_count"
FRAMEWORKS = ("newer", "older", "starlette")


def starlette_app(*routes: Mount) -> Any:
    async def answer(_: Any) -> PlainTextResponse:
        return PlainTextResponse("here")

    return Starlette(routes=[Route("/health", answer), Route("/orders/{order_id}", answer), *routes])


def application(framework: str) -> Any:
    """A small application. FastAPI is taken for an older one by patching what tells them apart."""
    if framework == "older":
        http.has_native_telemetry = lambda: False
    return starlette_app() if framework == "starlette" else small_app()


def rendered() -> str:
    return metering.shown().decode()


def series_of(text: str) -> Series:
    """The series of a scrape, in which none may be twice."""
    lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    return parsed(text.encode())


def the_gateway(framework: str) -> str:
    from apps.execution_gateway.app import create
    from apps.execution_gateway.settings import Settings

    application(framework)
    app = create(Settings())
    get(app, "/api/v1/orders/1", Host="forged.example/metrics")
    get(app, "/api/v1/orders/1", "/api/v1/pnl", "/nowhere", "/health", "/health?a=b", "/metrics?a=b", Host="127.0.0.1")
    return get(app, "/metrics", Host="127.0.0.1")[0].text


@pytest.mark.parametrize("framework", ["newer", "older"])
def test_each_request_of_our_gateway_counts_once_also_one_that_its_guard_refuses(framework: str) -> None:
    # With traces, because the instrumentation of redis and asyncpg could set the old conventions for all of them.
    done = apart(the_gateway, framework, OTEL_TRACES_EXPORTER="otlp", OTEL_BSP_SCHEDULE_DELAY="60000")
    series = series_of(done.answer)

    assert values(series, DURATION, http_route="/api/v1/orders/{order_id}", http_response_status_code="422") == [1]
    assert values(series, DURATION, http_route="/api/v1/pnl", http_response_status_code="503") == [1]
    assert values(series, DURATION, http_route="/health", http_response_status_code="503") == [2]
    assert values(series, DURATION, http_response_status_code="400") == [1], "refused by the guard"
    assert sum(values(series, DURATION)) == 6, "all but those for /metrics"
    assert values(series, "http_server_active_requests") == [0]
    assert "forged" not in done.answer
    assert not any(name.startswith("http_server_duration") for name, _ in series)


def an_application_before_init(framework: str) -> str:
    app = application(framework)
    telemetry.init("execution_gateway", app)
    get(app, "/orders/1", "/orders/2", "/nowhere", "/health", "/metrics", Host="forged.example/metrics")
    return get(app, "/metrics")[0].text


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_application_created_before_init_is_measured(framework: str) -> None:
    series = series_of(apart(an_application_before_init, framework).answer)

    assert values(series, DURATION, http_route="/orders/{order_id}", http_response_status_code="200") == [2]
    assert values(series, DURATION, http_route="/health") == [1]
    assert sum(values(series, DURATION)) == 4


def applications_after_init(framework: str) -> str:
    telemetry.init("execution_gateway")
    app, inner = application(framework), application(framework)
    app.mount("/inner", inner)
    get(app, "/orders/1", "/inner/orders/1", "/inner/orders/secret", "/nowhere", "/metrics")
    get(inner, "/orders/1")
    get(starlette_app(Mount("/outer", inner)), "/outer/orders/1")
    return rendered()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_applications_created_after_an_init_without_one_are_measured_and_one_in_another_counts_once(
    framework: str,
) -> None:
    # `from fastapi import FastAPI` of this module ran before init.
    done = apart(
        applications_after_init, framework, OTEL_EXPORTER_PROMETHEUS_PORT="0", OTEL_PYTHON_EXCLUDED_URLS="secret$"
    )
    series = series_of(done.answer)

    assert values(series, DURATION, http_route="/orders/{order_id}") == [2]
    assert values(series, DURATION, http_route="/inner/orders/{order_id}") == [1]
    assert values(series, DURATION, http_route="/outer/orders/{order_id}") == [1]
    assert values(series, DURATION, http_response_status_code="404") == [2], "/metrics is on a port of its own"
    assert sum(values(series, DURATION)) == 6


def two_frameworks() -> str:
    fastapi, starlette, unknown = small_app(), starlette_app(), small_app()
    for app in (fastapi, starlette):
        telemetry.init("execution_gateway", app)
    for app in (fastapi, starlette, unknown):
        get(app, "/orders/1")
    return get(starlette, "/metrics")[0].text


def test_applications_of_two_frameworks_share_their_series() -> None:
    series = series_of(apart(two_frameworks).answer)

    assert values(series, DURATION) == [3]
    assert values(series, "http_server_active_requests") == [0]


def an_application_that_is_instrumented(framework: str) -> str:
    FastAPIInstrumentor().instrument()  # as `opentelemetry-instrument` does, before any code of the service
    import fastapi

    application(framework)
    app = fastapi.FastAPI()
    app.get("/orders/{order_id}")(lambda order_id: order_id)
    telemetry.init("execution_gateway", app)
    get(app, "/orders/1", "/orders/2", "/metrics", Host="forged.example/metrics")
    return get(app, "/metrics")[0].text


def test_fastapi_measures_itself_also_when_something_instrumented_it_before_init() -> None:
    done = apart(an_application_that_is_instrumented, "newer")
    series = series_of(done.answer)

    assert values(series, DURATION, http_route="/orders/{order_id}") == [2]
    assert sum(values(series, DURATION)) == 2
    assert not any(name.startswith("http_server_duration") for name, _ in series)
    assert "forged" not in done.answer
    assert "FastAPI measures its own requests: the middleware of opentelemetry-instrumentation is taken out" in done.log


def test_an_older_fastapi_that_was_instrumented_before_init_counts_once() -> None:
    done = apart(an_application_that_is_instrumented, "older", OTEL_SEMCONV_STABILITY_OPT_IN="http")
    series = series_of(done.answer)

    assert values(series, DURATION, http_route="/orders/{order_id}") == [2]
    assert sum(values(series, DURATION)) == 2


def test_old_names_that_were_chosen_before_init_are_warned_of() -> None:
    done = apart(an_application_that_is_instrumented, "older")

    assert "the request metrics have old names, and the client's Host header as a label" in done.log
    assert "set OTEL_SEMCONV_STABILITY_OPT_IN=http" in done.log


def a_starlette_app_that_is_instrumented() -> dict[str, Any]:
    app, seen = starlette_app(), []
    app.router.routes.append(Route("/crash", crash))
    for _ in range(2):  # as opentelemetry-instrumentation-starlette does: inside of what answers to an exception
        app.add_middleware(OpenTelemetryMiddleware, server_request_hook=lambda _, scope: seen.append(scope["path"]))
    telemetry.init("execution_gateway", app)
    get(app, "/orders/1", "/crash")
    return {"text": get(app, "/metrics")[0].text, "seen": seen}


async def crash(_: Any) -> None:
    raise ValueError("a secret")


def test_what_measured_a_starlette_application_before_is_used_once_and_sees_a_500() -> None:
    done = apart(a_starlette_app_that_is_instrumented)
    series = series_of(done.answer["text"])

    assert values(series, DURATION, http_route="/orders/{order_id}", http_response_status_code="200") == [1]
    assert values(series, DURATION, http_route="/crash", http_response_status_code="500", error_type="500") == [1]
    assert sum(values(series, DURATION)) == 2
    assert done.answer["seen"] == ["/orders/1", "/crash"], "with the hooks it was given"


def test_an_application_is_known_although_an_instrumentation_replaced_its_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Replaced(Starlette):
        """What opentelemetry-instrumentation-starlette puts in its place. FastAPI does not derive from it."""

    monkeypatch.setattr("starlette.applications.Starlette", Replaced)
    app = small_app()

    assert http.starlette_of(app) is app


def an_application_without_its_extra(framework: str) -> list[int]:
    for name in ("asgi", "fastapi"):  # so that importing them fails
        sys.modules[f"opentelemetry.instrumentation.{name}"] = None  # type: ignore[assignment]
    app = application(framework)
    telemetry.init("execution_gateway", app)
    return [answer.status_code for answer in get(app, "/orders/1", "/metrics")]


@pytest.mark.parametrize(("framework", "extra"), [("older", "fastapi"), ("starlette", "starlette")])
def test_a_missing_instrumentation_is_a_sentence_that_says_what_to_install(framework: str, extra: str) -> None:
    done = apart(an_application_without_its_extra, framework)

    assert done.answer == [200, 200]
    assert "there is no part for HTTP: " in done.log
    assert f"run pip install 'trading-telemetry[{extra}]'" in done.log
    assert "Traceback" not in done.log


def an_application_whose_set_up_fails(when: str) -> list[int]:
    def fail(*_: object, **__: object) -> None:
        raise AttributeError("not in this version")

    if when == "at the start":
        asgi.measured = fail
    else:
        http.left_out = fail  # type: ignore[assignment]
    telemetry.init("execution_gateway")
    return [answer.status_code for answer in get(starlette_app(), "/orders/1")]


@pytest.mark.parametrize("when", ["at the start", "before"])
def test_an_application_starts_although_its_requests_cannot_be_measured(when: str) -> None:
    done = apart(an_application_whose_set_up_fails, when, OTEL_EXPORTER_PROMETHEUS_PORT="0")

    assert done.answer == [200]
    assert "ERROR telemetry.http the requests of an application are not measured" in done.log


@pytest.mark.parametrize(
    ("path", "root_path", "own"),
    [
        ("/metrics", "", "/metrics"),
        ("/api/metrics", "/api", "/metrics"),
        ("/api/metrics", "/api/", "/metrics"),
        ("/metrics", "/api", "/metrics"),
        ("/apimetrics", "/api", "/apimetrics"),
        ("/api", "/api", "/api"),
        ("//metrics", "", "//metrics"),
        ("//metrics", "/", "//metrics"),
    ],
)
def test_the_own_path_is_without_the_root_path(path: str, root_path: str, own: str) -> None:
    assert http.own_path({"path": path, "root_path": root_path}) == own


def scope_of(path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "http_version": "1.1", **more}


@pytest.mark.parametrize("path", ["//metrics", "/metrics/", "/metrics\n", "/x/metrics", "/METRICS", "/health", ""])
def test_no_other_path_is_left_out(path: str) -> None:
    assert not http.left_out("FASTAPI", serves_metrics=True)(scope_of(path))


def test_only_scrapes_are_left_out_and_only_where_metrics_is_ours() -> None:
    left_out = http.left_out("FASTAPI", serves_metrics=True)

    assert left_out(scope_of("/metrics"))
    assert left_out(scope_of("/metrics", "HEAD"))
    assert not left_out(scope_of("/metrics", "POST"))
    assert not left_out({"type": "websocket", "path": "/metrics"})
    assert not http.left_out("FASTAPI", serves_metrics=False)(scope_of("/metrics"))


@pytest.mark.parametrize("framework", ["FASTAPI", "STARLETTE"])
def test_patterns_are_searched_in_the_own_path_alone(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"OTEL_PYTHON_{framework}_EXCLUDED_URLS", "^/orders/, hidden")
    left_out = http.left_out(framework, serves_metrics=True, before=lambda scope: scope["path"] == "/theirs")

    for path in ("/orders/1", "/api/orders/1", "/x/hidden/y", "/theirs"):
        assert left_out(scope_of(path, root_path="/api"))
    assert not left_out(scope_of("/x/orders/", query_string=b"hidden", headers=[(b"host", b"hidden")]))


def test_a_version_that_a_client_made_up_is_no_label() -> None:
    given, good = scope_of("/", http_version="7.3"), scope_of("/", http_version="2")
    left_out = http.left_out("FASTAPI", serves_metrics=True)

    left_out(given)
    left_out(good)

    assert (given["http_version"], good["http_version"]) == ("1.1", "2")


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (None, "http"),
        ("", "http"),
        ("database", "database,http"),
        ("http", "http"),
        ("http/dup, x", "x,http"),
    ],
)
def test_the_stable_names_of_http_are_added_to_what_was_chosen(
    given: str | None, chosen: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = "OTEL_SEMCONV_STABILITY_OPT_IN"
    monkeypatch.setenv(name, given or "")
    if given is None:
        monkeypatch.delenv(name)

    http.choose_conventions()

    assert os.environ[name] == chosen
    assert ("http is used instead of http/dup" in caplog.text) is ("http/dup" in (given or ""))


def test_settings_of_fastapi_that_are_not_found_are_said(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    del app._telemetry

    http.instrument(app)

    assert (
        "the telemetry settings of this FastAPI were not found: requests for /metrics are measured too" in caplog.text
    )
