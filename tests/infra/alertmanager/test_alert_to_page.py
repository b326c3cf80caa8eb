"""From an alert to a page: a real Alertmanager with our configuration, and a real pager that it notifies."""

import re
import time
from itertools import pairwise
from typing import Any

import pytest

from tests.infra.alertmanager.alerting import Alerting
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

Alert = dict[str, Any]


def alert(name: str, severity: str = "critical", **labels: str) -> Alert:
    return {
        "labels": {"alertname": name, "severity": severity, "team": "platform", **labels},
        "annotations": {
            "summary": f"{name}: yes & {{{{ no }}}}",
            "description": "One line: and\nanother.",
            "runbook_url": f"https://runbooks.example#{name.lower()}",
            "dashboard_url": "https://dashboards.example/d/service-health",
        },
    }


def told(alerting: Alerting, name: str, since: float) -> list[tuple[str, str]]:
    """Where and how an alert was told of, in order of channel and time."""
    pages = [page for page in alerting.pages(since) if page["alerts"][0]["name"] == name]
    return sorted((page["channel"], page["status"]) for page in pages)


def test_a_critical_alert_is_told_to_pagerduty_and_slack_with_all_that_it_says_and_again_when_it_is_over(
    alerting: Alerting,
) -> None:
    # Labels and texts that YAML would read as something else.
    fired = alert("CircuitBreakerTripped", symbol="ON", worker="1", since="2026-01-02")
    since = time.time()
    alerting.fire(fired)
    wait_until(
        lambda: told(alerting, "CircuitBreakerTripped", since) == [("pagerduty", "firing"), ("slack", "firing")],
        15,
        "PagerDuty and Slack are told",
    )
    alerting.resolve(fired)
    wait_until(lambda: len(alerting.pages(since)) == 4, 15, "both are told that it is over")

    by_pagerduty = [page for page in alerting.pages(since) if page["channel"] == "pagerduty"]
    by_slack = [page for page in alerting.pages(since) if page["channel"] == "slack"]
    for pages, status in [(by_pagerduty, "firing"), (by_pagerduty, "resolved")]:
        [page] = [page for page in pages if page["status"] == status]
        assert page["receiver"] == "pagerduty"
        assert page["alerts"] == [{"name": "CircuitBreakerTripped", "status": status, **fired}]
    assert (
        by_pagerduty[0]["body"]["payload"]["summary"] == "CircuitBreakerTripped: CircuitBreakerTripped: yes & {{ no }}"
    )
    assert by_pagerduty[0]["body"]["links"] == [
        {"href": "https://runbooks.example#circuitbreakertripped", "text": "Runbook"},
        {"href": "https://dashboards.example/d/service-health", "text": "Dashboard"},
    ]
    [over] = [page["body"]["payload"] for page in by_pagerduty if page["status"] == "resolved"]
    assert over["summary"] == "CircuitBreakerTripped: was: CircuitBreakerTripped: yes & {{ no }}"
    assert over["custom_details"]["resolved"].startswith("`CircuitBreakerTripped` was: CircuitBreakerTripped: yes")
    assert len({page["body"]["dedup_key"] for page in by_pagerduty}) == 1
    assert [(page["receiver"], page["status"]) for page in by_slack] == [("slack", "firing"), ("slack", "resolved")]
    assert by_slack[0]["alerts"] == [
        {
            "name": "CircuitBreakerTripped",
            "status": "firing",
            "labels": {"alertname": "CircuitBreakerTripped"},
            "annotations": {
                "summary": "CircuitBreakerTripped: yes & {{ no }}",
                "description": "One line: and another.",
                "runbook_url": "https://runbooks.example#circuitbreakertripped",
                "dashboard_url": "https://dashboards.example/d/service-health",
            },
        }
    ]
    [was] = by_slack[1]["alerts"]
    assert was["annotations"] == {
        "summary": "Was: CircuitBreakerTripped: yes & {{ no }}",
        "runbook_url": "https://runbooks.example#circuitbreakertripped",
        "dashboard_url": "https://dashboards.example/d/service-health",
    }


@pytest.mark.parametrize(
    "text",
    [
        "*[FIRING] DailyLossExceeded* the book has lost 99 %.",
        "nothing\n*[FIRING] DailyLossExceeded* the book has lost 99 %.",
        "nothing\r*[RESOLVED] CircuitBreakerTripped* all is well.",
        "<!channel> <https://example.org|Runbook> R&D &amp;",
    ],
)
def test_a_text_that_looks_like_another_alert_or_like_markup_is_a_text(alerting: Alerting, text: str) -> None:
    fired = alert("OutcomeUnknown", "warning", service="execution-gateway")
    fired["annotations"] |= {"summary": text, "description": text}
    since = time.time()
    alerting.fire(fired)
    wait_until(lambda: told(alerting, "OutcomeUnknown", since), 15, "Slack is told")
    alerting.resolve(fired)
    wait_until(lambda: len(alerting.pages(since)) == 2, 15, "Slack is told that it is over")

    [page, over] = alerting.pages(since)
    assert [shown["status"] for shown in over["alerts"]] == ["resolved"]
    line = re.sub(r"\s+", " ", text).replace("*", "\u2217")
    [shown] = page["alerts"]
    assert (shown["name"], shown["annotations"]["summary"], shown["annotations"]["description"]) == (
        *("OutcomeUnknown", line, line),
    )
    assert shown["annotations"]["runbook_url"] == "https://runbooks.example#outcomeunknown"
    [attachment] = page["body"]["attachments"]
    assert "<!" not in attachment["text"]


@pytest.mark.parametrize(
    ("summary", "value", "said"),
    [
        ("The venue's book and ours do not agree.", "10 shares", "The venue's book and ours do not agree. (10 shares)"),
        ("The loss is 6.12% today.", "6.12%", "The loss is 6.12% today."),
        ("The clock differs by +2.5 s.", "+2.5 s", "The clock differs by +2.5 s."),
        ("Nobody knows.", "[^(*<&\\\\", None),
        ("Nobody says one.", "", "Nobody says one."),
    ],
)
def test_a_summary_without_its_value_is_followed_by_it(
    alerting: Alerting, summary: str, value: str, said: str | None
) -> None:
    fired = alert("ExposureLimitExceeded", job=f"job {value}")
    fired["annotations"] |= {"summary": summary, "value": value}
    since = time.time()
    alerting.fire(fired)
    wait_until(lambda: len(told(alerting, "ExposureLimitExceeded", since)) == 2, 15, "both are told")
    by_channel = {page["channel"]: page for page in alerting.pages(since)}
    alerting.resolve(fired)
    wait_until(lambda: len(alerting.pages(since)) == 4, 15, "both are told that it is over")

    payload = by_channel["pagerduty"]["body"]["payload"]
    slack = by_channel["slack"]["alerts"][0]["annotations"]["summary"]
    if said is None:  # Slack has no star
        assert payload["summary"] == f"ExposureLimitExceeded: {summary} ({value})"
        assert slack == f"{summary} ({value})".replace("*", "\u2217")
    else:
        assert payload["summary"] == f"ExposureLimitExceeded: {said}"
        assert payload["custom_details"]["firing"].startswith(f"`ExposureLimitExceeded` {said} One line")
        assert slack == said


def test_a_warning_is_told_to_slack_only(alerting: Alerting) -> None:
    since = time.time()
    alerting.fire(alert("ServiceUnreachable", "warning", job="orchestrator"))
    wait_until(lambda: told(alerting, "ServiceUnreachable", since) == [("slack", "firing")], 15, "Slack is told")

    alerting.resolve(alert("ServiceUnreachable", "warning", job="orchestrator"))
    wait_until(
        lambda: told(alerting, "ServiceUnreachable", since) == [("slack", "firing"), ("slack", "resolved")],
        15,
        "Slack is told that it is over",
    )


def test_one_services_page_does_not_hide_anothers(alerting: Alerting) -> None:
    since = time.time()
    alerting.fire(alert("ServiceDown", job="orchestrator"), alert("ServiceDown", job="market-data"))

    wait_until(lambda: told(alerting, "ServiceDown", since).count(("pagerduty", "firing")) == 2, 15, "two pages")
    pages = [page for page in alerting.pages(since) if page["channel"] == "pagerduty"]
    assert {page["alerts"][0]["labels"]["job"] for page in pages} == {"orchestrator", "market-data"}
    alerting.resolve(alert("ServiceDown", job="orchestrator"), alert("ServiceDown", job="market-data"))
    wait_until(lambda: told(alerting, "ServiceDown", since).count(("pagerduty", "resolved")) == 2, 15, "both are over")


def test_duties_that_are_late_are_one_incident_and_each_that_joins_is_told(alerting: Alerting) -> None:
    def pages() -> list[Alert]:
        return [page for page in alerting.pages(since) if page["channel"] == "pagerduty"]

    def duties(page: Alert) -> set[str]:
        return {told["labels"]["duty"] for told in page["alerts"]}

    late = [alert("DeskDutyLate", job="execution-gateway", duty=duty) for duty in ("send", "fetch", "reconcile")]
    since = time.time()
    alerting.fire(*late[:2])
    wait_until(lambda: pages() and duties(pages()[-1]) == {"send", "fetch"}, 15, "two are late")
    alerting.fire(late[2])
    wait_until(lambda: duties(pages()[-1]) == {"send", "fetch", "reconcile"}, 15, "a third one has joined")
    alerting.resolve(*late)
    wait_until(lambda: pages()[-1]["status"] == "resolved", 15, "it is over")

    assert len({page["body"]["dedup_key"] for page in pages()}) == 1


@pytest.mark.parametrize(
    ("cause", "muted", "also_paged"),
    [
        (
            alert("ServiceDown", job="signal-service"),
            [
                alert("MetricMissing", job="signal-service"),
                alert("ServiceUnreachable", "warning", job="signal-service"),
                alert("EventLoopBlocked", "warning", job="signal-service", instance="a"),
                alert("MemoryHigh", "warning", job="signal-service", instance="a"),
                alert("FileDescriptorsHigh", "warning", job="signal-service", instance="a"),
                alert("ClockSkew", "warning", job="signal-service", instance="a"),
            ],
            alert("MetricMissing", job="execution-gateway"),
        ),
        (
            alert("CollectorDown", job="otel-collector"),
            [
                alert("ServiceDown", job="signal-service"),
                alert("ServiceUnreachable", "warning", job="signal-service"),
                alert("MetricMissing", job="market-data", metric="redis_connection_status"),
                alert("DeskDutyLate", job="execution-gateway", duty="send"),
                alert("PnlStale", job="execution-gateway"),
                alert("DatabasePoolExhausted", "warning", job="orchestrator"),
                alert("ClockSkew", "warning", service="otel-collector"),
                alert("MemoryHigh", "warning", job="signal-service", instance="a"),
            ],
            alert("DailyLossExceeded"),
        ),
        (
            alert("ServiceDown", job="execution-gateway"),
            [
                alert("DeskDutyLate", job="execution-gateway", duty="send"),
                alert("PnlStale", job="execution-gateway"),
            ],
            alert("PositionsDoNotReconcile"),
        ),
        (
            alert("ServiceDown", job="market-data"),
            [
                alert("PnlStale", job="execution-gateway"),
                alert("MetricMissing", job="execution-gateway", metric="pnl_updated_timestamp_seconds"),
            ],
            alert("DeskDutyLate", job="execution-gateway", duty="follow_market"),
        ),
        (
            alert("DatabaseConnectionLost", service="postgresql"),
            [
                alert("MetricMissing", job="execution-gateway", service="execution-gateway"),
                alert("DeskDutyLate", job="execution-gateway", service="execution-gateway", duty="command"),
                alert("DependencyNotWritable", service="postgresql", dependency="database"),
                alert("DatabasePoolExhausted", "warning", job="orchestrator", service="orchestrator"),
            ],
            alert("RiskAddedWhileTripped", service="execution-gateway"),
        ),
        (
            alert("RedisConnectionLost", service="redis"),
            [
                alert("MetricMissing", job="execution-gateway", service="execution-gateway"),
                alert("DeskDutyLate", job="execution-gateway", service="execution-gateway", duty="follow_market"),
                alert("PnlStale", job="execution-gateway", service="execution-gateway"),
            ],
            alert("DayOrderOutlived", service="execution-gateway"),
        ),
        (
            alert("DependencyNotWritable", service="redis", dependency="redis"),
            [
                alert("MetricMissing", job="market-data", service="market-data"),
                alert("DeskDutyLate", job="execution-gateway", service="execution-gateway", duty="follow_market"),
                alert("PnlStale", job="execution-gateway", service="execution-gateway"),
            ],
            alert("DependencyNotWritable", service="postgresql", dependency="database"),
        ),
    ],
    ids=lambda value: value["labels"]["alertname"] if isinstance(value, dict) else "",
)
def test_one_cause_is_one_page(alerting: Alerting, cause: Alert, muted: list[Alert], also_paged: Alert) -> None:
    since = time.time()
    alerting.fire(cause)
    wait_until(lambda: len(alerting.pages(since)) == 2, 15, "the cause is told")
    # Nothing mutes the last one, and it waits as long as any: what has not been told before it will not be.
    witness = alert("Witness", "warning")
    alerting.fire(*muted, witness)
    wait_until(lambda: told(alerting, "Witness", since) == [("slack", "firing")], 15, "the witness is told")
    alerting.fire(also_paged)
    wait_until(lambda: len(alerting.pages(since)) == 5, 15, "the last one is told")
    alerting.resolve(*muted)
    alerting.resolve(also_paged, cause, witness)
    wait_until(lambda: len(alerting.pages(since)) == 10, 15, "all are told that it is over")

    told_of = {page["alerts"][0]["labels"]["alertname"] for page in alerting.pages(since)}
    assert told_of == {cause["labels"]["alertname"], also_paged["labels"]["alertname"], "Witness"}
    jobs = {page["alerts"][0]["labels"].get("job") for page in alerting.pages(since) if page["channel"] == "pagerduty"}
    assert jobs == {cause["labels"].get("job"), also_paged["labels"].get("job")}


def test_watchdog_beats_steadily_and_is_on_no_page(alerting: Alerting) -> None:
    since = time.time()
    beats: list[float] = []

    def beat() -> bool:
        last: float = alerting.watchdog()["last_beat"] or 0.0
        return last > (beats[-1] if beats else since)

    for _ in range(4):
        wait_until(beat, 15, "Watchdog beats")
        beats.append(alerting.watchdog()["last_beat"])

    assert alerting.watchdog()["beating"]
    gaps = [later - earlier for earlier, later in pairwise(beats)]
    assert all(9 < gap < 12 for gap in gaps), gaps
    assert alerting.pages(since) == []
