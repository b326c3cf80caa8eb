"""Measures a service with one call: metrics on /metrics, spans when asked for, connection status that is true.

    app = FastAPI(title="execution-gateway")
    telemetry.init("execution_gateway", app)

A service declares its own metrics beside its code, in a module of its own; declaring is registering.
"""

from telemetry.attributes import Attribute
from telemetry.databases import DatabaseProbe, RedisProbe
from telemetry.instruments import Counter, Gauge, Histogram, UpDownCounter
from telemetry.logs import set_up_logging
from telemetry.sdk import init, shutdown

__all__ = [
    "Attribute",
    "Counter",
    "DatabaseProbe",
    "Gauge",
    "Histogram",
    "RedisProbe",
    "UpDownCounter",
    "init",
    "set_up_logging",
    "shutdown",
]
