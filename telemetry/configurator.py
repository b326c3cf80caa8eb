"""What `opentelemetry-instrument` calls before the application runs: the entry point `opentelemetry_configurator`.

Its own configurator installs the SDK's MeterProvider, whatever `OTEL_PYTHON_METER_PROVIDER` says.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from opentelemetry.sdk._configuration import _OTelSDKConfigurator

from telemetry import sdk
from telemetry.drops import said
from telemetry.environment import read

logger = logging.getLogger(__name__)

NAME = "telemetry"
"""That of the entry points, which `OTEL_PYTHON_METER_PROVIDER` and `OTEL_PYTHON_CONFIGURATOR` name."""
_EXPORTER = "OTEL_METRICS_EXPORTER"


class Configurator(_OTelSDKConfigurator):
    """Sets up our metrics if `OTEL_PYTHON_METER_PROVIDER=telemetry`, and has the SDK set up spans and logs.

    Otherwise it does what would be done without it: the other configurator that is installed sets up everything, or the
    SDK if `OTEL_PYTHON_CONFIGURATOR` names this one.
    """

    def _configure(self, **given: Any) -> None:
        if read("OTEL_PYTHON_METER_PROVIDER") != NAME:
            self._hand_over(**given)
            return
        sdk.begin()
        try:
            with _without_metrics():
                super()._configure(**given)  # type: ignore[no-untyped-call]
        except Exception as error:  # such as an exporter that is not installed
            logger.error("there are no spans and logs: the SDK could not be set up: %s", said(error))

    def _hand_over(self, **given: Any) -> None:
        if read("OTEL_PYTHON_CONFIGURATOR") == NAME:
            super()._configure(**given)  # type: ignore[no-untyped-call]
            return
        others = [one for one in metadata.entry_points(group="opentelemetry_configurator") if one.name != NAME]
        for other in others[:1]:
            other.load()().configure(**given)


@contextmanager
def _without_metrics() -> Iterator[None]:
    """Has the SDK send no metrics, and not say that its MeterProvider is not taken because ours is there."""
    chosen = os.environ.get(_EXPORTER)
    api = logging.getLogger("opentelemetry.metrics._internal")
    os.environ[_EXPORTER] = "none"
    api.addFilter(_is_something_else)
    try:
        yield
    finally:
        api.removeFilter(_is_something_else)
        del os.environ[_EXPORTER]
        if chosen is not None:
            os.environ[_EXPORTER] = chosen


def _is_something_else(record: logging.LogRecord) -> bool:
    return "Overriding of current MeterProvider" not in record.getMessage()
