"""A rule asks for series, labels and values that are there, and says why its numbers are what they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import queries

ROOT = Path(__file__).parents[3]
# What the collector, Prometheus and Alertmanager say of themselves is not declared here.
FOREIGN = ("otelcol_", "prometheus_", "alertmanager_", "scrape_")


def rules() -> list[dict[str, Any]]:
    contents = [yaml.safe_load(file.read_text()) for file in (ROOT / "infra" / "prometheus").rglob("*.yml")]
    groups = [group for content in contents if isinstance(content, dict) for group in content.get("groups", [])]
    return [rule for group in groups for rule in group["rules"]]


RULES = rules()
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


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
    for line in (ROOT / "infra" / "prometheus" / "alerts.yml").read_text().splitlines():
        words = line.strip()
        if found := re.fullmatch(r"- alert: (\w+)", words):
            name = found[1]
        if (name and "# " in words) or (comment and found):
            explained.add(name)
        comment = words.startswith("# ")
        if words.startswith("labels:"):
            name = ""

    assert {rule["alert"] for rule in RULES if "alert" in rule} - explained == set()


# A silent test of a name that is misspelt would be silent for ever.
TESTS = [
    pytest.param(test, id=test.get("name", file.stem))
    for file in sorted((Path(__file__).parent / "rules").glob("*.yml"))
    for test in yaml.safe_load(file.read_text())["tests"]
]


@pytest.mark.parametrize("test", TESTS)
def test_a_test_of_rules_names_alerts_and_series_that_are_there(test: dict[str, Any]) -> None:
    alerts = {rule.get("alert") for rule in RULES}
    series = [each["series"] for each in test.get("input_series", [])]

    assert {check["alertname"] for check in test.get("alert_rule_test", [])} <= alerts
    for one in series:
        [name] = queries.names(one)
        known = name.startswith(FOREIGN) or name in RECORDED or queries.strangers(one, {}) == set()
        assert known, f"{one}: {queries.strangers(one, {})}"
