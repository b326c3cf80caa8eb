"""What a query reads: the metrics that it names, and what each of them means.

Declared metrics are described by their catalogues. All others are described here, with the labels that queries may use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import apps.catalogue  # noqa: F401  # declares the platform's metrics
from telemetry.instrument import Instrument
from telemetry.registry import declared


@dataclass(frozen=True)
class Foreign:
    """A metric that somebody else declares."""

    description: str
    labels: tuple[str, ...] = ()
    histogram: bool = False


_REQUEST = ("http_request_method", "http_route", "http_response_status_code", "error_type", "url_scheme")

FOREIGN: Mapping[str, Foreign] = {
    # Prometheus makes these itself.
    "up": Foreign("Whether the last scrape was answered: 1 yes, 0 no."),
    "scrape_duration_seconds": Foreign("How long the last scrape took."),
    "scrape_samples_scraped": Foreign("How many samples the last scrape brought."),
    "ALERTS": Foreign(
        "1 for each alert that is pending or firing.", ("alertname", "alertstate", "severity", "service", "team")
    ),
    # FastAPI: docs/http-requests.md
    "http_server_request_duration_seconds": Foreign("How long requests took.", _REQUEST, histogram=True),
    "http_server_active_requests": Foreign("Requests that are being answered.", ("http_request_method", "url_scheme")),
    # infra/prometheus/rules/recording.yml
    "slo:objective:ratio": Foreign("The part of all events that must be good.", ("slo",)),
    "slo:events:rate1m": Foreign("Events a second.", ("slo",)),
    "slo:bad_events:rate1m": Foreign("Bad events a second.", ("slo",)),
    "slo:bad_events:ratio_5m": Foreign("The part of the events of 5 min that were bad.", ("slo",)),
    "slo:bad_events:ratio_1h": Foreign("The part of the events of an hour that were bad.", ("slo",)),
    "slo:bad_events:ratio_6h": Foreign("The part of the events of 6 h that were bad.", ("slo",)),
    "slo:bad_events:ratio_7d": Foreign("The part of the events of 7 days that were bad.", ("slo",)),
    # The collector.
    "otelcol_exporter_queue_size": Foreign("Requests that wait in the queue on disk.", ("exporter", "data_type")),
    "otelcol_exporter_queue_capacity": Foreign("How many requests the queue takes.", ("exporter", "data_type")),
    "otelcol_exporter_sent_metric_points": Foreign("Samples that Prometheus took.", ("exporter",)),
    "otelcol_exporter_send_failed_metric_points": Foreign("Samples that were given up.", ("exporter",)),
    "otelcol_exporter_enqueue_failed_metric_points": Foreign("Samples that the queue did not take.", ("exporter",)),
    "otelcol_receiver_accepted_metric_points": Foreign("Samples that came in.", ("receiver", "transport")),
    "otelcol_receiver_refused_metric_points": Foreign("Samples that were refused.", ("receiver", "transport")),
    "system_filesystem_usage_bytes": Foreign(
        "What of the disk is used, and what is free.", ("device", "mode", "mountpoint", "state", "type")
    ),
    "otelcol_process_memory_rss": Foreign("Memory of the collector that is in RAM."),
    # Prometheus.
    "prometheus_rule_group_last_duration_seconds": Foreign(
        "How long the last evaluation of a group of rules took.", ("rule_group",)
    ),
    "prometheus_rule_group_interval_seconds": Foreign(
        "How often a group of rules is to be evaluated.", ("rule_group",)
    ),
    "prometheus_rule_group_iterations_missed_total": Foreign(
        "Evaluations that were left out, because the one before took too long.", ("rule_group",)
    ),
    "prometheus_rule_evaluation_failures_total": Foreign("Evaluations of a rule that failed.", ("rule_group",)),
    "prometheus_notifications_sent_total": Foreign("Alerts that Prometheus sent.", ("alertmanager",)),
    "prometheus_notifications_errors_total": Foreign("Alerts that Alertmanager did not take.", ("alertmanager",)),
    "prometheus_notifications_dropped_total": Foreign("Alerts that Prometheus gave up.", ("alertmanager",)),
    "prometheus_config_last_reload_successful": Foreign(
        "Whether Prometheus could load its configuration: 1 yes, 0 no."
    ),
    "prometheus_tsdb_head_series": Foreign("Series that Prometheus holds in memory."),
    "prometheus_tsdb_head_samples_appended_total": Foreign("Samples that Prometheus stored.", ("type",)),
    # Alertmanager.
    "alertmanager_notifications_total": Foreign("Notifications that Alertmanager tried to send.", ("integration",)),
    "alertmanager_notifications_failed_total": Foreign(
        "Notifications that could not be sent.", ("integration", "reason")
    ),
}
_NOT_METRICS = re.compile(
    r'"[^"]*"'  # texts
    r"|\{[^}]*\}|\[[^\]]*\]"  # labels, ranges
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
    r"|\b\w+\s*\("  # functions
    r"|\b(?:and|or|unless|bool|offset|group_left|group_right)\b"
    r"|\b\d\S*"
)


def metrics(expression: str) -> list[str]:
    """The metrics that a query names, each once, in its order; a histogram without the suffixes of its series.

    Raises ValueError for a name that nobody declares.
    """
    found = []
    for name in re.findall(r"[A-Za-z_:][\w:]*", _NOT_METRICS.sub(" ", _without_aggregations(expression))):
        metric = _metric(name)
        if metric not in found:
            found.append(metric)
    return found


def _without_aggregations(expression: str) -> str:
    """`sum by (x) (y)` has a function whose parenthesis comes later."""
    return re.sub(r"\b\w+\s+(?=(?:by|without)\s*\()", " ", expression)


def _metric(name: str) -> str:
    if (name in FOREIGN or name in declared) and not is_histogram(name):
        return name
    base = re.sub(r"_(bucket|count|sum)$", "", name)
    if base != name and is_histogram(base):
        return base
    raise ValueError(
        f"{name}: no catalogue declares it; if another program has it, add it to FOREIGN in infra/grafana/queries.py"
    )


def is_histogram(metric: str) -> bool:
    """Whether its series have the suffixes of a histogram."""
    found = declared.get(metric)
    return (
        found.kind == "histogram" if isinstance(found, Instrument) else metric in FOREIGN and FOREIGN[metric].histogram
    )


def description(metric: str) -> str:
    """What a metric means, in its catalogue's words."""
    found = declared.get(metric)
    return found.description if isinstance(found, Instrument) else FOREIGN[metric].description


def explain(expressions: list[str], sentence: str) -> str:
    """The description of a panel: a sentence of its own, if there is one, and what the metrics in its queries mean.

    Raises ValueError when there is no sentence but more than one metric: they do not say what is shown.
    """
    named = list(dict.fromkeys(metric for expression in expressions for metric in metrics(expression)))
    if not sentence:
        if len(named) != 1:
            raise ValueError(f"the formula of {' and '.join(named)} needs a sentence")
        return description(named[0])
    return "\n".join([sentence, "", *(f"- `{metric}`: {description(metric)}" for metric in named)])
