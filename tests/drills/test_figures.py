"""The table at the end of a run of drills."""

from __future__ import annotations

from tests.drills.figures import Report, Row, table


def test_the_table_has_a_row_an_alert_and_says_what_else_was_told() -> None:
    rows = [
        Row("Redis killed", "RedisConnectionLost", "pagerduty", [12.34], [20.0], [], ["ServiceUnreachable"]),
        Row("trips", "CircuitBreakerTripped", "pagerduty", [4.0, 5.0, 6.5], [], ["PnlStale"], []),
    ]

    assert table(rows) == [
        "| drill | alert | channel | s to page | s to resolve | other pages | else in Slack |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| Redis killed | RedisConnectionLost | pagerduty | 12.3 | 20.0 | none | ServiceUnreachable |",
        "| trips | CircuitBreakerTripped | pagerduty | median 5.0, at most 6.5 of 3 | not measured | PnlStale | none |",
    ]


def test_what_a_report_has_seen_is_each_alert_of_its_rows() -> None:
    properties: dict[str, object] = {}
    report = Report("a drill", properties.__setitem__)

    report.add(Row(report.drill, "A", "slack", [1.0], [2.0], ["B"], ["C"]))

    assert report.alerts == {"A", "B", "C"}
    assert properties == {"A told": "1.0", "A resolved": "2.0"}
