"""Metrics, spans and logs of a service. `init` serves /metrics and, when it is configured, sends spans.

    app = FastAPI(title="execution-gateway")
    telemetry.init("execution_gateway", app)

A service declares its own metrics in one of its modules. A metric is registered when it is declared:

    SIDE = telemetry.Attribute("side", ("buy", "sell"))
    orders_total = telemetry.Counter("orders_total", "Orders.", unit="{order}", attributes=(SIDE,))
    orders_total.add(1, {"side": "buy"})

The connection status of Redis and PostgreSQL comes from `RedisProbe` and `DatabaseProbe`, which the service runs.
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
