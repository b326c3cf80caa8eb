"""Writes the answer of /metrics: the declared metrics first, then those of other libraries.

The metrics of other libraries are recorded through the OpenTelemetry API or come from prometheus_client. A metric that
cannot be written costs only itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from telemetry.catalogue import METRIC, telemetry_series
from telemetry.drops import Dropped, Reason, dropped, warn
from telemetry.instrument import Instrument
from telemetry.registry import declared
from telemetry.samples import written

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


def exposed_metrics() -> list[Instrument[Any]]:
    """The declared metrics that this process shows."""
    return [one for one in list(declared.values()) if isinstance(one, Instrument) and one.is_exposed()]


def render(*registries: CollectorRegistry) -> bytes:
    """The whole answer: this service's metrics, and then those of the registries. Each name is written once."""
    exposed = exposed_metrics()
    METRIC.know(one.name for one in exposed)  # so that their drops begin at 0
    text = b"".join(_text(one) for one in exposed if one is not telemetry_series)
    telemetry_series.replace({one.name: one.series() for one in exposed if one is not telemetry_series})
    text += _text(telemetry_series)
    written_names: set[str] = set()
    return text + b"".join(_others(registry, written_names) for registry in registries)


def _text(instrument: Instrument[Any]) -> bytes:
    try:
        return written(instrument.name, instrument.description, instrument.kind, instrument.samples()).encode()
    except Exception as error:
        dropped(instrument.name, Dropped(Reason.NOT_RENDERED, f"{type(error).__name__}: {error}"))
        return b""


def _others(registry: CollectorRegistry, seen: set[str]) -> bytes:
    """The registry's metrics, without those that have the name of a declared metric, or were written before.

    A metric that cannot be written is left out and logged. A bad label in another library must not fail the scrape.
    """
    from prometheus_client import generate_latest

    try:
        families = list(registry.collect())
    except Exception as error:
        warn(("", "collect"), f"metrics of other libraries cannot be collected: {type(error).__name__}: {error}")
        return b""
    texts: list[bytes] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name in declared:
            warn((name, "taken"), f"{name} was also recorded by another library; that one is left out")
            continue
        if name in seen:
            continue
        seen.add(name)
        try:
            texts.append(generate_latest(_Single(family)))
        except Exception as error:
            warn((name, "written"), f"{name} of another library cannot be written: {type(error).__name__}")
    return b"".join(texts)


class _Single:
    """A registry with one metric: `generate_latest` takes only registries."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]
