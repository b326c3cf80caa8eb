"""What a process says of itself: the same as prometheus_client says, and never a value that is not known."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import prometheus_client
import pytest
from fastapi import FastAPI
from prometheus_client import ProcessCollector

import telemetry
from telemetry import runtime
from telemetry.catalogue import (
    event_loop_lag_seconds,
    process_cpu_seconds_total,
    process_max_fds,
    process_memory_limit_bytes,
    process_resident_memory_bytes,
    python_gc_collections_total,
    python_gc_pause_seconds,
)
from telemetry.exposition import render
from telemetry.provider import own
from tests.telemetry.apart import apart
from tests.telemetry.service import get, values
from tests.telemetry.test_exposition import parsed


@pytest.fixture
def started() -> Iterator[None]:
    """Pauses are counted while the test runs."""
    runtime.start()
    yield
    gc.callbacks.remove(runtime._pauses)


def a_service_and_what_prometheus_client_says() -> dict[str, Any]:
    app = FastAPI()
    telemetry.init("somebody", app)
    gc.collect()
    before = what_prometheus_client_says()
    texts = [get(app, "/metrics")[0].text for _ in range(2)]
    return {"before": before, "texts": texts, "after": what_prometheus_client_says()}


def what_prometheus_client_says() -> list[tuple[str, dict[str, str], float]]:
    families = [*ProcessCollector(registry=None).collect(), *prometheus_client.GC_COLLECTOR.collect()]
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


TOLERANCE = {
    "process_cpu_seconds_total": 0.02,  # theirs is in ticks of 0.01 s
    "process_resident_memory_bytes": 5e6,
    "process_virtual_memory_bytes": 2e8,
    "process_start_time_seconds": 0.0,
    "process_open_fds": 4,  # those of the loop that asks
    "process_max_fds": 0,
    "python_gc_collections_total": 0,
}
"""By how much ours may be outside of what prometheus_client says before and after."""


def test_a_service_has_the_process_series_of_prometheus_client_each_once_and_nobody_is_warned() -> None:
    done = apart(a_service_and_what_prometheus_client_says)

    compared = set()
    for text in done.answer["texts"]:
        series = parsed(text.encode())
        for (name, labels, before), (_, _, after) in zip(done.answer["before"], done.answer["after"], strict=True):
            if name in TOLERANCE:
                [ours] = values(series, name, **labels)
                least, most = sorted((before, after))
                assert least - TOLERANCE[name] <= ours <= most + TOLERANCE[name], name
                compared.add(name)
        assert text.count("# TYPE process_cpu_seconds_total counter\n") == 1
        assert values(series, "python_gc_pause_seconds_count")[0] >= 1
        assert values(series, "process_memory_limit_bytes")[0] > 0
        assert values(series, "python_gc_objects_collected_total", generation="2"), "theirs, and not replaced"
    assert compared == set(TOLERANCE)
    assert "another library" not in done.log


def test_what_is_replaced_has_the_names_of_prometheus_client() -> None:
    names = {
        sample.name
        for collector in (prometheus_client.PROCESS_COLLECTOR, prometheus_client.GC_COLLECTOR)
        for family in collector.collect()
        for sample in family.samples
    }

    assert names >= runtime.REPLACED


def test_on_a_system_without_proc_what_is_not_known_has_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime.refresh()
    assert process_resident_memory_bytes.read(()) is not None
    monkeypatch.setattr(runtime, "_collector", lambda: ProcessCollector(proc="/nowhere", registry=None))

    runtime.refresh()

    assert [gauge.read(()) for gauge in runtime.STANDARD] == [None] * len(runtime.STANDARD)
    assert (process_cpu_seconds_total.read(()) or 0) > 0, "Python itself tells the processor time"


def test_where_no_memory_limit_is_told_there_is_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime.refresh()
    assert process_memory_limit_bytes.read(()) is not None
    monkeypatch.setattr("telemetry.memory.limit_bytes", lambda: None)

    runtime.refresh()

    assert process_memory_limit_bytes.read(()) is None


class Unreadable:
    """A system whose files have another form."""

    def collect(self) -> None:
        raise ValueError("unlimited is no number")


def test_what_cannot_be_read_has_no_series_and_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtime, "_collector", Unreadable)

    runtime.refresh()

    assert process_max_fds.read(()) is None
    assert "the system's figures of this process cannot be read: ValueError: unlimited is no number" in caplog.text


def test_collections_are_those_that_the_interpreter_counts() -> None:
    gc.disable()
    try:
        runtime.refresh()
        shown = python_gc_collections_total.values()
    finally:
        gc.enable()

    assert shown == {(str(one),): stats["collections"] for one, stats in enumerate(gc.get_stats())}


def test_a_pause_is_counted_with_its_length(started: None) -> None:
    runtime.refresh()
    [(counts, total)] = python_gc_pause_seconds.values().values()
    objects: list[Any] = [[] for _ in range(300_000)]

    began = time.perf_counter()
    gc.collect()
    took = time.perf_counter() - began

    runtime.refresh()
    [(after, longer)] = python_gc_pause_seconds.values().values()
    assert sum(after) > sum(counts)
    assert 0.5 * took < longer - total
    assert len(objects) == 300_000


def test_a_scrape_that_is_overtaken_by_a_later_one_takes_nothing_back(
    started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = (runtime._pauses.seen, runtime._collections(), time.process_time())
    gc.collect()
    while time.process_time() == earlier[2]:
        pass
    runtime.refresh()
    shown = seen()
    monkeypatch.setattr(runtime._pauses, "seen", earlier[0])
    monkeypatch.setattr(runtime, "_collections", lambda: earlier[1])
    monkeypatch.setattr(time, "process_time", lambda: earlier[2])

    runtime.refresh()

    assert seen() == shown


def test_starting_twice_counts_once(started: None) -> None:
    runtime.start()

    assert gc.callbacks.count(runtime._pauses) == 1


def a_parent_and_its_child() -> dict[str, dict[str, float]]:
    telemetry.init("somebody", FastAPI())
    busy = time.process_time() + 0.5
    for _ in range(10):
        gc.collect()
    while time.process_time() < busy:
        pass
    event_loop_lag_seconds.record(1)
    runtime.refresh()
    parent = seen()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        runtime.refresh()
        os.write(writing, json.dumps(seen()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return {"parent": parent, "child": json.loads(os.read(reading, 10_000))}


def seen() -> dict[str, float]:
    return {
        "cpu": process_cpu_seconds_total.read(()) or 0,
        "collections": sum(python_gc_collections_total.values().values()),
        "pauses": python_gc_pause_seconds.read(()) or 0,
        "lags": event_loop_lag_seconds.read(()) or 0,
    }


def test_a_child_after_a_fork_has_its_own_values() -> None:
    answer = apart(a_parent_and_its_child).answer

    assert all(amount >= least for amount, least in zip(answer["parent"].values(), (0.5, 10, 10, 1), strict=True))
    assert all(amount < limit for amount, limit in zip(answer["child"].values(), (0.3, 5, 5, 1), strict=True))


def a_service_that_is_turned_off() -> dict[str, Any]:
    telemetry.init("somebody", FastAPI())
    return {"callbacks": len(gc.callbacks)}


def test_what_is_turned_off_has_no_callback() -> None:
    assert apart(a_service_that_is_turned_off, OTEL_SDK_DISABLED="true").answer == {"callbacks": 0}
    assert apart(a_service_that_is_turned_off, OTEL_METRICS_EXPORTER="none").answer == {"callbacks": 0}


def a_child_of_a_process_without_init() -> list[list[str]]:
    letters = telemetry.Counter("letters_total", "Letters.")
    jobs = own().get_meter("x").create_counter("jobs")

    def lines() -> list[str]:
        text = render(names=["letters_total", "jobs_total"]).decode()
        return [line for line in text.splitlines() if not line.startswith("#")]

    for counter in (letters, jobs):
        counter.add(5)
    parent = lines()
    reading, writing = os.pipe()
    if os.fork() == 0:
        for counter in (letters, jobs):
            counter.add(1)
        os.write(writing, json.dumps(lines()).encode())
        os._exit(0)
    os.wait()
    return [parent, json.loads(os.read(reading, 10_000))]


def test_a_child_begins_again_also_without_init() -> None:
    parent, child = apart(a_child_of_a_process_without_init).answer

    assert parent == ["letters_total 5", "jobs_total 5"]
    assert child == ["letters_total 1", "jobs_total 1"]
