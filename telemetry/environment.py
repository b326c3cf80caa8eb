"""The standard `OTEL_*` variables: reads them, and says of a wrong one that it is not used."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import re
import uuid
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from telemetry.registry import process

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

logger = logging.getLogger(__name__)

INSTANCE = "service.instance.id"
_FIRST_PROCESS = os.getpid()

POSITIVE = (
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_METRIC_EXPORT_INTERVAL",
)
"""Variables that are read as whole numbers above zero. It raises for others, and then there would be no traces."""
LIMITS = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
)
"""The same, but 0 is allowed."""
SECONDS = (
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
)
"""Variables that are read as numbers above zero, with or without a point."""

PROTOCOLS = (
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
)

ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
KNOWN = {
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("none", "gzip", "deflate"),
    "OTEL_METRICS_EXEMPLAR_FILTER": ("always_on", "always_off", "trace_based"),
}


def read(name: str, default: str = "") -> str:
    """The value without blanks around it. An empty variable counts as not set, as OpenTelemetry says."""
    return os.environ.get(name, "").strip() or default


def check() -> None:
    """Logs a warning for each variable that cannot be used, and removes it from the environment of this process."""
    for names, fits, what in (
        (POSITIVE, _is_whole, "it is no whole number above zero"),
        (LIMITS, lambda value: value == "0" or _is_whole(value), "it is no whole number"),
        (SECONDS, _is_positive, "it is no number above zero"),
    ):
        for name in names:
            value = read(name)
            if value and not fits(value):
                _ignore(name, value, what)
    batch = read("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
    if batch and int(batch) > int(read("OTEL_BSP_MAX_QUEUE_SIZE", "2048")):
        _ignore("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch, "it is larger than the queue (OTEL_BSP_MAX_QUEUE_SIZE)")
    _check_texts()


def _check_texts() -> None:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        given = os.environ.get(name, "")
        readable = given.encode(errors="surrogateescape").decode(errors="replace")
        if readable != given:
            logger.warning(
                "%s is not UTF-8: each byte of it that cannot be read is shown as \N{REPLACEMENT CHARACTER}", name
            )
            os.environ[name] = readable
    disabled = read("OTEL_SDK_DISABLED")
    if disabled and disabled.lower() not in ("true", "false"):
        _ignore("OTEL_SDK_DISABLED", disabled, "it is neither true nor false; telemetry is on")
    for pair in filter(None, read("OTEL_RESOURCE_ATTRIBUTES").split(",")):
        name, equals, _ = pair.partition("=")
        if not equals or not name.strip():
            logger.warning("OTEL_RESOURCE_ATTRIBUTES: %r is not used: it is no name=value", pair[:80])
    _check_otlp()
    _check_known()
    if read("OTEL_CONFIG_FILE"):
        logger.warning("OTEL_CONFIG_FILE is ignored: set the other OTEL_ variables instead")


def _check_otlp() -> None:
    chosen = f"{read('OTEL_METRICS_EXPORTER')},{read('OTEL_TRACES_EXPORTER')}".split(",")
    if "otlp" not in [part.strip() for part in chosen]:
        return
    for name in PROTOCOLS:
        if read(name, "http/protobuf") != "http/protobuf":
            logger.warning("%s is not used: http/protobuf is, and its usual port is 4318", name)
    for name in ENDPOINTS:
        if read(name) and not re.match(r"https?://[^/]", read(name)):
            _ignore(name, "***", "it does not begin with http:// or https://")


def _check_known() -> None:
    """Variables of which the SDK or the API knows only some values, and raises for others."""
    for name, known in KNOWN.items():
        value = read(name)
        if value and value.lower() not in known:
            _ignore(name, value, f"it is none of {', '.join(known)}")
    for name in ("OTEL_PYTHON_METER_PROVIDER", "OTEL_PYTHON_TRACER_PROVIDER"):
        value = read(name)
        group = name.lower().replace("otel_python", "opentelemetry")
        if value and not metadata.entry_points(group=group, name=value):
            _ignore(name, value, "no package that is installed has one of that name")


def is_disabled() -> bool:
    """Whether `OTEL_SDK_DISABLED` turns everything off."""
    return read("OTEL_SDK_DISABLED").lower() == "true"


def metrics_exporters() -> set[str]:
    """What `OTEL_METRICS_EXPORTER` names: `prometheus` (the default), `otlp`, both, or nothing for `none`."""
    given = read("OTEL_METRICS_EXPORTER", "prometheus")
    chosen = {part.strip() for part in given.split(",") if part.strip()}
    for unknown in sorted(chosen - {"none", "otlp", "prometheus"}):
        logger.warning("OTEL_METRICS_EXPORTER: %s is not used: prometheus, otlp and none are known", unknown[:80])
    known = chosen & {"otlp", "prometheus"}
    return known or (set() if "none" in chosen else {"prometheus"})


def export_interval() -> float:
    """Seconds between two exports of metrics: `OTEL_METRIC_EXPORT_INTERVAL` in milliseconds, or 5 s, as in a scrape."""
    return int(read("OTEL_METRIC_EXPORT_INTERVAL", "5000")) / 1000


def is_instrumented(library: str) -> bool:
    """Whether a library may be measured and traced: `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` does not name it.

    The variable is a list with commas of `asyncpg`, `fastapi`, `httpx`, `redis` and `starlette`, or `*` for all.
    """
    disabled = {name.strip().lower() for name in read("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS").split(",")}
    return disabled.isdisjoint((library, "*"))


def resource_attribute(name: str) -> str | None:
    """The value of one attribute in `OTEL_RESOURCE_ATTRIBUTES`."""
    pairs = (pair.partition("=") for pair in read("OTEL_RESOURCE_ATTRIBUTES").split(","))
    found = [unquote(value.strip()) for key, equals, value in pairs if equals and key.strip() == name]
    return found[-1] or None if found else None


def resource() -> Resource:
    """What this process is, for what is shown and sent. A forked child has one of its own, and `init` names it.

    It must be asked for once before the interpreter ends: the SDK starts a thread for it, and that is refused then.
    """
    return _resource(process.service, os.getpid())


@functools.lru_cache(maxsize=1)
def _resource(service_name: str | None, process_id: int) -> Resource:
    from opentelemetry.sdk.resources import Resource

    attributes = {INSTANCE: _instance(process_id)}
    if service_name:  # `init` may have been given none
        named = resource_attribute("service.name") or service_name.replace("_", "-")
        attributes["service.name"] = read("OTEL_SERVICE_NAME", named)
    return Resource.create(attributes)


@functools.lru_cache(maxsize=1)
def _instance(process_id: int) -> str:
    """Processes with one id would write the same series. One that somebody chose is that of the first process."""
    chosen = resource_attribute(INSTANCE)
    if chosen is None:
        return str(uuid.uuid4())
    is_child = process_id != _FIRST_PROCESS or multiprocessing.parent_process() is not None  # as a worker of uvicorn is
    return f"{chosen}-{process_id}" if is_child else chosen


def excluded_urls(framework: str) -> str:
    """The patterns of `OTEL_PYTHON_FASTAPI_EXCLUDED_URLS` (or STARLETTE), else of `OTEL_PYTHON_EXCLUDED_URLS`.

    With commas between them.
    """
    name = f"OTEL_PYTHON_{framework}_EXCLUDED_URLS"
    if not read(name):
        name = "OTEL_PYTHON_EXCLUDED_URLS"
    good = []
    for pattern in filter(None, (part.strip() for part in read(name).split(","))):
        try:
            re.compile(pattern)
        except re.error as error:
            logger.warning("%s: the pattern %r is not used: %s", name, pattern[:80], error)
        else:
            good.append(pattern)
    return ",".join(good)


def _is_whole(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= 10 and 0 < int(value) < 2**31


def _is_positive(value: str) -> bool:
    try:
        return 0 < float(value) < 1_000_000
    except ValueError:
        return False


def _ignore(name: str, value: str, why: str) -> None:
    logger.warning("%s=%s is not used: %s", name, value[:80], why)
    del os.environ[name]
