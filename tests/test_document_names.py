"""The metrics, labels, alerts and queries that the documents name are those of the catalogue and of the rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra import rules
from tests import queries
from tests.documents import DOCUMENTS, ROOT, blocks, name, prose, spans
from tests.documents import queries as queries_of

# The changelog names what is gone, and what is not there yet.
GONE = {"CHANGELOG.md": {"redis_client_errors_total"}}
# Tables and columns of PostgreSQL, and a data set.
FOREIGN = {"pg_db_role_setting", "sp500_dataset", "wait_event_type", "xact_start"}
# What only a metric's name ends in, but for a few labels and values of them.
UNITS = ("_total", "_seconds", "_bytes", "_ratio", "_dollars", "_shares", "_bps", "_timestamp", "_status")
SOURCES = {".py", ".toml", ".yaml", ".yml"}

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name)
QUERIES = [pytest.param(query, id=f"{name(file)}: {query}") for file in DOCUMENTS for query in queries_of(file)]


def words(document: Path) -> set[str]:
    """The words of several parts within lines, such as `orders_total`; not paths, and not functions."""
    word = re.compile(r"(?<![\w.\"'=/-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w./(-])")
    found = {found for span in spans(document) for found in word.findall(span) if not found.startswith("test_")}
    return found - GONE.get(name(document), set())


def examples() -> dict[str, set[str]]:
    """What the examples in the documents declare: a metric's name, and the labels that the same example has."""
    found = {}
    for document in DOCUMENTS:
        for block in blocks(document, "python"):
            for metric in re.findall(r"(?:Counter|Gauge|Histogram)\(\s*\"(\w+)\"", block):
                found[metric] = set(re.findall(r"^    (\w+): ", block, re.MULTILINE))
    return found


def in_the_sources() -> set[str]:
    files = [
        file for part in ("apps", "collector", "infra", "telemetry", "tests") for file in (ROOT / part).rglob("*.*")
    ]
    texts = [file.read_text() for file in [*files, *ROOT.glob("*.*")] if file.suffix in SOURCES]
    return {word for text in texts for word in re.findall(r"\w+", text)}


IN_THE_SOURCES = in_the_sources()


@each_document
def test_a_name_in_a_document_is_one_that_the_code_has(document: Path) -> None:
    assert words(document) - IN_THE_SOURCES - FOREIGN - queries.series().keys() - examples().keys() == set()


@each_document
def test_a_variable_in_a_document_is_one_that_the_code_has(document: Path) -> None:
    variables = {found for span in spans(document) for found in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", span)}

    assert variables - IN_THE_SOURCES == set()


@each_document
def test_what_is_named_like_a_metric_is_one(document: Path) -> None:
    labels = {label for found in queries.metrics().values() for label in found}
    values = {value for metric in queries.declared_metrics() for label in metric.labels for value in label.known}
    like_metrics = {word for word in words(document) if word.endswith(UNITS)} - labels - values

    assert like_metrics - queries.metrics().keys() - queries.series().keys() - examples().keys() == set()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_series_and_labels_that_are_there(query: str) -> None:
    assert queries.strangers(query, examples()) == set()


@each_document
def test_an_alert_that_is_named_is_a_rule(document: Path) -> None:
    named = set(re.findall(r"(?<!\*)\*([A-Z][a-z]+(?:[A-Z][a-z]+)+)\*(?!\*)", prose(document)))

    assert named - {rule["alert"] for rule in rules.alerts()} - rules_of(blocks(document, "yaml")) == set()


def rules_of(texts: list[str]) -> set[str]:
    """The alerts that the document's own examples define."""
    return {alert for text in texts for alert in re.findall(r"- alert: (\w+)", text)}
