"""What a metric, a unit and a label of the OpenTelemetry API are called in Prometheus."""

from __future__ import annotations

import pytest

from telemetry.names import label_name, metric_name, unit_word


@pytest.mark.parametrize(
    ("unit", "word"),
    [
        ("ms", "milliseconds"),
        ("By{wire}", "bytes"),
        ("{order}", ""),
        ("1", ""),
        ("{order}/h", "per_hour"),
        ("By/s", "bytes_per_second"),
        ("3step/lap", "3step_per_lap"),
        ("a:b c?", "a:b_c"),
        ("h/", "h"),
        ("h/{order}", "h"),
        (" \t", ""),
    ],
)
def test_the_word_of_a_unit(unit: str, word: str) -> None:
    assert unit_word(unit) == word


@pytest.mark.parametrize(
    ("given", "name", "label"),
    [
        ("http.code", "http_code", "http_code"),
        ("9lives", "_lives", "_lives"),
        ("9_-lives", "_lives", "_lives"),
        ("a:b", "a:b", "a_b"),
        ("a...b__c", "a_b_c", "a_b_c"),
    ],
)
def test_the_names_of_a_metric_and_of_a_label(given: str, name: str, label: str) -> None:
    assert metric_name(given, "", counts=False) == name
    assert label_name(given) == label


def test_a_unit_and_the_ending_of_a_counter_are_in_a_name_once() -> None:
    assert metric_name("took.seconds", "s", counts=False) == "took_seconds"
    assert metric_name("jobs_total", "{job}", counts=True) == "jobs_total"
    assert metric_name("cpu.time", "s", counts=True) == "cpu_time_seconds_total"
