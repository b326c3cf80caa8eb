"""Takes over what redis-py measures about itself: commands, errors, connections, and messages of pub/sub.

redis-py asks for a meter of OpenTelemetry. It gets one whose instruments feed our declared metrics. So the values are
in one place with those of PostgreSQL, no key, channel, host or pool becomes a label, and it makes no difference which
MeterProvider the service has.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import threading
from collections import Counter as Count
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Literal

from opentelemetry.metrics import NoOpCounter, NoOpHistogram, NoOpMeter, NoOpMeterProvider, NoOpUpDownCounter

from telemetry import pools
from telemetry.catalogue import (
    DIRECTION,
    PoolLabels,
    db_client_connection_wait_time_seconds,
    db_client_errors_total,
    db_client_operation_duration_seconds,
    redis_client_pubsub_messages_total,
)
from telemetry.extras import load
from telemetry.histograms import BoundHistogram
from telemetry.wrapping import is_suppressed

logger = logging.getLogger(__name__)

REDIS: Literal["redis"] = "redis"
OTHER = "_OTHER"
_LABELS: PoolLabels = {"db_client_connection_pool_name": REDIS}
_COMMAND = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}")


def measure() -> None:
    """Has all clients of redis-py measured. If the service has set up redis-py's metrics before, those stay."""
    observability = load("redis.observability")
    instance = observability.get_observability_instance()
    if instance.is_enabled():
        manager = instance.get_provider_manager()
        if not isinstance(manager.get_meter_provider(), _Provider):
            logger.warning("the metrics of redis-py were set up before: they stay, and are not ours")
        return
    group = observability.MetricGroup
    groups = [group.COMMAND, group.CONNECTION_BASIC, group.CONNECTION_ADVANCED, group.RESILIENCY, group.PUBSUB]
    instance.init(observability.OTelConfig(metric_groups=groups, hide_pubsub_channel_names=True))
    provider = _Provider()
    instance.get_provider_manager().get_meter_provider = lambda: provider
    DIRECTION.know(["publish", "receive"])
    pools.show(REDIS, connections.counts)


Take = Callable[[float, Mapping[str, Any]], None]
Attributes = Mapping[str, Any] | None


class _Provider(NoOpMeterProvider):
    def get_meter(self, name: str, *_: Any, **__: Any) -> NoOpMeter:
        return _Meter(name)


class _Meter(NoOpMeter):
    """Makes the instruments that we know, and others that do nothing."""

    def create_histogram(self, name: str, *_: Any, **__: Any) -> NoOpHistogram:
        return _Histogram(name, _HISTOGRAMS.get(name, _nothing))

    def create_counter(self, name: str, *_: Any, **__: Any) -> NoOpCounter:
        return _Counter(name, _COUNTERS.get(name, _nothing))

    def create_up_down_counter(self, name: str, *_: Any, **__: Any) -> NoOpUpDownCounter:
        return _UpDownCounter(name, connections.change if name == "db.client.connection.count" else _nothing)


class _Histogram(NoOpHistogram):
    def __init__(self, name: str, take: Take) -> None:
        super().__init__(name)
        self._take = take

    def record(self, amount: float, attributes: Attributes = None, *_: Any, **__: Any) -> None:
        if not is_suppressed():
            self._take(amount, attributes or {})


class _Counter(NoOpCounter):
    def __init__(self, name: str, take: Take) -> None:
        super().__init__(name)
        self._take = take

    def add(self, amount: float, attributes: Attributes = None, *_: Any, **__: Any) -> None:
        if not is_suppressed():
            self._take(amount, attributes or {})


class _UpDownCounter(NoOpUpDownCounter):
    def __init__(self, name: str, take: Take) -> None:
        super().__init__(name)
        self._take = take

    def add(self, amount: float, attributes: Attributes = None, *_: Any, **__: Any) -> None:
        self._take(amount, attributes or {})  # always: what was added is taken away later


def command(name: str) -> str:
    """The command alone: redis-py takes `GET key` as one text, too."""
    found = _COMMAND.match(name)
    return found[0].upper() if found and name[found.end() : found.end() + 1] in ("", " ") else OTHER


@functools.lru_cache(maxsize=1000)
def _series(name: str, error_type: str) -> BoundHistogram:
    return db_client_operation_duration_seconds.bind(
        {"db_system": REDIS, "db_operation_name": command(name), "error_type": error_type}
    )


def _nothing(_: float, __: Mapping[str, Any]) -> None:
    """For an instrument that nobody reads."""


def _command_took(seconds: float, attributes: Mapping[str, Any]) -> None:
    _series(attributes["db.operation.name"], attributes.get("error.type", "")).record(seconds)


def _connecting_took(seconds: float, _: Mapping[str, Any]) -> None:
    _series("CONNECT", "").record(seconds)


def _waited(seconds: float, _: Mapping[str, Any]) -> None:
    db_client_connection_wait_time_seconds.record(seconds, _LABELS)


def _failed(amount: float, attributes: Mapping[str, Any]) -> None:
    db_client_errors_total.add(amount, {"db_system": REDIS, "error_type": attributes.get("error.type", OTHER)})


def _message(amount: float, attributes: Mapping[str, Any]) -> None:
    direction = attributes["redis.client.pubsub.message.direction"]
    redis_client_pubsub_messages_total.add(amount, {"redis_client_pubsub_message_direction": direction})


_HISTOGRAMS: dict[str, Take] = {
    "db.client.connection.create_time": _connecting_took,
    "db.client.connection.wait_time": _waited,
    "db.client.operation.duration": _command_took,
}
_COUNTERS: dict[str, Take] = {"redis.client.errors": _failed, "redis.client.pubsub.messages": _message}


class _Connections:
    """Adds up the changes of all pools.

    redis-py reports some of them while a pool is collected as garbage, which may happen in any line of any code, also
    while that holds a lock. So a change is only put into a queue here, and no lock is waited for.
    """

    def __init__(self) -> None:
        self._changes: deque[tuple[str, float]] = deque()
        self._totals: Count[str] = Count()
        self._lock = threading.Lock()
        self._wrong = False

    def begin_again(self) -> None:
        """In a child after a fork: a thread of the parent may hold the lock."""
        self._lock = threading.Lock()

    def change(self, amount: float, attributes: Mapping[str, Any]) -> None:
        self._changes.append((attributes["db.client.connection.state"], amount))
        if len(self._changes) > 1000 and self._lock.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._lock.release()

    def counts(self) -> tuple[int, int] | None:
        """How many are idle and used. None: nothing is known, or it is known to be wrong."""
        with self._lock:
            self._add_up()
            idle, used = self._totals["idle"], self._totals["used"]
            known = bool(self._totals)
        if min(idle, used) < 0 and not self._wrong:
            self._wrong = True
            logger.warning(
                "the connections of Redis pools are not shown any more: redis-py counts more of them away than it had "
                "counted, as its asyncio BlockingConnectionPool does"
            )
        return (idle, used) if known and not self._wrong else None

    def _add_up(self) -> None:
        for _ in range(len(self._changes)):
            state, amount = self._changes.popleft()
            self._totals[state] += int(amount)


connections = _Connections()
os.register_at_fork(after_in_child=connections.begin_again)
