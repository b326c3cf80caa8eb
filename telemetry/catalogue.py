"""The metrics that every service has; what a service adds is declared the same way, beside its code."""

from telemetry.attributes import Attribute
from telemetry.instruments import Gauge, Histogram

DEPENDENCY = Attribute("dependency", limit=20)

redis_connection_status = Gauge(
    "redis_connection_status",
    "Whether Redis answered this service's last ping: 1 up, 0 down.",
    unit="1",
)
database_connection_status = Gauge(
    "database_connection_status",
    "Whether PostgreSQL answered this service's last query: 1 up, 0 down.",
    unit="1",
)
dependency_ping_duration_seconds = Histogram(
    "dependency_ping_duration_seconds",
    "How long the probes of Redis and PostgreSQL took, failed ones included.",
    unit="s",
    attributes=(DEPENDENCY,),
)
heartbeat_timestamp_seconds = Gauge(
    "heartbeat_timestamp_seconds",
    "When this process was last seen to be alive: the time of the scrape.",
    unit="s",
)
build_info = Gauge(
    "build_info",
    "Always 1; its labels say what runs.",
    unit="1",
    attributes=(Attribute("version"), Attribute("python")),
)
