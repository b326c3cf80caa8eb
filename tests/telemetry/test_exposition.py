"""What /metrics shows, read back with the parser of prometheus_client."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import threading
import weakref
from typing import Annotated, Any, Literal

import prometheus_client
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Histogram as SdkHistogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter, http
from telemetry.drops import Reason
from telemetry.exposition import _callers, render, target_info
from telemetry.instrument import Numbers
from telemetry.registry import declared, process
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide, BySymbol, ByText, Side, labels
from tests.telemetry.test_store import ended

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: bytes) -> Series:
    """Every sample by its name and labels. Fails when a sample is there twice."""
    series: Series = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in series, f"{key} stands there twice"
            series[key] = sample.value
    return series


def scraped(name: str, *registries: CollectorRegistry) -> dict[frozenset[tuple[str, str]], float]:
    """The samples with this name, by their labels."""
    return {labels: value for (sample, labels), value in parsed(render(*registries)).items() if sample == name}


def lines(name: str) -> list[str]:
    return [line for line in render().decode().splitlines() if re.match(rf"(# \w+ )?{name}\b", line)]


def test_each_kind_is_written_in_the_format_of_prometheus() -> None:
    counter = Counter("sent_total", "Things sent.", labels(side=Literal["buy"]), unit="{thing}")
    UpDownCounter("waiting_things", "Things\nthat \\wait.", unit="{thing}").add(-2)
    Gauge("ratio", "A part.", unit="1").set(0.25)
    Histogram("took_seconds", "Time.", unit="s", buckets=(0.5, 1)).record(0.75)
    counter.add(3, {"side": "buy"})

    assert lines("sent_total") == [
        "# HELP sent_total Things sent.",
        "# TYPE sent_total counter",
        'sent_total{side="buy"} 3',
    ]
    assert lines("waiting_things") == [
        "# HELP waiting_things Things\\nthat \\\\wait.",
        "# TYPE waiting_things gauge",
        "waiting_things -2",
    ]
    assert lines("ratio") == ["# HELP ratio A part.", "# TYPE ratio gauge", "ratio 0.25"]
    assert lines("took_seconds(_bucket|_sum|_count)?") == [
        "# HELP took_seconds Time.",
        "# TYPE took_seconds histogram",
        'took_seconds_bucket{le="0.5"} 0',
        'took_seconds_bucket{le="1"} 1',
        'took_seconds_bucket{le="+Inf"} 1',
        "took_seconds_sum 0.75",
        "took_seconds_count 1",
    ]


def test_a_metric_without_series_is_not_written() -> None:
    Gauge("ratio", "A part.", unit="1")
    Counter("sent_total", "Things sent.", BySymbol, unit="{thing}")

    assert lines("ratio") == []
    assert lines("sent_total") == []


def test_a_metric_of_another_service_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    Counter("sent_total", "Things sent.", unit="{thing}", owner="gateway")
    monkeypatch.setattr(process, "service", "orchestrator")

    assert lines("sent_total") == []


@given(value=st.text(), amount=st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()))
@example(value="", amount=2**53 + 1)
@example(value="", amount=2**63)
@example(value="", amount=10**400)
def test_any_text_and_any_amount_are_read_back_as_they_were_recorded(value: str, amount: int | float) -> None:
    declared.pop("anything", None)
    gauge = Gauge("anything", "Anything.", ByText, unit="1")

    gauge.set(amount, {"text": value})

    try:
        value.encode()
        float(amount)
    except (UnicodeEncodeError, OverflowError):
        assert scraped("anything") == {}
    else:
        # An integer that fits into 64 bits is exact. A larger one is a float.
        exact = isinstance(amount, int) and -(2**63) <= amount < 2**63
        assert scraped("anything") == {frozenset({("text", value)}): amount if exact else float(amount)}


def test_quotes_and_newlines_in_a_label_cannot_forge_a_series() -> None:
    counter = Counter("sent_total", "Things sent.", ByText, unit="{thing}")
    forged = '"} 1\nsent_total{text="forged'

    counter.add(1, {"text": forged})

    assert scraped("sent_total") == {frozenset({("text", forged)}): 1}


def test_drops_and_series_are_counted() -> None:
    counter = Counter("sent_total", "Things sent.", BySide, unit="{thing}")
    histogram = Histogram("took_seconds", "Time.", unit="s")
    dropped = frozenset({("metric", "sent_total"), ("reason", "negative")})
    before = scraped("telemetry_dropped_total").get(dropped, 0)

    counter.add(-1, {"side": Side.BUY})
    histogram.record(1)

    assert scraped("telemetry_dropped_total")[dropped] == before + 1
    series = scraped("telemetry_series")
    assert series[frozenset({("metric", "sent_total")})] == 2
    assert series[frozenset({("metric", "took_seconds")})] == 1


def test_drops_of_each_metric_that_is_shown_begin_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    Counter("calm_total", "Things sent.")
    Counter("strange_total", "Things of others.", owner="gateway")
    monkeypatch.setattr(process, "service", "orchestrator")

    drops = scraped("telemetry_dropped_total")

    shown = {dict(labels)["reason"]: count for labels, count in drops.items() if ("metric", "calm_total") in labels}
    assert shown == dict.fromkeys(Reason, 0)
    assert not any(("metric", "strange_total") in labels for labels in drops)


def test_one_metric_that_cannot_be_written_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, dropped: Drops
) -> None:
    bad = Counter("bad_total", "It breaks.")
    Counter("good_total", "It works.").add(2)
    monkeypatch.setattr(type(bad), "write", lambda self, cells: 1 / 0 if self is bad else Numbers.write(self, cells))

    series = parsed(render())

    assert series["good_total", frozenset()] == 2
    assert not any(name == "bad_total" for name, _ in series)
    assert dropped("bad_total") == {"not_rendered": 1}
    assert "a record of bad_total was dropped (not_rendered): ZeroDivisionError" in caplog.text


class Scraping(Open):
    """An open label. While it is declared, another thread scrapes."""

    def used_by(self, metric: Any) -> None:
        self.text = asyncio.run(http.in_own_thread(render)).decode()
        self.registered = metric.name in declared
        super().used_by(metric)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Counter, "halves_total"), (UpDownCounter, "halves_open"), (Gauge, "halves"), (Histogram, "halves_seconds")],
)
def test_a_metric_is_shown_only_when_its_declaration_is_complete(kind: type[Any], name: str, dropped: Drops) -> None:
    symbol = Scraping()

    kind(name, "A metric.", labels(symbol=Annotated[str, symbol]))

    assert not symbol.registered
    assert name not in symbol.text
    assert "# TYPE telemetry_series " in symbol.text
    assert dropped(name) == {}
    assert name in declared


def test_a_callback_is_called_once_per_scrape() -> None:
    asked = []
    Gauge("ratio", "A part.", unit="1").watch(lambda: asked.append(1) or len(asked))  # type: ignore[func-returns-value]

    assert scraped("ratio") == {frozenset(): 1}
    assert scraped("ratio") == {frozenset(): 2}


class Sdk:
    """Another library that records through the OpenTelemetry API."""

    def __init__(self, *views: View) -> None:
        self.registry = CollectorRegistry()
        reader = PrometheusMetricReader(registry=self.registry, scope_info_enabled=False)
        self.meter = MeterProvider([reader], views=views, shutdown_on_exit=False).get_meter("somebody")


@pytest.fixture
def sdk() -> Sdk:
    return Sdk()


def test_metrics_of_other_libraries_are_shown_too(sdk: Sdk) -> None:
    Counter("sent_total", "Things sent.", unit="{thing}").add(2)
    sdk.meter.create_counter("their.requests").add(3, {"code": "200"})
    sdk.meter.create_histogram("their.duration", unit="s", explicit_bucket_boundaries_advisory=[1.5]).record(0.5)
    sdk.meter.create_gauge("their.level").set(-1)

    series = parsed(render(sdk.registry))

    assert series["sent_total", frozenset()] == 2
    assert series["their_requests_total", frozenset({("code", "200")})] == 3
    assert series["their_duration_seconds_count", frozenset()] == 1
    assert series["their_duration_seconds_sum", frozenset()] == 0.5
    assert series["their_duration_seconds_bucket", frozenset({("le", "1.5")})] == 1
    assert series["their_level", frozenset()] == -1


@pytest.mark.parametrize("exposed", [True, False])
def test_a_declared_name_is_never_written_twice(
    sdk: Sdk, exposed: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Counter("sent_total", "Things sent.", unit="{thing}", owner="gateway").add(2)
    Histogram("took_seconds", "Time.", unit="s", owner="gateway").record(1)
    sdk.meter.create_counter("sent").add(40)
    sdk.meter.create_histogram("took", unit="s").record(40)
    sdk.meter.create_gauge("telemetry.series").set(1)
    monkeypatch.setattr(process, "service", "gateway" if exposed else "orchestrator")

    for _ in range(3):
        text = render(sdk.registry)

    series = parsed(text)
    assert series.get(("sent_total", frozenset())) == (2 if exposed else None)
    assert series.get(("took_seconds_count", frozenset())) == (1 if exposed else None)
    assert text.count(b"# TYPE telemetry_series ") == 1
    assert len(caplog.records) == 3  # one per name, not one per scrape
    assert "sent_total was also recorded" in caplog.text


def test_a_bad_label_in_another_library_removes_only_that_metric(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    Counter("sent_total", "Things sent.", unit="{thing}").add(2)
    sdk.meter.create_counter("good").add(1)
    sdk.meter.create_counter("bad").add(1, {"text": "\ud800"})

    series = parsed(render(sdk.registry))

    assert series["sent_total", frozenset()] == 2
    assert series["good_total", frozenset()] == 1
    assert not any(name == "bad_total" for name, _ in series)
    assert "bad_total of another library cannot be written" in caplog.text


def test_an_exponential_histogram_of_another_library_does_not_fail_the_scrape(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sdk = Sdk(View(instrument_type=SdkHistogram, aggregation=ExponentialBucketHistogramAggregation()))
    Counter("sent_total", "Things sent.", unit="{thing}").add(2)
    sdk.meter.create_histogram("their.duration", unit="s").record(1)

    assert scraped("sent_total", sdk.registry) == {frozenset(): 2}
    assert "metrics of other libraries cannot be collected" in caplog.text


class Failing:
    """A collector of another library that raises, or hangs until the test ends."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error
        self.end = threading.Event()

    def collect(self) -> list[Metric]:
        if self._error is None:
            self.end.wait()
            return []
        raise self._error


@pytest.mark.parametrize("error", [ValueError(), SystemExit(), asyncio.CancelledError(), None])
def test_a_collector_of_another_library_that_raises_or_hangs_costs_no_more_than_it_must(
    error: BaseException | None,
) -> None:
    registry = CollectorRegistry(auto_describe=False)
    prometheus_client.Gauge("their_level", "A level.", registry=registry).set(3)
    failing = Failing(error)
    registry.register(failing)
    Counter("sent_total", "Things sent.", unit="{thing}").add(2)

    series = parsed(render(registry))  # which must end while the collector hangs

    failing.end.set()
    assert series["sent_total", frozenset()] == 2
    assert (("their_level", frozenset()) in series) is (error is not None)


def test_no_sample_of_another_library_has_a_name_of_ours(sdk: Sdk) -> None:
    registry = CollectorRegistry()
    prometheus_client.Info("level", "Theirs.", registry=registry).info({"a": "b"})
    prometheus_client.Gauge("took_seconds_sum", "Theirs.", registry=registry).set(7)
    Gauge("level_info", "Ours.").set(1)
    Histogram("took_seconds", "Ours.", unit="s").record(2)

    text = render(registry).decode()

    assert text.count("# TYPE level_info") == 1
    assert parsed(text.encode())["took_seconds_sum", frozenset()] == 2


def test_the_series_of_a_watched_gauge_are_counted(sdk: Sdk) -> None:
    Gauge("level", "A level.").watch(lambda: 3)

    assert scraped("telemetry_series")[frozenset({("metric", "level")})] == 1


def test_an_attribute_of_the_resource_that_cannot_be_written_costs_only_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attributes = {"service.name": "post", "bad": "\ud800", "odd": None, "\ud800": "x", "strange": object()}

    for openmetrics in (False, True):
        text = target_info(attributes, openmetrics=openmetrics).decode()
        assert text.splitlines()[-1] == 'target_info{odd="null",service_name="post"} 1'

    assert "the attribute 'bad' of the resource is not shown: UnicodeEncodeError" in caplog.text
    assert "the attribute 'strange' of the resource is not shown: TypeError" in caplog.text


def test_a_child_of_a_process_that_scrapes_waits_for_no_lock_of_it() -> None:
    registry = CollectorRegistry()
    prometheus_client.Gauge("their_level", "A level.", registry=registry).set(3)
    render(registry)

    with _callers[registry]._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if b"their_level 3" in render(registry) else 1)

    assert ended(child) == 0


def test_a_registry_that_was_shown_is_not_kept_alive() -> None:
    registry = CollectorRegistry()
    prometheus_client.Gauge("their_level", "A level.", registry=registry).set(3)
    assert b"their_level 3" in render(registry)

    gone = weakref.ref(registry)
    del registry
    gc.collect()

    assert gone() is None
