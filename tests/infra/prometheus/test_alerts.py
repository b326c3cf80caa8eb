"""Every alert fires when it should, stays silent when it should, says who must do what, and has a runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.vocabulary import DeskDuty
from infra.setup.installation import BIN
from tests.documents import ROOT
from tests.infra.prometheus import rule_files
from tests.infra.prometheus.rule_files import ALERTS, FILES, GROUPS, PROMETHEUS, RECORDED, rule

JOBS = {"orchestrator", "execution-gateway", "signal-service", "market-data"}
MONEY = {
    *("CircuitBreakerTripped", "DailyLossExceeded", "DailyLossWarning", "DrawdownExceeded", "ExposureLimitExceeded"),
    "PositionsDoNotReconcile",
}
# Without its series the session counts as open, so its absence makes no alert blind.
SESSION_GATE = re.compile(r"unless on \(\) \(+max\(market_session_open\).* == 0\)")
ALWAYS_FIRING = {"Watchdog"}
BUDGETS = "budgets"
"""Its page is about an hour. Its windows have no series while there is no request, which is no error either."""

NAMES = sorted({rule["alert"] for rule in ALERTS})
EXPECTED = [
    "AlertmanagerDown",
    "CircuitBreakerTripped",
    "ClockSkew",
    "CollectorDown",
    "CollectorExportFailing",
    "CollectorQueueFilling",
    "CollectorRefusing",
    "DailyLossExceeded",
    "DailyLossWarning",
    "DatabaseConnectionLost",
    "DatabasePoolExhausted",
    "DayOrderOutlived",
    "DependencyNotWritable",
    "DeskDutyLate",
    "DiskFilling",
    "DrawdownExceeded",
    "EventLoopBlocked",
    "ExposureLimitExceeded",
    "FeedDisconnected",
    "FeedFlapping",
    "FileDescriptorsHigh",
    "HoldingNotQuoted",
    "HttpErrorBudgetBurn",
    "MarketDataMissing",
    "MarketDataStale",
    "MarketStateNotPublished",
    "MarketStatesRefused",
    "MemoryHigh",
    "MetricMissing",
    "NoOrdersPlaced",
    "NotificationsFailing",
    "OrchestrationFailing",
    "OrchestrationStalled",
    "OrderFailuresHigh",
    "OrderPlacementSlow",
    "OrderRateLimitExceeded",
    "OrderRejectionsHigh",
    "OutcomeUnknown",
    "PnlStale",
    "PositionsDoNotReconcile",
    "PrometheusConfigReloadFailed",
    "PrometheusRuleFailing",
    "RedisConnectionLost",
    "RiskAddedWhileTripped",
    "SeriesLimitReached",
    "ServiceDown",
    "ServiceRestarting",
    "ServiceUnreachable",
    "ServiceWorkersMissing",
    "SignalGenerationFailing",
    "SignalsStale",
    "SlippageHigh",
    "TelemetryDropping",
    "Watchdog",
]


def promtool(*arguments: object) -> None:
    done = subprocess.run(
        [BIN / "promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def alert_rule_tests(name: str) -> list[dict[str, Any]]:
    return [
        check
        for test in rule_files.tests_of_rules()
        for check in test.get("alert_rule_test", [])
        if check["alertname"] == name
    ]


@pytest.mark.server
def test_prometheus_takes_the_configuration() -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.server
@pytest.mark.parametrize("file", rule_files.TESTS, ids=lambda file: file.stem)
def test_the_rules_do_what_their_tests_say(file: Path) -> None:
    promtool("test", "rules", file)


def test_the_alerts_are_those_that_are_asked_for() -> None:
    assert set(NAMES) - set(EXPECTED) == set(), "add it to the list above, once it is wanted"
    assert set(EXPECTED) - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_test_in_which_it_fires(name: str) -> None:
    assert [check for check in alert_rule_tests(name) if check.get("exp_alerts")] != []


@pytest.mark.parametrize("name", sorted(set(NAMES) - ALWAYS_FIRING))
def test_an_alert_has_a_test_in_which_it_must_stay_silent_and_one_just_below(name: str) -> None:
    silent = [check for check in alert_rule_tests(name) if not check.get("exp_alerts")]

    assert len(silent) >= 2, f"{name} is expected to be silent at {len(silent)} moments of its tests"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_whose_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    labels, annotations = rule.get("labels", {}), rule.get("annotations", {})
    assert {"severity", "team", "service"} - labels.keys() == set(), "labels that are missing"
    assert {"summary", "value", "description", "runbook_url", "dashboard_url"} - annotations.keys() == set(), (
        "annotations that are missing"
    )
    assert labels["severity"] in ({"none"} if rule["alert"] in ALWAYS_FIRING else {"critical", "warning"})
    assert labels["team"] in {"trading", "data", "platform"}
    assert labels["service"]
    assert annotations["summary"]
    assert annotations["description"]
    assert annotations["runbook_url"] == "{{ $externalLabels.runbooks }}#" + rule["alert"].lower()
    board = annotations["dashboard_url"].removeprefix("{{ $externalLabels.dashboards }}/d/")
    assert (ROOT / "infra" / "grafana" / "dashboards" / f"{board}.json").is_file()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_annotation_has_nothing_in_it_that_slack_takes_for_markup(rule: dict[str, Any]) -> None:
    texts = [re.sub(r"{{.*?}}", "", text) for text in rule["annotations"].values()]

    assert [text for text in texts if re.search(r"[&<>*]", text)] == []


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    runbooks = (ROOT / "docs" / "RUNBOOKS" / "prometheus-alerts.md").read_text()
    headings = re.findall(r"^## (.+)$", runbooks, re.MULTILINE)

    assert set(NAMES) - set(headings) == set(), "it needs a heading in docs/RUNBOOKS/prometheus-alerts.md"
    assert set(headings) - set(NAMES) == set(), "there is no such alert"
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize(
    "section",
    re.split(r"^## ", (ROOT / "docs/RUNBOOKS/prometheus-alerts.md").read_text(), flags=re.MULTILINE)[1:],
    ids=lambda section: str(section).partition("\n")[0],
)
def test_a_runbook_says_what_it_means_how_to_check_and_what_to_do(section: str) -> None:
    parts = ["What it means", "How to check", "Likely causes", "What to do", "Whom to wake"]

    assert re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE) == parts


def test_the_runbooks_address_is_absolute() -> None:
    settings = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())

    assert re.match(r"https?://", settings["global"]["external_labels"]["runbooks"])


def test_each_job_that_the_collector_scrapes_is_watched_also_when_it_was_never_there() -> None:
    receiver = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text())["receivers"]["prometheus"]
    scraped = {job["job_name"] for job in receiver["config"]["scrape_configs"]}
    expression = rule("job:up:max")["expr"]
    [listed] = re.findall(r'up\{job=~"(.+?)"\}', expression)

    assert {rule(name)["expr"] for name in ("ServiceDown", "ServiceUnreachable")} == {"job:up:max == 0"}
    assert scraped == JOBS
    assert set(listed.split("|")) == scraped
    assert set(re.findall(r'0 \* absent\(up\{job="(.+?)"\}\)', expression)) == scraped


def read_by(expression: str) -> set[str]:
    """The series that an expression reads, and those of which the recorded ones are made."""
    read = re.findall(r"[a-z_]+:\w+:\w+|[a-z]+(?:_[a-z]+)+(?=[\[{ )])|\bup(?=\{)", SESSION_GATE.sub("", expression))
    made_of = [rule["expr"] for series in read for rule in RECORDED.get(series, [])]
    return {series for series in read if series not in RECORDED}.union(*map(read_by, made_of))


def test_metric_missing_watches_every_series_that_a_critical_alert_compares() -> None:
    watched = {rule["labels"]["metric"] for rule in RECORDED["job:missing_series:absent"]}
    watched_by_an_alert_of_its_own = {"last_tick_timestamp_seconds"}  # MarketDataMissing
    critical = [
        rule
        for group in GROUPS
        if group["name"] != BUDGETS
        for rule in group["rules"]
        if rule.get("labels", {}).get("severity") == "critical" and rule["alert"] != "MetricMissing"
    ]
    read = set[str]().union(*(read_by(rule["expr"]) for rule in critical))

    assert read <= watched | watched_by_an_alert_of_its_own, (
        "a critical alert reads a series whose absence nobody would notice"
    )
    assert {re.sub(r"[{].*", "", absent) for absent in absences()} == watched


def absences() -> list[str]:
    """The series whose absence is recorded for MetricMissing."""
    return [
        series
        for rule in RECORDED["job:missing_series:absent"]
        for series in re.findall(r"absent\(([^)]+)\)", rule["expr"])
        if series.startswith(rule["labels"]["metric"] + "{")
    ]


WHILE_OPEN = "instance_reason:circuit_breaker_trips:while_open"
LAST_KNOWN = re.compile(r"^max\((\w+)\) or max\(last_over_time\(\1\[1d\]\)\)$")


@pytest.mark.parametrize("name", sorted(name for name in RECORDED if name.endswith(":last1d")))
def test_what_is_last_known_is_the_live_series_or_the_last_one_of_a_day(name: str) -> None:
    expression = rule(name)["expr"]
    signed = re.match(r"^(\w+) or on \(\) last_over_time\(\1\[1d\]\)$", expression)
    found = signed if name.startswith("instance_symbol:") else LAST_KNOWN.match(expression)

    assert found, expression
    assert name.split(":")[1] == found[1]


@pytest.mark.parametrize("name", sorted(MONEY))
def test_a_money_alert_fires_at_once_and_looks_a_day_back_where_it_has_no_series_and_so_do_its_texts(name: str) -> None:
    money = rule(name)
    asked = re.findall(r'query "(.+?)"', " ".join(money["annotations"].values()))

    assert "for" not in money
    for expression in [money["expr"], *asked]:
        if WHILE_OPEN in expression:  # what tripped the breaker is compared with what was counted while it was open
            assert "circuit_breaker_trips_total[1d]" in expression
            assert f"{WHILE_OPEN}[1d]" in expression
            continue
        series = re.findall(r"[a-z]+(?:_[a-z]+)*:\w+:last1d", expression)
        assert series or LAST_KNOWN.match(expression), expression
        bare = re.sub(r"[a-z_]+:\w+:last1d", "", expression)
        assert LAST_KNOWN.match(expression) or re.findall(r"[a-z]+(?:_[a-z]+)+", bare) == [], expression


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["name"])
def test_what_a_group_records_for_its_alerts_comes_first_in_it(group: dict[str, Any]) -> None:
    """Its rules are evaluated one after the other. From another group, a record may be a second old."""
    kinds = ["alert" if "alert" in rule else "record" for rule in group["rules"]]
    recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
    read = {
        name
        for rule in group["rules"]
        if "alert" in rule
        for name in re.findall(r"[a-z_]+:\w+:\w+", rule["expr"])
        if not name.startswith("slo:")
    }

    assert kinds == sorted(kinds, reverse=True)
    assert read <= recorded


def test_metric_missing_watches_each_duty_that_the_desk_has_at_every_venue() -> None:
    watched = re.findall(r'duty="(\w+)"', " ".join(absences()))

    assert watched == [duty for duty in DeskDuty if duty is not DeskDuty.TICK_VENUE]


def test_up_is_read_by_job_because_the_job_metadata_has_the_same_instances() -> None:
    for each in rule_files.RULES:
        queries = re.findall(r'query "(.+?)" ', " ".join(each.get("annotations", {}).values()))
        for expression in [each["expr"], *queries]:
            by_job = re.sub(r"up\{job[^}]+\}|on \(job, instance\) (?:up\b|\(up == 0\))|job:up:max", "", expression)
            assert re.findall(r"\bup\b", by_job) == [], expression


def test_critical_rules_are_evaluated_every_second() -> None:
    for group in GROUPS:
        severities = {rule.get("labels", {}).get("severity") for rule in group["rules"]}
        assert group["interval"] == "1s" or "critical" not in severities or group["name"] == BUDGETS, group["name"]


def test_every_rule_file_is_read_and_its_records_are_named_level_metric_operation() -> None:
    assert set(FILES) == {PROMETHEUS / "alerts.yml", *(PROMETHEUS / "rules").glob("*.yml")}
    assert [name for name in RECORDED if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", name)] == []
