"""The dashboards: what each shows, in words and units that people read, and in the schema that Grafana loads.

Grafana's server is not available where the tests run. `test_live` runs the queries against a live Prometheus instead.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

import apps.catalogue  # noqa: F401  # declares the platform's metrics
from infra import rules
from infra.grafana.__main__ import BOARDS, FOLDER, main
from telemetry.instrument import Instrument
from telemetry.registry import declared
from tests.infra.grafana.boards import DASHBOARDS, ROOT, TARGETS, variables

PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in DASHBOARDS.items()
    for panel in board["panels"]
]
each_board = pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
each_panel = pytest.mark.parametrize("panel", PANELS)

# What people rely on, in the order in which it is read: a panel that goes away is missed.
SHOWN = {
    "trading-overview": {
        "Circuit breaker", "Critical alerts", "Services", "Redis", "PostgreSQL", "Market", "Trading date", "Total P&L",
        "Daily P&L", "Worst daily loss, part of the limit", "Open positions", "Profit and loss",
        "Daily P&L against the limit",
        "Order flow", "Orders per minute by status", "Rejections by reason", "Order placement latency",
        "Order placement latency, spread", "Orders by symbol", "Circuit breaker state", "Market session",
        "Positions by symbol", "Position values by symbol",
    },
    "risk-monitoring": {
        "Circuit breaker", "Critical alerts", "Worst daily loss, part of the limit", "Exposure, part of the limit",
        "Books", "Age of P&L",
        "Equity and high-water mark", "Drawdown", "Daily loss", "Exposure", "Positions against their limit",
        "Unrealized P&L by symbol", "Slippage", "Turnover", "Mean fill", "Fees", "Drift by symbol",
        "Comparisons of the books", "What a person must look at", "Age of each symbol's quote", "Age of what is used",
        "How the book is valued", "Age of each duty", "Failures of duties",
    },
    "service-health": {
        "Services", "Redis", "PostgreSQL", "Writes", "Critical alerts", "Warnings", "Uptime", "Answering", "Requests",
        "Errors", "Latency by route", "Routes", "Requests in progress", "Requests to other services", "Redis, seen by",
        "PostgreSQL, seen by", "Probes of Redis and PostgreSQL", "Calls of PostgreSQL and Redis",
        "Failed calls of PostgreSQL and Redis", "Waits for a connection", "PostgreSQL connections",
        "Callers that wait for a connection", "Event loop lag", "Garbage collection", "Processor", "Memory",
        "Memory of its limit", "File descriptors of their limit", "Versions",
    },
    "telemetry-pipeline": {
        "Watchdog", "Pipeline", "Queue in use", "Rules", "Notifications", "Collector queue", "Samples sent and failed",
        "Samples taken in and refused", "Scrapes", "Duration of scrapes", "Samples of a scrape",
        "Age of the newest sample", "Clocks of the services", "Rule evaluation", "Rules that fail",
        "Alerts to Alertmanager", "Notifications by channel", "Notifications that failed", "Series of the services",
        "Series in Prometheus", "Dropped records", "Alerts that fire", "Memory of the pipeline", "Samples stored",
        "Free space of the disk",
    },
    "slo": {
        "Objectives", "Budget left", "Objectives in figures", "Budget left over time", "Placement fails",
        "Placement is slow", "Requests fail", "P&L is old", "Events", "Bad events",
    },
}  # fmt: skip
TYPES = {"stat", "timeseries", "state-timeline", "bargauge", "table", "heatmap"}
DOLLARS = {"currencyUSD", "currency:financial:$"}
UNITS = {"none", "short", "s", "percentunit", "bytes", *DOLLARS, "suffix:bps", "reqps", "time:YYYY-MM-DD"}
COUNTED = re.compile(r"count:\w+/(s|min)")
FIRING = "suffix: firing"
# Those whose money moves each second.
FAST = {"trading-overview", "risk-monitoring"}
MARKED = {
    name: f'ALERTS{{alertstate="firing", alertname!="Watchdog", {which}}}'
    for name, which in {
        "risk-monitoring": 'team=~"trading|data"',
        "service-health": 'team="platform"',
        "slo": 'alertname=~"HttpErrorBudgetBurn|OrderFailuresHigh|OrderPlacementSlow|PnlStale"',
        "telemetry-pipeline": 'service=~"otel-collector|prometheus|alertmanager"',
        "trading-overview": 'team=~"trading|data"',
    }.items()
}
"""The alerts whose times the plots of a dashboard mark."""
# The parts of a limit, which have colours: 1 is the limit, which is a metric, and at 0.6 an alert warns.
PARTS = {
    "Worst daily loss, part of the limit": [(0.6, "orange"), (1, "red")],
    "Exposure, part of the limit": [(1, "red")],
}
# The units that fit a metric by itself, by the end of its name. Anything may be a plain number, such as a state.
UNITS_OF = {
    "_seconds": {"s", "time:YYYY-MM-DD"},
    "_dollars": DOLLARS,
    "_bytes": {"bytes"},
    "_ratio": {"percentunit"},
}


def test_the_committed_files_are_those_that_the_command_writes() -> None:
    assert main(["--check"]) == 0
    assert DASHBOARDS.keys() == BOARDS.keys() == SHOWN.keys()


def test_a_file_that_is_not_current_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.grafana.__main__.FOLDER", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    (tmp_path / "slo.json").write_text("{}\n")

    assert main(["--check"]) == 1
    assert capsys.readouterr().err == "not current: slo.json. Run `python -m infra.grafana`.\n"
    assert (tmp_path / "slo.json").read_text() == "{}\n", "--check wrote it"


def test_an_unknown_argument_writes_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.grafana.__main__.FOLDER", tmp_path)

    assert main(["--chekc"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_only_dashboards_and_their_provider_lie_where_grafana_looks() -> None:
    assert {file.suffix for file in FOLDER.iterdir()} == {".json", ".yml"}


@each_board
def test_grafanas_own_types_hold_every_field_of_a_dashboard(board: dict[str, Any]) -> None:
    register_default_plugins()
    read = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    for link in read["links"]:
        assert link.pop("placement") == "inControlsMenu"  # the types know no other place

    assert read == board
    assert board["schemaVersion"] == 42, "the last classic schema"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_named_after_its_file_and_says_what_wrote_it(name: str) -> None:
    board = DASHBOARDS[name]

    assert board["uid"] == name
    assert "Generated by `python -m infra.grafana` from infra/grafana/" in board["description"]
    assert (ROOT / re.findall(r"infra/grafana/\w+\.py", board["description"])[0]).exists()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_shows_what_is_asked_for(name: str) -> None:
    titles = [panel["title"] for panel in DASHBOARDS[name]["panels"]]

    assert set(titles) == SHOWN[name], "a new panel is added to SHOWN, above"
    assert len(titles) == len(set(titles)) >= 8


@each_board
def test_a_dashboard_is_live_and_shows_where_alerts_fired(board: dict[str, Any]) -> None:
    [alerts] = board["annotations"]["list"]

    assert (board["refresh"], board["time"]["to"], board["timezone"]) == ("5s", "now", "utc")
    assert board["time"]["from"] == ("now-5m" if board["uid"] in FAST else "now-15m")
    assert alerts["expr"] == alerts["target"]["expr"] == MARKED[board["uid"]]
    assert alerts["enable"] is True


def test_each_alert_is_marked_on_a_dashboard_and_those_of_trading_on_none_that_is_about_machines() -> None:
    def marks(name: str, alert: dict[str, Any]) -> bool:
        labels = {"alertname": alert["alert"], "alertstate": "firing", **alert["labels"]}
        asked = re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', MARKED[name])
        return all((re.fullmatch(value, labels[label]) is None) is (how == "!=") for label, how, value in asked)

    marked = {alert["alert"]: {name for name in DASHBOARDS if marks(name, alert)} for alert in rules.alerts()}

    assert [alert for alert, names in marked.items() if not names] == ["Watchdog"]
    assert marked["DailyLossExceeded"] == {"trading-overview", "risk-monitoring"}
    assert marked["CollectorDown"] == {"service-health", "telemetry-pipeline"}


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("trading-overview", {"symbol"}),
        ("risk-monitoring", {"symbol"}),
        ("service-health", {"job"}),
        ("telemetry-pipeline", {"job"}),
        ("slo", set()),
    ],
)
def test_people_select_jobs_and_symbols_and_each_variable_has_a_use(name: str, names: set[str]) -> None:
    used = {
        variable
        for target in TARGETS
        if target.board == name
        for variable in re.findall(r"\$(\w+)", target.expr)
        if not variable.startswith("__") and variable != "1"
    }

    assert variables(name).keys() == used == names
    for each in DASHBOARDS[name].get("templating", {}).get("list", []):
        assert (each["multi"], each["includeAll"], each["current"]["value"]) == (True, True, ["$__all"])
        assert each["datasource"] == {"type": "prometheus", "uid": "prometheus"}


@each_panel
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    [source] = yaml.safe_load((ROOT / "infra/grafana/datasources/prometheus.yml").read_text())["datasources"]

    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["type"] in TYPES
    unit = panel["fieldConfig"]["defaults"]["unit"]
    assert unit in {*UNITS, FIRING} or COUNTED.fullmatch(unit)
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert sources == [{"type": "prometheus", "uid": source["uid"]}] * len(sources)
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFG"[: len(panel["targets"])])


@each_panel
def test_a_rate_looks_back_over_a_minute_since_that_is_four_times_the_least_step_of_its_query(
    panel: dict[str, Any],
) -> None:
    for target in panel["targets"]:
        assert target.get("interval") == ("15s" if "$__rate_interval" in target["expr"] else None)


@each_panel
def test_an_axis_of_zeros_does_not_go_to_10_000_percent(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] == "timeseries" and defaults["unit"] == "percentunit" and defaults.get("min") == 0:
        assert defaults["custom"]["axisSoftMax"] == 0.01


@each_panel
def test_a_panel_of_one_metric_has_its_description_and_any_other_explains_all_of_its_metrics(
    panel: dict[str, Any],
) -> None:
    for name, metric in declared.items():
        assert isinstance(metric, Instrument)
        spelled = rf"\b{name}(_bucket|_count|_sum)?\b" if metric.kind == "histogram" else rf"\b{name}\b"
        if any(re.search(spelled, target["expr"]) for target in panel["targets"]):
            assert panel["description"] == metric.description or f"- `{name}`: {metric.description}" in (
                panel["description"].splitlines()
            )


@each_panel
def test_a_unit_fits_the_metric(panel: dict[str, Any]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        metric = re.fullmatch(r"(?:-?(?:max|min|sum)(?: by \(\w+\))? )?\(?(\w+)(?:\{[^}]*\})?\)?", target["expr"])
        for ending, units in UNITS_OF.items():
            if metric and metric[1].endswith(ending):
                assert unit in units, target["expr"]


@each_board
def test_panels_fill_the_width_and_none_lies_on_another(board: dict[str, Any]) -> None:
    places = [
        (x, y)
        for position in (panel["gridPos"] for panel in board["panels"])
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]

    assert len(places) == len(set(places)) == 24 * (1 + max(y for _, y in places))
    assert max(x for x, _ in places) == 23
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@each_board
def test_the_top_row_answers_in_words_or_figures(board: dict[str, Any]) -> None:
    assert {panel["type"] for panel in board["panels"] if panel["gridPos"]["y"] == 0} == {"stat"}


@each_panel
def test_red_and_green_are_never_without_a_word(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings", []):
        if mapping["type"] == "range":
            # The figure itself, with a word beside it.
            assert (mapping["options"]["from"], defaults["unit"]) == (1, FIRING)
            continue
        words = [result["text"] for result in mapping["options"].values()]
        assert mapping["type"] == "value"
        assert all(re.search("[a-zA-Z]", word) for word in words)
        assert len(set(words)) == len(words)
    steps = defaults["thresholds"]["steps"][
        : 1 if panel["title"] in PARTS else None
    ]  # a part says itself that it is over
    painted = [defaults.get("color", {}).get("fixedColor", ""), *(step["color"] for step in steps)]
    assert set(painted) <= {"blue", ""}
    if panel["type"] == "state-timeline":
        assert defaults["mappings"]


@each_panel
def test_no_threshold_is_typed_but_that_of_a_part_of_a_limit(panel: dict[str, Any]) -> None:
    """Limits are metrics, drawn as a line of their own. A part of one is red from 100 % on, whatever the limit is."""
    everything, *steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]

    assert everything["value"] is None
    assert [(step["value"], step["color"]) for step in steps] == PARTS.get(panel["title"], [])
    if steps:
        defaults = panel["fieldConfig"]["defaults"]
        assert (defaults["unit"], defaults["decimals"], defaults["color"]["mode"]) == ("percentunit", 1, "thresholds")


@each_panel
def test_a_limit_is_a_dashed_red_line_and_nothing_else_is(panel: dict[str, Any]) -> None:
    limits = [target["legendFormat"] for target in panel["targets"] if re.search("limit$", target["legendFormat"])]
    overrides = panel["fieldConfig"].get("overrides", [])

    if limits:
        [override] = overrides
        assert override["matcher"] == {"id": "byRegexp", "options": "/limit$/"}
        assert [(each["id"], each["value"]) for each in override["properties"]] == [
            ("color", {"mode": "fixed", "fixedColor": "red"}),
            ("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        ]
    else:
        assert [each["id"] for override in overrides for each in override["properties"] if each["id"] != "unit"] == []


def test_every_limit_that_is_a_metric_is_drawn_as_one_or_what_it_limits_is_drawn_as_a_part_of_it() -> None:
    limits = {name for name in declared if re.search(r"_limit_\w+$|_connection_max$|_max_fds$", name)}
    drawn = {
        name: {
            "limit" if re.match(rf"-?(?:max|sum by \(job\) )\({name}\b", target.expr) else "part"
            for target in TARGETS
            if target.panel["type"] == "timeseries" and re.search(rf"\b{name}\b", target.expr)
        }
        for name in limits
    }

    assert drawn == {
        "daily_loss_limit_ratio": {"limit"},
        "drawdown_limit_ratio": {"limit"},
        "order_placement_limit_seconds": {"limit"},
        "order_slippage_limit_bps": {"limit"},
        "gross_exposure_limit_dollars": {"limit"},
        "position_limit_dollars": {"limit"},
        "order_size_limit_dollars": {"limit"},
        "db_client_connection_max": {"limit"},
        "process_memory_limit_bytes": {"part"},
        "process_max_fds": {"part"},
    }
    for target in TARGETS:
        named = [name for name in limits if re.match(rf"-?(?:max|sum by \(job\) )\({name}\b", target.expr)]
        assert bool(named) == target.legend.endswith("limit"), target.name


@each_board
def test_links_lead_to_dashboards_and_runbooks_that_are_there(board: dict[str, Any]) -> None:
    external = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["global"]["external_labels"]
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/RUNBOOKS/prometheus-alerts.md").read_text(), re.MULTILINE)
    runbooks = {f"{external['runbooks']}#{name.lower()}": f"Runbook: {name}" for name in headings}
    boards = {f"/d/{name}": each["title"] for name, each in DASHBOARDS.items()}

    links = board["links"]
    own = (f"/d/{board['uid']}", board["title"])
    everywhere = {*boards.items(), (external["runbooks"], "Runbooks")}
    assert {(link["url"], link["title"]) for link in links} == everywhere - {own}
    for link in [link for panel in board["panels"] for link in panel.get("links", [])]:
        assert link["title"] == {**runbooks, **boards, "/alerting/list": "Alerts"}[link["url"]]


@each_panel
def test_a_panel_of_alerts_leads_to_their_list_from_its_title_and_from_its_values(panel: dict[str, Any]) -> None:
    counts = any(target["expr"].removeprefix("count(").startswith("ALERTS{alertstate") for target in panel["targets"])
    links = [link["url"] for link in panel.get("links", [])]
    values = [link["url"] for link in panel["fieldConfig"]["defaults"].get("links", [])]

    assert (links[:1] == ["/alerting/list"]) is counts
    assert values == (["/alerting/list"] if counts else [])


def test_every_alert_is_linked_from_some_panel() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/RUNBOOKS/prometheus-alerts.md").read_text(), re.MULTILINE)
    linked = {
        link["title"].removeprefix("Runbook: ")
        for board in DASHBOARDS.values()
        for panel in board["panels"]
        for link in panel.get("links", [])
    }

    assert set(headings) - linked == {"MetricMissing"}, "which belongs to no single panel"
