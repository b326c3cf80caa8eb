"""A rule asks for series, labels and values that are there, and says why its numbers are what they are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests import promql, queries
from tests.infra.prometheus import rule_files
from tests.infra.prometheus.rule_files import RULES


def texts(rule: dict[str, Any]) -> list[str]:
    return [*rule.get("annotations", {}).values(), *rule.get("labels", {}).values()]


def asked_in(text: str) -> list[str]:
    """The queries of a template, with any text in place of what printf puts in."""
    quoted = re.findall(r'\bquery "((?:[^"\\]|\\.)*)"|\bprintf "((?:[^"\\]|\\.)*)"[^}]*\| query\b', text)
    return [(plain or printed).replace("%s", "...") for plain, printed in quoted]


def id_of(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_a_rule_and_its_texts_ask_for_names_labels_and_values_that_are_there(rule: dict[str, Any]) -> None:
    queried = [query for text in texts(rule) for query in asked_in(text)]

    assert len(queried) == sum(len(re.findall(r"\bquery\b", text)) for text in texts(rule))
    for expression in [rule["expr"], *queried]:
        assert queries.strangers(expression) == set(), expression


@pytest.mark.parametrize("rule", rule_files.ALERTS, ids=id_of)
def test_a_text_names_labels_that_the_alert_or_its_query_has(rule: dict[str, Any]) -> None:
    asked = [query for text in texts(rule) for query in asked_in(text)]
    of_queries = set[str]().union(*map(queries.left_of, asked))

    assert {name for text in texts(rule) for name in re.findall(r"\$labels\.(\w+)", text)} <= queries.left_of(
        rule["expr"]
    )
    assert {name for text in texts(rule) for name in re.findall(r"(?<!\$l)\.Labels\.(\w+)", text)} <= of_queries


@pytest.mark.parametrize("rule", rule_files.ALERTS, ids=id_of)
def test_an_alert_has_its_value_as_its_summary_says_it_or_with_words_of_its_own_or_none(rule: dict[str, Any]) -> None:
    """What tells people adds the value to a summary that does not say it. One that can only be 0 or 1 says nothing."""
    value, summary = rule["annotations"]["value"], rule["annotations"]["summary"]
    if not value:
        assert "$value" not in summary
        return
    formats = re.findall(r"{{ \$value \| [^}]+ }}", value)

    assert len(formats) == 1
    if "$value" in summary:
        assert value in summary
    else:
        words = value.replace(formats[0], "")
        assert re.search(r"[a-z]{2}", words), "a number without a word says nothing"
        assert not re.match(r"(state|status|up|vector)\b|.*\bmissing$", words.strip()), "its only value is no news"


@pytest.mark.parametrize("rule", rule_files.ALERTS, ids=id_of)
def test_a_text_has_percentages_with_two_decimals_at_most_and_dollars_with_separators(rule: dict[str, Any]) -> None:
    actions = [action for text in texts(rule) for action in re.findall(r"{{.*?}}", text)]

    for action in actions:
        assert ("humanizePercentage" in action) == ('printf "%.4f" | humanizePercentage' in action), action
        if "$%" in action:
            assert action.count('reReplaceAll "(\\\\d)(\\\\d\\\\d\\\\d)') == 2, action
    assert not any(re.search(r"\bdollars\b", text) for text in texts(rule) if "query" not in text)


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
    asked = [each["expr"] for each in test.get("promql_expr_test", [])]

    assert {check["alertname"] for check in test.get("alert_rule_test", [])} <= alerts
    for one in series:
        [name] = promql.names(one)
        assert name in queries.series(), one
        assert queries.strangers(one) == set(), one
    for query in asked:
        assert queries.strangers(query) == set(), query
