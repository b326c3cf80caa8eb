"""What the process says of itself: processor time, memory, open files, and the work of the garbage collector."""

from __future__ import annotations

import functools
import gc
import os
import time
from bisect import bisect_left
from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING

from telemetry import memory
from telemetry.catalogue import (
    process_cpu_seconds_total,
    process_max_fds,
    process_memory_limit_bytes,
    process_open_fds,
    process_resident_memory_bytes,
    process_start_time_seconds,
    process_virtual_memory_bytes,
    python_gc_collections_total,
    python_gc_pause_seconds,
)
from telemetry.drops import said, warn
from telemetry.instrument import Instrument
from telemetry.registry import declared

if TYPE_CHECKING:
    from prometheus_client import ProcessCollector

STANDARD = (
    process_resident_memory_bytes,
    process_virtual_memory_bytes,
    process_open_fds,
    process_max_fds,
    process_start_time_seconds,
)
"""Gauges with the names and values of prometheus_client."""
COUNTED = (process_cpu_seconds_total, python_gc_collections_total, python_gc_pause_seconds)
"""What the interpreter and the system count. Each scrape raises these to it."""
REPLACED = {one.name for one in (*STANDARD, process_cpu_seconds_total, python_gc_collections_total)}
"""What the default registry of prometheus_client has, too."""


class _Pauses:
    """Counts the pauses of the garbage collector. It takes no lock.

    A collection begins wherever memory is taken, also in a thread that holds the lock of a metric. So each pause makes
    new counts, and whoever reads them has those of one moment. Only one collection runs at a time.
    """

    def __init__(self, bounds: Iterable[float]) -> None:
        self._bounds = tuple(bounds)
        self._began: float | None = None
        self.forget()

    def forget(self) -> None:
        self.seen: tuple[list[int], float] = ([0] * (len(self._bounds) + 1), 0.0)

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        elif self._began is not None:
            seconds = perf_counter() - self._began
            counts = self.seen[0].copy()
            counts[bisect_left(self._bounds, seconds)] += 1
            self.seen = counts, self.seen[1] + seconds


_pauses = _Pauses(python_gc_pause_seconds.buckets)
_before_fork = [0, 0, 0]
"""The collections of the parent, by generation: the interpreter of a child goes on counting from there."""


def start() -> None:
    """Begins to measure what happens between scrapes: the pauses of the garbage collector.

    Loads what a scrape needs. A fork while a scrape loads it would hang the scrapes of the child.
    """
    _collector()
    if _pauses not in gc.callbacks:
        gc.callbacks.append(_pauses)


def _begin_again() -> None:
    _pauses.forget()
    _before_fork[:] = _collections()
    for one in list(declared.values()):
        if isinstance(one, Instrument):
            one.begin_again()


os.register_at_fork(after_in_child=_begin_again)  # also without `init`, before which everything is recorded


def refresh() -> None:
    """Reads the present values, before each answer of /metrics. What the system does not tell has no series."""
    process_cpu_seconds_total.reach((), time.process_time())
    known: dict[str, float | None] = {**_known(), process_memory_limit_bytes.name: memory.limit_bytes()}
    for gauge in (*STANDARD, process_memory_limit_bytes):
        value = known.get(gauge.name)
        if value is None:
            gauge.remove()
        else:
            gauge.set(value)
    for generation, (collections, before) in enumerate(zip(_collections(), _before_fork, strict=True)):
        python_gc_collections_total.reach((str(generation),), collections - before)
    python_gc_pause_seconds.reach((), *_pauses.seen)


def _collections() -> list[int]:
    return [generation["collections"] for generation in gc.get_stats()]


def _known() -> dict[str, float]:
    """What the system tells of this process, by the name of the metric."""
    try:
        return {family.name: family.samples[0].value for family in _collector().collect()}
    except Exception as error:  # it reads text of the system
        warn(("process", "collect"), f"the system's figures of this process cannot be read: {said(error)}")
        return {}


@functools.cache
def _collector() -> ProcessCollector:
    from prometheus_client import ProcessCollector  # only here: `import telemetry` must be light

    return ProcessCollector(registry=None)
