"""The metrics that every service has. A service declares its own metrics in the same way, in its own code."""

from typing import Annotated, Literal, TypedDict

from telemetry import drops
from telemetry.attributes import Open
from telemetry.counters import Counter, UpDownCounter
from telemetry.drops import Reason
from telemetry.gauges import Gauge
from telemetry.histograms import LATENCY_BUCKETS, Histogram

METRIC = Open(limit=1000)
CLIENT_BUCKETS = (0.0001, 0.00025, *LATENCY_BUCKETS)
"""Redis answers in a tenth of a millisecond."""

# Open, so that nothing is shown at 0 of a library that is not measured.
DATABASE = Open(limit=2)
DIRECTION = Open(limit=2)
Database = Annotated[Literal["postgresql", "redis"], DATABASE]


class DependencyLabels(TypedDict):
    """Which dependency was asked."""

    dependency: Literal["database", "redis"]


class DatabaseOperationLabels(TypedDict):
    """What was asked of which database, and the class of the error, which is empty when there was none."""

    db_system: Database
    db_operation_name: Annotated[str, Open(limit=100)]
    error_type: Annotated[str, Open(limit=50)]


class DatabaseErrorLabels(TypedDict):
    """Which database, and the class of the error."""

    db_system: Database
    error_type: Annotated[str, Open(limit=50)]


class PoolLabels(TypedDict):
    """All pools of this process for one database together."""

    db_client_connection_pool_name: Database


class ConnectionLabels(TypedDict):
    """All pools of this process for one database together, and what its connections do."""

    db_client_connection_pool_name: Database
    db_client_connection_state: Literal["idle", "used"]


class MessageLabels(TypedDict):
    """Whether the message was sent or received."""

    redis_client_pubsub_message_direction: Annotated[Literal["publish", "receive"], DIRECTION]


class HttpClientLabels(TypedDict):
    """Whom the request went to, and how it ended. Status and error are empty when there was none."""

    http_request_method: Annotated[str, Open(limit=20)]
    server_address: Annotated[str, Open(limit=100)]
    server_port: Annotated[int, Open(limit=100)]
    http_response_status_code: Annotated[int | str, Open(limit=60)]
    error_type: Annotated[str, Open(limit=50)]


class BuildLabels(TypedDict):
    """The versions of the service (`service.version` in OTEL_RESOURCE_ATTRIBUTES), of Python and of this library."""

    version: Annotated[str, Open(limit=10)]
    python: Annotated[str, Open(limit=10)]
    telemetry: Annotated[str, Open(limit=10)]


class GenerationLabels(TypedDict):
    """The generation of objects that was searched for garbage: 0 is the youngest, and 2 is all objects."""

    generation: Literal["0", "1", "2"]


class DropLabels(TypedDict):
    """Which metric did not take a record, and why."""

    metric: Annotated[str, METRIC]
    reason: Reason


class SeriesLabels(TypedDict):
    """The metric whose series or labels are counted."""

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
db_client_operation_duration_seconds = Histogram(
    "db_client_operation_duration_seconds",
    "How long calls of PostgreSQL and Redis took, by command and class of error.",
    DatabaseOperationLabels,
    unit="s",
    buckets=CLIENT_BUCKETS,
)
db_client_errors_total = Counter(
    "db_client_errors_total",
    "Failed calls of PostgreSQL, and failed attempts of Redis calls, by class of error.",
    DatabaseErrorLabels,
    unit="{error}",
)
db_client_connection_count = Gauge(
    "db_client_connection_count",
    "Connections that the pools of this process hold, by what they do.",
    ConnectionLabels,
    unit="{connection}",
    named_like_a_counter=True,
)
db_client_connection_max = Gauge(
    "db_client_connection_max",
    "How many connections the pools of this process may hold.",
    PoolLabels,
    unit="{connection}",
)
db_client_connection_pending_requests = UpDownCounter(
    "db_client_connection_pending_requests",
    "Callers that wait now because all connections of their pool are in use.",
    PoolLabels,
    unit="{request}",
)
db_client_connection_wait_time_seconds = Histogram(
    "db_client_connection_wait_time_seconds",
    "How long callers waited for a connection of a pool, including those that gave up.",
    PoolLabels,
    unit="s",
)
redis_client_pubsub_messages_total = Counter(
    "redis_client_pubsub_messages_total",
    "Messages published to Redis, or received from it.",
    MessageLabels,
    unit="{message}",
)
http_client_request_duration_seconds = Histogram(
    "http_client_request_duration_seconds",
    "How long requests to other services took, until the answer was read or the request failed.",
    HttpClientLabels,
    unit="s",
)
heartbeat_timestamp_seconds = Gauge(
    "heartbeat_timestamp_seconds", "The time of the scrape; it shows that this process is alive.", unit="s"
)
workers_expected = Gauge(
    "workers_expected",
    "How many processes of this service should send metrics; no series if that is not known, or if it is scraped.",
    unit="{process}",
)
build_info = Gauge(
    "build_info",
    "Always 1; the labels are the versions of the service, of Python and of the telemetry library.",
    BuildLabels,
    unit="1",
)
event_loop_lag_seconds = Histogram(
    "event_loop_lag_seconds",
    "How late a timer of the event loop was, 20 times a second; while the loop is blocked nothing else runs on it.",
    unit="s",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
process_cpu_seconds_total = Counter(
    "process_cpu_seconds_total", "User and system processor time of this process.", unit="s"
)
process_resident_memory_bytes = Gauge(
    "process_resident_memory_bytes", "Memory of this process that is in RAM.", unit="By"
)
process_virtual_memory_bytes = Gauge("process_virtual_memory_bytes", "Virtual memory of this process.", unit="By")
process_memory_limit_bytes = Gauge(
    "process_memory_limit_bytes",
    "Memory that this process may use: the least limit of its control groups, or what the machine has.",
    unit="By",
)
process_open_fds = Gauge("process_open_fds", "Open file descriptors of this process.", unit="{fd}")
process_max_fds = Gauge("process_max_fds", "The most file descriptors that this process may have open.", unit="{fd}")
process_start_time_seconds = Gauge(
    "process_start_time_seconds", "When this process was started, in seconds since 1970.", unit="s"
)
python_gc_collections_total = Counter(
    "python_gc_collections_total",
    "Collections of garbage by the interpreter, by generation.",
    GenerationLabels,
    unit="{collection}",
)
python_gc_pause_seconds = Histogram(
    "python_gc_pause_seconds",
    "How long each collection of garbage took; nothing else runs in the interpreter meanwhile.",
    unit="s",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
telemetry_dropped_total = Counter(
    drops.COUNTER, "Records that were dropped, by metric and reason.", DropLabels, unit="{record}"
)
telemetry_series = Gauge(
    "telemetry_series", "Series that this process holds, by metric.", SeriesLabels, unit="{series}"
)
telemetry_full_labels = Gauge(
    "telemetry_full_labels",
    "Labels for whose later values a metric has no room, so that it counts them together as __other__, by metric.",
    SeriesLabels,
    unit="{label}",
)

drops.count_with(lambda metric, reason: telemetry_dropped_total.add(1, {"metric": metric, "reason": reason}))
