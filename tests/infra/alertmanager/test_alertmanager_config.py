"""Alertmanager's configuration: it loads without its secrets, and mutes no more than it may."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.alertmanager.__main__ import seconds
from tests.infra.prometheus.rule_files import ALERTS

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "infra" / "alertmanager" / "config.yml"
AMTOOL = ROOT / ".local" / "bin" / "amtool"
SETTINGS: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
MONEY = (
    "CircuitBreakerTripped",
    "DailyLossExceeded",
    "DailyLossWarning",
    "DrawdownExceeded",
    "ExposureLimitExceeded",
    "PositionsDoNotReconcile",
    "RiskAddedWhileTripped",
    "DayOrderOutlived",
)


def amtool(*arguments: str) -> str:
    done = subprocess.run([AMTOOL, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def names(matchers: list[str]) -> set[str]:
    """The alerts that a rule's matchers select."""
    [matcher] = [matcher for matcher in matchers if matcher.startswith("alertname=")]
    return set(re.sub(r'^alertname=~?"(.+)"$', r"\1", matcher).split("|"))


@pytest.mark.server
def test_it_loads_without_its_secrets() -> None:
    assert not Path("/run/secrets/slack_api_url").exists()
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.server
@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (["alertname=ServiceDown", "severity=critical"], "pagerduty,slack"),
        (["alertname=DeskDutyLate", "severity=critical", "duty=send"], "pagerduty,slack"),
        (["alertname=DependencyNotWritable", "severity=critical", "dependency=redis"], "pagerduty,slack"),
        (["alertname=ServiceUnreachable", "severity=warning"], "slack"),
        (["alertname=Watchdog", "severity=none"], "watchdog"),
        (["alertname=SomethingNew"], "slack"),
        (["alertname=NotificationsFailing", "severity=critical", "integration=pagerduty"], "slack"),
        (["alertname=NotificationsFailing", "severity=warning", "integration=slack"], "pagerduty"),
        (["alertname=NotificationsFailing", "severity=critical", "integration=webhook"], "pagerduty,slack"),
    ],
)
def test_an_alert_goes_where_its_severity_says(labels: list[str], receivers: str) -> None:
    assert amtool("config", "routes", "test", f"--config.file={CONFIG}", *labels) == receivers


def test_critical_alerts_wait_for_nothing_and_are_repeated_after_an_hour() -> None:
    [critical] = [route for route in SETTINGS["route"]["routes"] if route["matchers"] == ['severity="critical"']]

    assert (critical["group_wait"], critical["group_interval"], critical["repeat_interval"]) == ("0s", "1s", "1h")
    assert SETTINGS["route"]["repeat_interval"] == "12h"
    assert SETTINGS["route"]["group_by"] == ["alertname", "symbol", "job", "dependency"]


def test_no_watchdog_beat_is_skipped() -> None:
    [watchdog] = [route for route in SETTINGS["route"]["routes"] if route.get("receiver") == "watchdog"]

    assert seconds(watchdog["repeat_interval"]) < seconds(watchdog["group_interval"])


def test_every_channel_says_when_it_is_over_and_has_its_address_or_key_in_a_file() -> None:
    channels = [
        channel
        for receiver in SETTINGS["receivers"]
        for kind in receiver
        if kind != "name"
        for channel in receiver[kind]
    ]

    assert [channel["send_resolved"] for channel in channels] == [True] * len(channels)
    secrets = [value for channel in channels for key, value in channel.items() if key.endswith("_file")]
    assert sorted(secrets) == [
        "/run/secrets/deadman_url",
        "/run/secrets/pagerduty_routing_key",
        "/run/secrets/slack_api_url",
    ]
    assert "://" not in CONFIG.read_text()


def test_money_alerts_are_never_muted() -> None:
    muted = set[str]().union(*(names(rule["target_matchers"]) for rule in SETTINGS["inhibit_rules"]))

    assert muted.isdisjoint(MONEY)
    assert muted == {
        *("ServiceDown", "ServiceUnreachable", "MetricMissing", "DeskDutyLate", "PnlStale"),
        *("DependencyNotWritable", "DatabasePoolExhausted"),
        *("MarketDataStale", "MarketDataMissing", "MarketStateNotPublished", "SignalsStale", "SignalGenerationFailing"),
        *("OrchestrationStalled", "OrchestrationFailing", "NoOrdersPlaced"),
        *("EventLoopBlocked", "MemoryHigh", "FileDescriptorsHigh", "ClockSkew", "ServiceWorkersMissing"),
    }


def test_an_alert_that_mutes_others_outlasts_them_but_by_20_s_at_most() -> None:
    outlasts = {rule["alert"]: seconds(rule.get("keep_firing_for", "0s")) for rule in ALERTS}

    for inhibition in SETTINGS["inhibit_rules"]:
        for source in names(inhibition["source_matchers"]):
            assert 0 < outlasts[source] <= 20
            for target in names(inhibition["target_matchers"]):
                assert outlasts[source] > outlasts[target], f"{target} would page when {source} ends"


def test_every_name_in_an_inhibition_is_an_alert() -> None:
    alerts = {rule["alert"] for rule in ALERTS}

    for inhibition in SETTINGS["inhibit_rules"]:
        assert names(inhibition["source_matchers"]) | names(inhibition["target_matchers"]) <= alerts
