"""The committed dashboards, and their queries as Grafana sends them: with the variables filled in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "infra" / "grafana" / "dashboards"
DASHBOARDS: Mapping[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}
# What Grafana puts in for a range of 15 min, with a step of 15 s.
BUILT_IN = {"$__rate_interval": "1m", "$__range": "15m"}
RANGE_SECONDS, STEP_SECONDS = 900, 15


@dataclass(frozen=True)
class Target:
    """A query of a panel."""

    board: str
    panel: Mapping[str, Any]
    expr: str
    legend: str
    instant: bool

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel['title']}: {self.legend or self.expr}"

    def filled(self, selected: Mapping[str, str]) -> str:
        """The query with a value for each variable."""
        expression = self.expr
        for variable, value in {**BUILT_IN, **{f"${name}": value for name, value in selected.items()}}.items():
            expression = expression.replace(variable, value)
        return expression


TARGETS = [
    Target(name, panel, target["expr"], target["legendFormat"], target["instant"])
    for name, board in DASHBOARDS.items()
    for panel in board["panels"]
    for target in panel["targets"]
]


def variables(board: str) -> dict[str, str]:
    """The variables of a dashboard, and the query for their values."""
    return {each["name"]: each["query"]["query"] for each in DASHBOARDS[board].get("templating", {}).get("list", [])}


def selected(board: str, values: Callable[[str], list[str]]) -> dict[str, str]:
    """Every variable at "All", as Grafana fills it in; `values` answers the query of a variable."""
    return {name: "|".join(values(query)) for name, query in variables(board).items()}
