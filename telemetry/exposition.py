"""Writes the answer of /metrics: the declared metrics first, then those of other libraries.

The metrics of other libraries are recorded through the OpenTelemetry API or come from prometheus_client. A metric that
cannot be written costs only itself.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from telemetry import runtime
from telemetry.callbacks import Caller
from telemetry.collection import Collected, collect, exposed, failed, taken
from telemetry.drops import Dropped, Reason, dropped, said, warn
from telemetry.exemplars import with_exemplars
from telemetry.instrument import Instrument
from telemetry.made import plain, plain_text, written
from telemetry.names import derived, unit_word
from telemetry.provider import Provider, the_provider
from telemetry.registry import declared
from telemetry.samples import END, head, with_float_bounds
from telemetry.store import Cells

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric


def render(
    *registries: CollectorRegistry,
    provider: Provider = the_provider,
    openmetrics: bool = False,
    names: Collection[str] = (),
    reserved: Collection[str] = (),
) -> bytes:
    """The whole answer: declared metrics, what was made through the API, and the registries. Each name once.

    `names` are those that are asked for; without any, all are. `openmetrics` chooses that format. `reserved` are names
    that no metric of a registry may have.
    """
    asked = [
        _callers.setdefault(registry, Caller(partial(_collected, weakref.ref(registry)))) for registry in registries
    ]
    calls = [caller.start() for caller in asked]
    collected = collect(exposed(), list(provider.instruments.values()))
    texts = list(write(collected, openmetrics=openmetrics, names=names))
    seen = taken(collected) | set(reserved)
    for caller, call in zip(asked, calls, strict=True):
        try:
            foreign = caller.ask(call)
        except Dropped as problem:
            warn(("", "collect"), f"metrics of other libraries cannot be collected: {problem}")
        else:
            texts += _others(foreign, seen, openmetrics, names)
    return b"".join(texts)


def write(collected: Collected, *, openmetrics: bool = False, names: Collection[str] = ()) -> Iterator[bytes]:
    """The lines of what was collected, in parts. Between two of them other threads may run, as that of the event loop.

    A metric that cannot be written costs only itself.
    """
    for metric, cells in collected.declared:
        if cells and _is_asked({metric.name, *derived(metric.name, metric.kind)}, names):
            yield from parts(metric, cells, openmetrics=openmetrics)
    for family in collected.families:
        if _is_asked(family.names, names):
            try:
                yield family.write(openmetrics=openmetrics).encode()
            except BaseException as error:
                dropped(family.name, Dropped(Reason.NOT_RENDERED, said(error)))


def _is_asked(having: Collection[str], names: Collection[str]) -> bool:
    return not names or not set(names).isdisjoint(having)


def parts(metric: Instrument[Any], cells: Cells, *, openmetrics: bool = False) -> list[bytes]:
    """The lines of a metric, or none if it cannot be written."""
    try:
        unit = unit_word(metric.unit)
        lines = [head(metric.name, metric.description, metric.kind, unit, openmetrics=openmetrics).encode()]
        series = list(cells.values())
        keys = list(cells) if openmetrics and metric.exemplars else []
        for begin in range(0, len(series), metric.at_once):
            end = begin + metric.at_once
            text = metric.write(series[begin:end])
            if openmetrics and metric.kind == "histogram":
                text = with_float_bounds(text)
            if keys:
                text = with_exemplars(text, [metric.exemplars_of(key) for key in keys[begin:end]])
            lines.append(text.encode())
            time.sleep(0)
    except BaseException as error:
        failed(metric, error)
        return []
    return lines


_callers: weakref.WeakKeyDictionary[CollectorRegistry, Caller[list[Metric]]] = weakref.WeakKeyDictionary()
"""What asks each registry, so that one that hangs is not asked again. It must not keep the registry alive."""
os.register_at_fork(after_in_child=_callers.clear)  # another thread may hold a lock of theirs


def target_info(attributes: Mapping[str, Any], *, openmetrics: bool = False) -> bytes:
    """The attributes of the resource, as the OpenTelemetry specification has them in Prometheus."""
    texts = {}
    for name, value in attributes.items():
        try:
            texts[plain(name)] = plain_text(plain(value))
        except (TypeError, ValueError) as error:
            warn((name, "target_info"), f"the attribute {name!r} of the resource is not shown: {said(error)}")
    shown, kind = ("target", "info") if openmetrics else ("target_info", "gauge")
    return f"{head(shown, 'Target metadata', kind)}target_info{written(texts)} 1\n".encode()


def _collected(registry: weakref.ref[CollectorRegistry]) -> list[Metric]:
    """What the registry has. A collector that raises costs only itself."""
    families: list[Metric] = []
    # The registry's own `collect` ends with the first collector that raises.
    for collector in list(getattr(registry(), "_collector_to_names", ())):
        try:
            families += collector.collect()
        except BaseException as error:
            warn(
                (type(collector).__name__, "collect"),
                f"metrics of other libraries cannot be collected: {type(collector).__name__}: {said(error)}",
            )
    return families


def _others(families: Iterable[Metric], seen: set[str], openmetrics: bool, names: Collection[str]) -> Iterator[bytes]:
    """The metrics of other libraries, without those that have the name of a declared metric, or were written before.

    A metric that cannot be written is left out and logged. A bad label in another library must not fail the scrape.
    """
    from prometheus_client import generate_latest
    from prometheus_client.openmetrics import exposition as in_openmetrics

    generate: Callable[[Any], bytes] = in_openmetrics.generate_latest if openmetrics else generate_latest
    for family in families:
        name = f"{family.name}{_SUFFIXES.get(family.type, '')}"
        having = {family.name, name, *(sample.name for sample in family.samples)}
        if not having.isdisjoint(seen):
            if name in declared and name not in runtime.REPLACED:
                warn((name, "taken"), f"{name} was also recorded by another library; that one is left out")
            continue
        seen |= having
        if not _is_asked(having, names):
            continue
        try:
            yield generate(_Single(family)).removesuffix(END)
        except Exception as error:
            warn((name, "written"), f"{name} of another library cannot be written: {type(error).__name__}")


_SUFFIXES = {"counter": "_total", "info": "_info"}


class _Single:
    """A registry with one metric: `generate_latest` takes only registries."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]
