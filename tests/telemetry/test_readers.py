"""Readers of the SDK that are added to our provider: what they read, and what they cost when they fail."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import telemetry
from telemetry.provider import Provider, the_provider
from tests.telemetry.apart import apart
from tests.telemetry.provided import values_of


def test_a_reader_of_the_sdk_reads_what_is_made() -> None:
    provider = Provider()
    made_at = time.time_ns()
    reader = InMemoryMetricReader()
    provider.get_meter("x").create_counter("jobs").add(2, {"code": 200})
    provider.add_metric_reader(reader)

    data = reader.get_metrics_data()

    assert data is not None
    values = values_of(data)
    started = {
        point.start_time_unix_nano
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    assert all(at is not None and at <= made_at for at in started), "also what was counted before the reader came"
    assert values["x", "jobs", "", ("Sum", True), (("code", "int", "200"),)] == 2
    assert provider.force_flush()
    provider.shutdown()


class Failing(InMemoryMetricReader):
    """A reader that notes what it is asked, and fails."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        self.asked.append(timeout_millis)
        raise ZeroDivisionError

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        self.asked.append(timeout_millis)
        time.sleep(timeout_millis / 1000)
        raise ZeroDivisionError


def test_a_reader_that_fails_is_said_and_the_others_have_what_time_is_left(caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider()
    readers = [Failing(), Failing()]
    for reader in readers:
        provider.add_metric_reader(reader)

    assert not provider.force_flush(1000)
    assert "force_flush of Failing failed: ZeroDivisionError" in caplog.text
    provider.shutdown(50)
    assert "shutdown of Failing failed: ZeroDivisionError" in caplog.text
    assert 0 < readers[0].asked[1] <= 50
    assert readers[1].asked[1] == 0
    provider.shutdown()
    assert [len(reader.asked) for reader in readers] == [2, 2], "they are stopped once"


def test_a_reader_is_added_once_and_can_be_removed(caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider()
    reader = InMemoryMetricReader()
    provider.add_metric_reader(reader)
    assert reader.get_metrics_data() is not None

    provider.add_metric_reader(reader)
    assert "InMemoryMetricReader reads already: it is not added again" in caplog.text
    provider.remove_metric_reader(reader)
    assert reader.get_metrics_data() is None
    provider.remove_metric_reader(reader)
    assert "InMemoryMetricReader does not read: it is not removed" in caplog.text


def what_a_reader_is_told() -> list[tuple[str, str]]:
    """The name and the instance that a reader is told: before `init`, after it, and in a child."""
    reader = InMemoryMetricReader()
    the_provider.add_metric_reader(reader)

    def told() -> tuple[str, str]:
        data = reader.get_metrics_data()
        assert data is not None
        attributes = data.resource_metrics[0].resource.attributes
        return str(attributes["service.name"]), str(attributes["service.instance.id"])

    before = told()
    telemetry.init("signal_service")
    after = told()
    out, into = os.pipe()
    if os.fork() == 0:
        os.write(into, " ".join(told()).encode())
        os._exit(0)
    os.wait()
    name, instance = os.read(out, 1000).decode().split()
    return [before, after, (name, instance)]


def test_a_reader_is_told_which_service_it_reads_also_when_init_comes_later_and_in_a_child() -> None:
    before, after, child = apart(what_a_reader_is_told, OTEL_EXPORTER_PROMETHEUS_PORT="0").answer

    assert before[0].startswith("unknown_service")
    assert [after[0], child[0]] == ["signal-service", "signal-service"]
    assert before[1] == after[1]
    assert child[1] != after[1], "two processes are two instances"


def a_process_whose_reader_hangs_at_exit() -> None:
    the_provider.add_metric_reader(Hanging())


class Hanging(InMemoryMetricReader):
    """A reader that takes no notice of a time limit."""

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        threading.Event().wait()


def test_a_reader_that_hangs_at_exit_costs_two_seconds_and_is_said() -> None:
    done = apart(a_process_whose_reader_hangs_at_exit)

    assert 1.5 < done.exit_seconds < 6
    assert "metrics of readers were left unsent after 2000 ms" in done.log


class Ending(Failing):
    """A reader that ends its thread."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        self.asked.append(timeout_millis)
        raise SystemExit

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        self.force_flush(timeout_millis)


def test_a_reader_that_ends_its_thread_does_not_end_the_others() -> None:
    provider = Provider()
    readers = [Ending(), Ending()]
    for reader in readers:
        provider.add_metric_reader(reader)

    assert not provider.force_flush()
    provider.shutdown()

    assert [len(reader.asked) for reader in readers] == [2, 2]


@pytest.mark.parametrize(
    ("given", "waited"),
    [(None, 10_000), ("x", 10_000), (math.nan, 10_000), (object(), 10_000), (math.inf, 3_600_000), (-1, 0), (70, 70)],
)
def test_a_time_limit_that_is_none_is_the_default(given: Any, waited: float) -> None:
    provider = Provider()
    reader = Failing()
    provider.add_metric_reader(reader)

    assert not provider.force_flush(given)

    assert reader.asked == [pytest.approx(waited, rel=0.01)]
    provider.shutdown(0)


@pytest.mark.parametrize("given", [None, "x", math.nan, math.inf, -1, object()])
def test_nothing_raises_for_a_time_limit_that_is_none(given: Any) -> None:
    Provider().shutdown(given)
    telemetry.shutdown(given)


@pytest.mark.parametrize("given", [None, object(), 5])
def test_what_is_no_reader_is_said_and_not_added(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider()
    provider.add_metric_reader(given)

    assert f"{type(given).__name__} cannot be added as a reader" in caplog.text
    assert provider.force_flush()
    provider.remove_metric_reader(given)
    assert f"{type(given).__name__} does not read" in caplog.text
