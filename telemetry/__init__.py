"""Metrics, spans and logs of a service. `init` serves /metrics and, when it is configured, sends spans.

    app = FastAPI(title="execution-gateway")
    telemetry.init("execution_gateway", app)

A service declares its own metrics in one of its modules. A metric is registered when it is declared:

    class OrderLabels(TypedDict):
        symbol: Annotated[str, telemetry.Open(limit=100)]
        side: Literal["buy", "sell"]

    orders_total = telemetry.Counter("orders_total", "Orders.", OrderLabels, unit="{order}")
    orders_total.add(1, {"symbol": "AAPL", "side": "buy"})

Whether Redis and PostgreSQL answer and take writes comes from `RedisProbe` and `DatabaseProbe`, which the service runs.
"""

from telemetry.attributes import Open
from telemetry.counters import Counter, UpDownCounter
from telemetry.gauges import Gauge
from telemetry.histograms import Histogram
from telemetry.logs import set_up_logging
from telemetry.probes import DatabaseProbe, RedisProbe
from telemetry.sdk import init, shutdown
from telemetry.spans import Cause, cause, span

__version__ = "0.1.0"

__all__ = [
    "Cause",
    "Counter",
    "DatabaseProbe",
    "Gauge",
    "Histogram",
    "Open",
    "RedisProbe",
    "UpDownCounter",
    "cause",
    "init",
    "set_up_logging",
    "shutdown",
    "span",
]
