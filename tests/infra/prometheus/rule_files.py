"""Every rule that Prometheus reads, and the tests of them that promtool runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from infra import rules

PROMETHEUS = rules.FOLDER
FILES = rules.files()
TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))

GROUPS = rules.groups()
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = rules.alerts()
RECORDED: dict[str, list[dict[str, Any]]] = {
    rule["record"]: [each for each in RULES if each.get("record") == rule["record"]]
    for rule in RULES
    if "record" in rule
}


def rule(name: str) -> dict[str, Any]:
    """The only rule of that alert or record."""
    [found] = [rule for rule in RULES if name in (rule.get("alert"), rule.get("record"))]
    return found


def tests_of_rules() -> list[dict[str, Any]]:
    return [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
