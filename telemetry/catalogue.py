"""The metrics that every service has. A service declares its own metrics in the same way, in its own code."""

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
    "How long each probe of Redis or PostgreSQL took, including failed probes.",
    unit="s",
    attributes=(DEPENDENCY,),
)
heartbeat_timestamp_seconds = Gauge(
    "heartbeat_timestamp_seconds",
    "The time of the scrape; it shows that this process is alive.",
    unit="s",
)
build_info = Gauge(
    "build_info",
    "Always 1; the labels are the versions of this software and of Python.",
    unit="1",
    attributes=(Attribute("version"), Attribute("python")),
)
