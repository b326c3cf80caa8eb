"""The application whose requests are measured: the same routes, watched by one of several libraries, or by none.

VARIANT=ours ROUTES=100 uvicorn --factory tests.benchmarks.served:app
"""

from __future__ import annotations

import os
from collections.abc import Callable

from fastapi import FastAPI


def app() -> FastAPI:
    """The application of `VARIANT` with `ROUTES` routes."""
    application = FastAPI()
    for number in range(int(os.environ["ROUTES"])):
        application.add_api_route(f"/orders{number}/{{order_id}}", _order)
    VARIANTS[os.environ["VARIANT"]](application)
    return application


async def _order(order_id: int) -> dict[str, int]:
    return {"order_id": order_id}


def _plain(_: FastAPI) -> None:
    """Nothing watches it."""


def _ours(application: FastAPI) -> None:
    import telemetry

    telemetry.init("bench", application)


def _prometheus_fastapi_instrumentator(application: FastAPI) -> None:
    from prometheus_fastapi_instrumentator import Instrumentator

    Instrumentator().instrument(application).expose(application)


def _instrumentation_fastapi(application: FastAPI) -> None:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http"
    from opentelemetry import metrics
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider

    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
    FastAPIInstrumentor.instrument_app(application)


def _logfire(application: FastAPI) -> None:
    import logfire

    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
    logfire.instrument_fastapi(application)


VARIANTS: dict[str, Callable[[FastAPI], None]] = {
    "plain FastAPI": _plain,
    "ours": _ours,
    "prometheus-fastapi-instrumentator": _prometheus_fastapi_instrumentator,
    "instrumentation-fastapi": _instrumentation_fastapi,
    "logfire": _logfire,
}
