"""Who mutes whom: each pair of the configuration in a live Alertmanager, and each alert's way as amlint sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from infra import rules
from infra.alertmanager.inhibitions import CONFIG, Pair, pairs
from tests.infra.alertmanager.alerting import Alerting
from tests.infra.alertmanager.test_alertmanager_config import MONEY
from tests.waiting import wait_until

SETTINGS = yaml.safe_load(CONFIG.read_text())
RULES = rules.alerts()
# What amlint would rather have, and why it is so here.
ACCEPTED = {
    "inhibit-no-equal": "there is one collector, one Redis and one PostgreSQL for all",
    "repeat-before-group": "so that no beat of Watchdog is skipped",
    "global-resolve-timeout-missing": "Prometheus always says when an alert ends",
    "alert-hits-default-receiver": "warnings go to Slack, and so does what nobody has thought of",
}


def examples(pair: Pair, number: int) -> tuple[dict[str, str], dict[str, str]]:
    """A cause and its symptom, with labels that no other pair's have."""
    own = {"job": f"job-{number}", "service": f"service-{number}"}
    cause = {**own, "alertname": pair.cause, **chosen(pair, "cause")}
    shared = {label: cause[label] for label in pair.equal}
    symptom = {**own, "job": f"other-{number}", "alertname": pair.symptom, **shared, **chosen(pair, "symptom")}
    return cause, symptom


def chosen(pair: Pair, which: str) -> dict[str, str]:
    """The labels that a matcher with = demands."""
    demanded = [each.removeprefix(f"{which} ") for each in pair.only if each.startswith(f"{which} ")]
    return dict(each.split("=", 1) for each in demanded if "!=" not in each and "=~" not in each)


def amlint(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "amlint.cli", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_configuration_means_what_it_says() -> None:
    given = [word for file in rules.files() for word in ("--rules", str(file))]
    done = amlint("check", "--strict", "--ignore", ",".join(ACCEPTED), *given, str(CONFIG))

    assert done.returncode == 0, done.stdout


def test_each_alert_goes_where_its_severity_says_and_each_pair_mutes(tmp_path: Path) -> None:
    receivers = {"critical": ["pagerduty", "slack"], "warning": ["slack"], "none": ["watchdog"]}
    ways = [
        {
            "name": f"{rule['alert']} {number}",
            "labels": {"alertname": rule["alert"], "job": "a", **literal(rule["labels"])},
            "expect": receivers[rule["labels"]["severity"]],
        }
        for number, rule in enumerate(RULES)
        if rule["alert"] != "NotificationsFailing"
    ]
    other = {"pagerduty": ["slack"], "slack": ["pagerduty"], "webhook": ["pagerduty", "slack"]}
    for integration, expected in other.items():
        severity = "warning" if integration == "slack" else "critical"
        labels = {"alertname": "NotificationsFailing", "severity": severity, "integration": integration}
        ways.append({"name": f"{integration} fails", "labels": {**labels, "team": "platform"}, "expect": expected})
    muted = []
    for number, pair in enumerate(pairs()):
        cause, symptom = examples(pair, number)
        name = f"{pair.cause} mutes {pair.symptom} {number}"
        muted.append({"name": name, "labels": symptom, "firing": [cause], "inhibited": True})
    (tmp_path / "cases.yml").write_text(yaml.safe_dump([*ways, *muted]))

    done = amlint("test", "--fail-under", "100", str(CONFIG), str(tmp_path / "cases.yml"))

    assert done.returncode == 0, done.stdout
    assert len(ways) > 20
    assert len(muted) >= 40


def literal(given: dict[str, str]) -> dict[str, str]:
    """A label that is a template stands for any value."""
    return {name: "a" if "{{" in value else value for name, value in given.items()}


def test_money_alerts_are_muted_by_nothing_that_fires(tmp_path: Path) -> None:
    firing = [{"alertname": rule["alert"], "job": "a", **literal(rule["labels"])} for rule in RULES]
    cases = [
        {"name": alert["alertname"], "labels": alert, "firing": firing, "inhibited": False}
        for alert in firing
        if alert["alertname"] in MONEY
    ]
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(cases))

    done = amlint("test", str(CONFIG), str(tmp_path / "cases.yml"))

    assert done.returncode == 0, done.stdout
    assert {case["name"] for case in cases} == set(MONEY)


def test_a_pair_has_its_reason() -> None:
    assert [pair for pair in pairs() if len(pair.reason.split()) < 5] == []


def test_a_matcher_of_another_form_is_refused(tmp_path: Path) -> None:
    text = CONFIG.read_text().replace('[alertname="CollectorDown"]', "[alertname=CollectorDown]", 1)
    (tmp_path / "config.yml").write_text(text)

    with pytest.raises(ValueError, match=r"^alertname=CollectorDown is not of the form"):
        pairs(tmp_path / "config.yml")


@pytest.mark.integration
def test_each_pair_mutes_in_a_live_alertmanager_and_only_while_its_labels_are_shared(alerting: Alerting) -> None:
    found = [examples(pair, number) for number, pair in enumerate(pairs())]

    def seen(labels: dict[str, str]) -> dict[str, Any] | None:
        listed = httpx.get(f"{alerting.alertmanager}/api/v2/alerts").raise_for_status().json()
        return next((alert for alert in listed if alert["labels"] == labels), None)

    for pair, (cause, symptom) in zip(pairs(), found, strict=True):
        stranger = {**symptom, **dict.fromkeys(pair.equal, "of-another")}
        alerting.fire({"labels": cause}, {"labels": symptom}, {"labels": stranger})
        told: dict[str, Any] | None = wait_until(lambda: seen(symptom), 10, f"{pair.symptom} is there")  # noqa: B023
        by = [seen_by["fingerprint"] for seen_by in (seen(cause),) if seen_by]
        assert told is not None
        assert told["status"]["inhibitedBy"] == by, pair
        if pair.equal:
            other = seen(stranger)
            assert other is not None
            assert other["status"]["inhibitedBy"] == [], pair
        alerting.resolve({"labels": cause}, {"labels": symptom}, {"labels": stranger})
