"""What a PromQL query asks for, and what there is to ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import apps.catalogue
import telemetry
import telemetry.catalogue
from infra import rules
from infra.grafana.queries import FOREIGN
from telemetry.instrument import Instrument
from telemetry.samples import number_text
from tests.promql import Reading, names, selectors, values

TARGET = {"job", "instance"}
JOBS = {"orchestrator", "execution-gateway", "signal-service", "market-data"}
"""The services that the collector scrapes. The others tell Prometheus of themselves, or are a job for metadata."""
OTHER_JOBS = {"otel-collector", "prometheus", "alertmanager", "metadata"}
HTTP_SERVER = {
    "http_server_request_duration_seconds": {
        "http_request_method",
        "http_route",
        "http_response_status_code",
        "error_type",
        "url_scheme",
        "network_protocol_version",
    },
    "http_server_active_requests": {"http_request_method", "url_scheme"},
}
"""What FastAPI or OpenTelemetry measures (docs/http-requests.md), and so is not declared."""
_PARTS = re.compile(r"_(bucket|count|sum)$")


def declared_metrics() -> list[Instrument[Any]]:
    """The metrics of the two catalogues, without those that tests declare."""
    catalogues = {**vars(telemetry.catalogue), **vars(apps.catalogue)}
    return [metric for metric in catalogues.values() if isinstance(metric, Instrument)]


def metrics() -> dict[str, set[str]]:
    """The labels of every metric by its name, as it is spelled in the code and in the documents."""
    return {metric.name: set(metric.label_names) for metric in declared_metrics()} | HTTP_SERVER


@cache
def series() -> Mapping[str, set[str]]:
    """The labels of every series by its name: a histogram has three. A record has what is left of its rule."""
    known = _measured()
    records = [rule for group in rules.groups() for rule in group["rules"] if "record" in rule]
    while left := [rule for rule in records if names(rule["expr"]) <= known.keys()]:
        for rule in left:
            labels = Reading(rule["expr"], known).labels | set(rule.get("labels", {}))
            known[rule["record"]] = known.get(rule["record"], set()) | labels
        records = [rule for rule in records if rule not in left]
    known["ALERTS"] = {"alertname", "alertstate"}.union(
        *(Reading(rule["expr"], known).labels | set(rule["labels"]) for rule in rules.alerts())
    )
    return known


def _measured() -> dict[str, set[str]]:
    """Those that programs have: ours, which are declared, and others."""
    known: dict[str, set[str]] = {"up": TARGET}
    histograms = {metric.name for metric in declared_metrics() if metric.kind == "histogram"}
    histograms.add("http_server_request_duration_seconds")
    for name, labels in metrics().items():
        for suffix in ("_bucket", "_count", "_sum") if name in histograms else ("",):
            known[name + suffix] = labels | TARGET | ({"le"} if suffix == "_bucket" else set())
    for name, foreign in FOREIGN.items():
        if not foreign.histogram and ":" not in name:
            known.setdefault(name, {*foreign.labels} | TARGET)
    known["ALERTS"] |= {label for labels in metrics().values() for label in labels}  # until all rules are read
    return known


def left_of(query: str) -> set[str]:
    """The labels that the result of a query can have."""
    return Reading(query, series()).labels


def strangers(query: str, examples: Mapping[str, set[str]] | None = None) -> set[str]:
    """The names, labels and values of the query that nothing has.

    `examples` are the labels of further metrics by their names. Raises ValueError for what is no PromQL.
    """
    known = {**{name: labels | TARGET for name, labels in (examples or {}).items()}, **series()}
    return Reading(query, known).strangers | set(_values_of_nobody(query))


def _values_of_nobody(query: str) -> Iterator[str]:
    """The values in the query's selectors that the label never has. A value that is left out is `...`."""
    for selector in selectors(query):
        takes = _takes(selector.name or "")
        for matcher in selector.matchers.matchers:
            for text in values(matcher):
                if matcher.name in takes and text not in (*takes[matcher.name], "..."):
                    yield f"{matcher.name}={text}"


def _takes(name: str) -> dict[str, tuple[str, ...]]:
    """The values of the labels that have no others."""
    by_name = {metric.name: metric for metric in declared_metrics()}
    metric = by_name.get(_PARTS.sub("", name)) or by_name.get(name)
    takes = {label.name: label.values for label in metric.labels if label.open is None} if metric else {}
    if isinstance(metric, telemetry.Histogram):
        takes["le"] = (*map(number_text, metric.buckets), "+Inf")
    if name == "ALERTS":
        takes["alertname"] = tuple({rule["alert"] for rule in rules.alerts()})
        takes["alertstate"] = ("firing", "pending")
    if name in series():
        takes["job"] = (*JOBS, *OTHER_JOBS)
    return takes
