"""What the drills measured: figures as properties of their tests, and the table of alerts at the end of the run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.drills.platform import Platform

HEAD = ("drill", "alert", "channel", "s to page", "s to resolve", "other pages", "else in Slack")


@dataclass(frozen=True)
class Row:
    """An alert of a drill: the seconds from the fault to its page and from the fault's end to its resolution.

    `pages` and `slack` are the names of all other alerts from the fault on, on PagerDuty and only in Slack.
    """

    drill: str
    alert: str
    channel: str
    to_page: Sequence[float]
    to_resolve: Sequence[float]
    pages: Sequence[str]
    slack: Sequence[str]


class Report:
    """What one drill found. `drill` is its name."""

    def __init__(self, drill: str, record_property: Callable[[str, object], None]) -> None:
        self.drill = drill
        self._record = record_property
        self.rows: list[Row] = []

    def told(
        self,
        platform: Platform,
        alert: str,
        since: float,
        to_page: Sequence[float],
        to_resolve: Sequence[float],
        channel: str = "pagerduty",
    ) -> Row:
        """Adds a row to the table, with what else was told since then."""
        pages = platform.names(since) - {alert}
        slack = platform.names(since, "slack") - {alert, *pages}
        return self.add(Row(self.drill, alert, channel, to_page, to_resolve, sorted(pages), sorted(slack)))

    def add(self, row: Row) -> Row:
        """Adds a row to the table."""
        self.rows.append(row)
        self.measured(f"{row.alert} told", row.to_page)
        self.measured(f"{row.alert} resolved", row.to_resolve)
        return row

    def measured(self, what: str, seconds: Sequence[float]) -> None:
        """Records a figure, and prints it."""
        self._record(what, _figure(seconds))
        print(f"{self.drill}: {what}: {_figure(seconds)}")

    @property
    def alerts(self) -> set[str]:
        """All that was told."""
        return {name for row in self.rows for name in (row.alert, *row.pages, *row.slack)}


def drill_name(item: Any) -> str:
    """The name of a drill for people: that of its parameters, if it has some, or of its test."""
    name: str = item.callspec.id if hasattr(item, "callspec") else item.name.removeprefix("test_")
    return name.replace("-", " ").replace("_", " ")


def table(rows: Sequence[Row]) -> list[str]:
    """The lines of the table, in Markdown."""
    cells = [
        (
            row.drill,
            row.alert,
            row.channel,
            _figure(row.to_page),
            _figure(row.to_resolve),
            ", ".join(row.pages) or "none",
            ", ".join(row.slack) or "none",
        )
        for row in rows
    ]
    return [f"| {' | '.join(line)} |" for line in (HEAD, ["---"] * len(HEAD), *cells)]


def _figure(seconds: Sequence[float]) -> str:
    if not seconds:
        return "not measured"
    if len(seconds) == 1:
        return f"{seconds[0]:.1f}"
    return f"median {statistics.median(seconds):.1f}, at most {max(seconds):.1f} of {len(seconds)}"
