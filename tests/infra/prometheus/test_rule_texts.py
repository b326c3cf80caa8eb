"""A rule asks for series, labels and values that are there, and says why its numbers are what they are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests import queries
from tests.infra.prometheus import rule_files
from tests.infra.prometheus.rule_files import RECORDED, RULES

# What the collector, Prometheus and Alertmanager say of themselves is not declared here.
FOREIGN = ("otelcol_", "prometheus_", "alertmanager_", "scrape_")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.get("alert") or rule.get("record")))
def test_a_rule_asks_for_what_is_there(rule: dict[str, Any]) -> None:
    asked = queries.names(rule["expr"])
    others = {name for name in asked if name.startswith(FOREIGN) or name in RECORDED}

    assert asked - others <= queries.series().keys()
    if not others:  # whose labels are not known
        assert queries.strangers(rule["expr"], {}) == set()


def test_a_rule_has_its_reason_above_it_or_beside_its_number() -> None:
    """Several rules of one alert may share it. Watchdog has no number."""
    explained, comment, name = {"Watchdog"}, False, ""
    for line in [line for file in rule_files.FILES for line in file.read_text().splitlines()]:
        words = line.strip()
        if found := re.fullmatch(r"- alert: (\w+)", words):
            name = found[1]
        if (name and "# " in words) or (comment and found):
            explained.add(name)
        comment = words.startswith("# ")
        if words.startswith("labels:"):
            name = ""

    assert {rule["alert"] for rule in rule_files.ALERTS} - explained == set()


# A silent test of a name that is misspelt would be silent for ever.
@pytest.mark.parametrize("test", rule_files.tests_of_rules(), ids=lambda test: test["name"])
def test_a_test_of_rules_names_alerts_and_series_that_are_there(test: dict[str, Any]) -> None:
    alerts = {rule["alert"] for rule in rule_files.ALERTS}
    series = [each["series"] for each in test.get("input_series", [])]

    assert {check["alertname"] for check in test.get("alert_rule_test", [])} <= alerts
    for one in series:
        [name] = queries.names(one)
        known = name.startswith(FOREIGN) or name in RECORDED or queries.strangers(one, {}) == set()
        assert known, f"{one}: {queries.strangers(one, {})}"
