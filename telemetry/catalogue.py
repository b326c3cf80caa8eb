"""The metrics that every service has. A service declares its own metrics in the same way, in its own code."""

from typing import Annotated, Literal, TypedDict

from telemetry import drops
from telemetry.attributes import Open
from telemetry.counters import Counter
from telemetry.drops import Reason
from telemetry.gauges import Gauge
from telemetry.histograms import Histogram

METRIC = Open(limit=1000)


class DependencyLabels(TypedDict):
    """Which dependency was asked."""

    dependency: Literal["database", "redis"]


class BuildLabels(TypedDict):
    """The versions of the service (`service.version` in OTEL_RESOURCE_ATTRIBUTES), of Python and of this library."""

    version: Annotated[str, Open(limit=10)]
    python: Annotated[str, Open(limit=10)]
    telemetry: Annotated[str, Open(limit=10)]


class DropLabels(TypedDict):
    """Which metric did not take a record, and why."""

    metric: Annotated[str, METRIC]
    reason: Reason


class SeriesLabels(TypedDict):
    """The metric whose series are counted."""

    metric: Annotated[str, METRIC]


redis_connection_status = Gauge(
    "redis_connection_status",
    "Whether Redis took a new connection of this service and answered: 1 up, 0 down.",
    unit="1",
)
database_connection_status = Gauge(
    "database_connection_status",
    "Whether PostgreSQL took a new connection of this service and answered: 1 up, 0 down.",
    unit="1",
)
dependency_writable = Gauge(
    "dependency_writable",
    "Whether Redis or PostgreSQL takes writes: 1 yes, 0 it answers but takes none; no series if that is not known.",
    DependencyLabels,
    unit="1",
)
dependency_ping_duration_seconds = Histogram(
    "dependency_ping_duration_seconds",
    "How long each probe of Redis or PostgreSQL took, with its connection, including failed probes.",
    DependencyLabels,
    unit="s",
)
heartbeat_timestamp_seconds = Gauge(
    "heartbeat_timestamp_seconds", "The time of the scrape; it shows that this process is alive.", unit="s"
)
build_info = Gauge(
    "build_info",
    "Always 1; the labels are the versions of the service, of Python and of the telemetry library.",
    BuildLabels,
    unit="1",
)
telemetry_dropped_total = Counter(
    drops.COUNTER, "Records that were dropped, by metric and reason.", DropLabels, unit="{record}"
)
telemetry_series = Gauge(
    "telemetry_series", "Series that this process holds, by metric.", SeriesLabels, unit="{series}"
)

drops.count_with(lambda metric, reason: telemetry_dropped_total.add(1, {"metric": metric, "reason": reason}))
