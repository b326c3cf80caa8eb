"""What a PromQL query asks for, and what there is to ask for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

import apps.catalogue
import telemetry
import telemetry.catalogue
from infra.grafana.queries import FOREIGN
from infra.setup.installation import BIN, ROOT
from telemetry.instrument import Instrument
from telemetry.samples import number_text

TARGET = {"job", "instance"}
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
ALERTS = {"alertname", "alertstate", "severity", "service", "team", "symbol", "duty", "dependency"}

_KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "by", "without", "on", "ignoring"}
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"{([^}]*)}")
_NAMELESS = re.compile(r"(?:^|[^\w:])\s*{[^}]*}")
_BY = re.compile(r"\bby\s*\(([^)]*)\)")
_ABSENT = re.compile(r"\babsent\(\w+{([^}]*)}\)")
_MADE = re.compile(r"label_replace\(.*?,\s*\"(\w+)\",\s*\"\$1\"", re.DOTALL)
_AGGREGATION = re.compile(r"(?<![\w:])(?:sum|max|min|avg|count|topk|histogram_quantile|absent)\s*(?:\(|by\b)")


def declared_metrics() -> list[Instrument[Any]]:
    """The metrics of the two catalogues, without those that tests declare."""
    catalogues = {**vars(telemetry.catalogue), **vars(apps.catalogue)}
    return [metric for metric in catalogues.values() if isinstance(metric, Instrument)]


def metrics() -> dict[str, set[str]]:
    """The labels of every metric by its name, as it is spelled in the code and in the documents."""
    return {metric.name: set(metric.label_names) for metric in declared_metrics()} | HTTP_SERVER


@cache
def rules() -> list[dict[str, Any]]:
    """Every rule that records or alerts."""
    files = sorted((ROOT / "infra" / "prometheus").rglob("*.yml"))
    contents = [yaml.safe_load(file.read_text()) for file in files if "targets" not in file.parent.name]
    return [rule for content in contents for group in content.get("groups", []) for rule in group["rules"]]


@cache
def series() -> Mapping[str, set[str]]:
    """The labels of every series by its name: a histogram has three. A record has what is left of its rule."""
    known = _measured()
    records = [rule for rule in rules() if "record" in rule]
    while left := [rule for rule in records if names(rule["expr"]) <= known.keys()]:
        for rule in left:
            labels_of_it = {*left_of(rule["expr"], known), *rule.get("labels", {})}
            known[rule["record"]] = known.get(rule["record"], set()) | labels_of_it
        records = [rule for rule in records if rule not in left]
    return known


def _measured() -> dict[str, set[str]]:
    """Those that programs have: ours, which are declared, and others."""
    known: dict[str, set[str]] = {"up": TARGET, "ALERTS": ALERTS | TARGET}
    histograms = {metric.name for metric in declared_metrics() if metric.kind == "histogram"}
    histograms.add("http_server_request_duration_seconds")
    for name, labels in metrics().items():
        for suffix in ("_bucket", "_count", "_sum") if name in histograms else ("",):
            known[name + suffix] = labels | TARGET | ({"le"} if suffix == "_bucket" else set())
    for name, foreign in FOREIGN.items():
        if not foreign.histogram and ":" not in name:
            known.setdefault(name, {*foreign.labels} | TARGET)
    return known


def left_of(query: str, known: Mapping[str, set[str]] | None = None) -> set[str]:
    """The labels that the result of a query can have."""
    known = series() if known is None else known
    first = re.split(r"\b(?:unless|and)\b", query, maxsplit=1)[0]
    left = {label for group in _BY.findall(query) for label in re.findall(r"\w+", group)} | {*_MADE.findall(query)}
    left |= {label for selector in _ABSENT.findall(query) for label in re.findall(r"(\w+)=", selector)}
    if not _AGGREGATION.search(first):
        left |= set[str]().union(*(known.get(name, set()) for name in names(first)))
    return left


def names(query: str) -> set[str]:
    """The series that the query asks for."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|\[[^\]]*\]|\boffset -?\w+", " ", query)
    bare = _SELECTOR.sub(" ", _GROUPING.sub(" ", bare))
    words = re.findall(r"(?<![\w.:])([a-zA-Z_][\w:]*)\b(?!\s*\()", bare)
    return {word for word in words if word.lower() not in _KEYWORDS}


def labels(query: str) -> set[str]:
    """The labels that the query names."""
    groups = [*_GROUPING.findall(query), *(re.sub(r"\"[^\"]*\"|'[^']*'", "", one) for one in _SELECTOR.findall(query))]
    return {label for group in groups for label in re.findall(r"[a-z_]\w*", group)}


def strangers(query: str, examples: Mapping[str, set[str]]) -> set[str]:
    """The names and labels of the query that nothing has. `examples` are the labels of other metrics by their names."""
    known = {**{name: labels | TARGET for name, labels in examples.items()}, **series()}
    asked = names(query)
    nameless = _NAMELESS.search(_quoteless(query)) is not None
    possible = set[str]().union(*(known.get(name, set()) for name in (known if nameless else asked)), {"__name__"})
    return {name for name in asked if name not in known} | (labels(query) - possible) | _values_of_nobody(query)


def _quoteless(query: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'", '""', query)


def _values_of_nobody(query: str) -> set[str]:
    """The values in the query's selectors that the label never has. A value that is left out is `...`."""
    metrics = {metric.name: metric for metric in declared_metrics()}
    found = set()
    for name, selector in re.findall(r"(\w+){([^}]*)}", query):
        metric = metrics.get(re.sub(r"_(bucket|count|sum)$", "", name)) or metrics.get(name)
        takes = {label.name: label.values for label in metric.labels if label.open is None} if metric else {}
        if isinstance(metric, telemetry.Histogram):
            takes["le"] = (*map(number_text, metric.buckets), "+Inf")
        for label, text in re.findall(r"(\w+)!?=[\"']([^\"']*)[\"']", selector):
            if label in takes and text not in (*takes[label], "..."):
                found.add(f"{label}={text}")
    return found


def unreadable(query: str) -> str:
    """What promtool says against the query; empty if it can be read."""
    done = subprocess.run(
        [BIN / "promtool", "--experimental", "promql", "format", "--", query],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else f"{query}: {done.stderr}"
