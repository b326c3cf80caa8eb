"""Every alert fires when it should, stays silent when it should, says who must do what, and has a runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.vocabulary import DeskDuty

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "infra" / "prometheus"
PROMTOOL = ROOT / ".local" / "bin" / "promtool"
RULE_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
JOBS = {"orchestrator", "execution-gateway", "signal-service", "market-data"}
MONEY = {"CircuitBreakerTripped", "DailyLossExceeded", "PositionsDoNotReconcile"}
# Without its series the session counts as open, so its absence makes no alert blind.
SESSION_GATE = re.compile(r"unless on \(\) \(+max\(market_session_open\).* == 0\)")
ALWAYS_FIRING = {"Watchdog"}

GROUPS: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
NAMES = sorted({rule["alert"] for rule in RULES})
EXPECTED = [
    "CircuitBreakerTripped",
    "ClockSkew",
    "CollectorDown",
    "DailyLossExceeded",
    "DatabaseConnectionLost",
    "DatabasePoolExhausted",
    "DayOrderOutlived",
    "DependencyNotWritable",
    "DeskDutyLate",
    "EventLoopBlocked",
    "FileDescriptorsHigh",
    "MemoryHigh",
    "MetricMissing",
    "OutcomeUnknown",
    "PnlStale",
    "PositionsDoNotReconcile",
    "RedisConnectionLost",
    "RiskAddedWhileTripped",
    "ServiceDown",
    "ServiceUnreachable",
    "Watchdog",
]


def promtool(*arguments: object) -> None:
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def alert_rule_tests(name: str) -> list[dict[str, Any]]:
    return [
        check
        for file in RULE_TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for check in test.get("alert_rule_test", [])
        if check["alertname"] == name
    ]


def rule(name: str) -> dict[str, Any]:
    [found] = [rule for rule in RULES if rule["alert"] == name]
    return found


@pytest.mark.server
def test_prometheus_takes_the_configuration() -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.server
@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_whose_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    labels, annotations = rule.get("labels", {}), rule.get("annotations", {})
    assert {"severity", "team", "service"} - labels.keys() == set(), "labels that are missing"
    assert {"summary", "description", "runbook_url"} - annotations.keys() == set(), "annotations that are missing"
    assert labels["severity"] in ({"none"} if rule["alert"] in ALWAYS_FIRING else {"critical", "warning"})
    assert labels["team"] in {"trading", "platform"}
    assert labels["service"]
    assert annotations["summary"]
    assert annotations["description"]
    assert annotations["runbook_url"] == "{{ $externalLabels.runbooks }}#" + rule["alert"].lower()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
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


@pytest.mark.parametrize("name", ["ServiceDown", "ServiceUnreachable"])
def test_each_job_that_the_collector_scrapes_is_watched_also_when_it_was_never_there(name: str) -> None:
    receiver = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text())["receivers"]["prometheus"]
    scraped = {job["job_name"] for job in receiver["config"]["scrape_configs"]}
    expression = rule(name)["expr"]
    [listed] = re.findall(r'up\{job=~"(.+?)"\}', expression)

    assert scraped == JOBS
    assert set(listed.split("|")) == scraped
    assert set(re.findall(r'absent\(up\{job="(.+?)"\}\)', expression)) == scraped


def test_metric_missing_watches_every_series_that_a_critical_alert_compares() -> None:
    watched = {rule["labels"]["metric"] for rule in RULES if rule["alert"] == "MetricMissing"}
    read = {
        series
        for rule in RULES
        if rule["labels"]["severity"] == "critical" and rule["alert"] != "MetricMissing"
        for series in re.findall(r"[a-z]+(?:_[a-z]+)+(?=[\[{ )])|\bup(?=\{)", SESSION_GATE.sub("", rule["expr"]))
    }

    assert read <= watched, "a critical alert reads a series whose absence nobody would notice"


@pytest.mark.parametrize("name", sorted(MONEY))
def test_a_money_alert_fires_at_once_and_looks_a_day_back_where_it_has_no_series_and_so_do_its_texts(name: str) -> None:
    money = rule(name)
    read = [money["expr"], *re.findall(r'query "(.+?)"', " ".join(money["annotations"].values()))]

    assert "for" not in money
    assert len(read) > 2
    for expression in read:
        series = set(re.findall(r"[a-z]+(?:_[a-z]+)+(?=[\[)])", expression))
        live_first = (
            r"(max|max by \(symbol\) )\((?:abs\()?(\w+)\)+ or (?:on \(\) )?\1\((?:abs\()?last_over_time\(\2\[1d\]\)"
        )
        assert {found for _, found in re.findall(live_first, expression)} == series != set(), expression


def test_metric_missing_watches_each_duty_that_the_desk_has_at_every_venue() -> None:
    [expression] = [
        rule["expr"] for rule in RULES if rule["labels"].get("metric") == "duty_last_success_timestamp_seconds"
    ]

    assert re.findall(r'duty="(\w+)"', expression) == [duty for duty in DeskDuty if duty is not DeskDuty.TICK_VENUE]


def test_up_is_read_by_job_because_the_job_metadata_has_the_same_instances() -> None:
    for rule in RULES:
        queries = re.findall(r'query "(.+?)" ', " ".join(rule["annotations"].values()))
        for expression in [rule["expr"], *queries]:
            by_job = re.sub(r"up\{job[^}]+\}|on \(job, instance\) \(up == 0\)", "", expression)
            assert re.findall(r"\bup\b", by_job) == [], expression


def test_critical_rules_are_evaluated_every_second() -> None:
    assert {group["name"]: group["interval"] for group in GROUPS} == {
        "critical": "1s",
        "desk": "1s",
        "services": "1s",
        "watchdog": "5s",
    }
