"""The kinds of panels, with our defaults: units, words beside colours, and limits as dashed red lines."""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models import units as names
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from infra.grafana.queries import explain
from infra.setup.installation import ROOT

SOURCE = options.DataSourceRef(type_val="prometheus", uid="prometheus")
# The rules' pages lead there as well. A Grafana that people reach from elsewhere needs another address in that file.
RUNBOOKS: str = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["global"]["external_labels"][
    "runbooks"
]

TITLES: Mapping[str, str] = {
    "trading-overview": "Trading overview",
    "risk-monitoring": "Risk monitoring",
    "service-health": "Service health",
    "telemetry-pipeline": "Telemetry pipeline",
    "slo": "Service level objectives",
}
"""The dashboards by their uid, which is also the name of the file, in the order of the links."""

DOLLARS = names.Dollars
SECONDS = names.Seconds
RATIO = names.PercentUnit
BYTES = names.BytesIEC
NUMBER = names.Short
# Neighbours of a million are told apart: $1,000,400 and not $1M.
WHOLE_DOLLARS = "currency:financial:$"
BPS = "suffix:bps"
REQUESTS = names.RequestsPerSecond
NONE = names.NoUnit
FIRING = "suffix: firing"
DATE = "time:YYYY-MM-DD"


def counted(what: str) -> str:
    """The unit of what is counted in a time: "orders/s", "orders/min"."""
    return f"count:{what}"


ALERT_LIST = "/alerting/list"
"""Where Grafana lists its alerts. The viewer leads to its own list."""

PART_OF_LIMIT: Mapping[float, str] = {0.6: "orange", 1: "red"}
"""The colours of a part of a limit, from which value on. At 60 % of the daily loss an alert warns."""

# A colour is never alone: whoever cannot tell red from green reads the word.
GOOD, BAD, NEUTRAL = "green", "red", "blue"
States = Mapping[int, tuple[str, str]]
UP: States = {0: ("down", BAD), 1: ("up", GOOD)}
BREAKER: States = {0: ("OPEN", GOOD), 1: ("TRIPPED", BAD)}

LIMIT = "limit"
"""The legend of a series that is drawn as a limit, or its end: "limit", "position limit"."""

# The least step of a query with $__rate_interval, which is four times as long or longer: a minute at least. The least
# interval of a panel does not count for that.
RATE_STEP = "15s"

# How far an axis goes at least. One with nothing but zeros would go to 100, which is 10,000 %.
AXES: Mapping[str, float] = {
    RATIO: 0.01,
    SECONDS: 0.01,
    NUMBER: 1,
    REQUESTS: 0.1,
    BPS: 1,
    DOLLARS: 1,
}


def least_axis(unit: str) -> float | None:
    """How far an axis of a unit goes at least, or None where Grafana decides."""
    if unit.startswith("count:"):
        return 1 if unit.endswith("/min") else 0.1
    return AXES.get(unit)


@dataclass(frozen=True)
class Query:
    """A query, and the legend of its series: `{{label}}` stands for the label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel(ABC):
    """A panel that is not placed yet. Without `about` it shows one metric, and says what its catalogue says.

    `alerts` are those whose runbooks belong to it, and `board` is the dashboard that says more. `steps` are colours,
    from which value on. `lists_alerts` makes the panel, and each of its values, a link to the list of alerts.
    """

    title: str
    unit: str
    queries: Sequence[Query]
    about: str = ""
    width: int = 8
    height: int = 8
    alerts: Sequence[str] = ()
    board: str = ""
    states: States = field(default_factory=dict)
    steps: Mapping[float, str] = field(default_factory=dict)
    lists_alerts: bool = False

    instant = False
    """Whether it shows the present only."""

    def build(self) -> models.Panel:
        """The panel in Grafana's schema."""
        panel = self._panel()
        panel.title(self.title).unit(self.unit).datasource(SOURCE).span(self.width).height(self.height)
        panel.description(explain([query.expr for query in self.queries], self.about))
        for letter, query in zip(string.ascii_uppercase, self.queries, strict=False):
            panel.with_target(self._target(query).ref_id(letter))
        if self.alerts or self.board or self.lists_alerts:
            panel.links(self._links())
        if self.states:
            results = {
                str(value): models.ValueMappingResult(text=word, color=colour, index=index)
                for index, (value, (word, colour)) in enumerate(self.states.items())
            }
            panel.mappings([models.ValueMap(options=results)])
        # Without steps, Grafana paints everything above 80 red.
        everything = models.Threshold(value=None, color=NEUTRAL)
        steps = [models.Threshold(value=value, color=colour) for value, colour in self.steps.items()]
        panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([everything, *steps]))
        built: models.Panel = panel.build()
        if self.lists_alerts and built.field_config:
            built.field_config.defaults.links = [_alert_list().type(models.DashboardLinkType.LINK).build()]
        return built

    def _links(self) -> list[dashboard.DashboardLink]:
        links = [_alert_list()] if self.lists_alerts else []
        links += [
            dashboard.DashboardLink(f"Runbook: {name}").url(f"{RUNBOOKS}#{name.lower()}").target_blank(True)
            for name in self.alerts
        ]
        if self.board:
            more = dashboard.DashboardLink(TITLES[self.board]).url(f"/d/{self.board}")
            links.append(more.keep_time(True).include_vars(True))
        return [link.type(models.DashboardLinkType.LINK) for link in links]

    def _target(self, query: Query) -> prometheus.Dataquery:
        target = prometheus.Dataquery().datasource(SOURCE).expr(query.expr).legend_format(query.legend)
        if "$__rate_interval" in query.expr:
            target.interval(RATE_STEP)
        return target.instant() if self.instant else target.range()

    @abstractmethod
    def _panel(self) -> Any: ...


@dataclass(frozen=True)
class Stat(Panel):
    """One number or word for each series, as it is now."""

    width: int = 4
    height: int = 4
    decimals: int | None = None
    alarming: bool = False
    """Whether anything above 0 is bad."""

    instant = True

    def _panel(self) -> stat.Panel:
        named = len(self.queries) > 1 or bool(self.queries[0].legend)
        mode = options.BigValueTextMode.VALUE_AND_NAME if named else options.BigValueTextMode.VALUE
        background = self.states or self.alarming
        painted = options.BigValueColorMode.BACKGROUND if background else options.BigValueColorMode.VALUE
        panel = stat.Panel().color_mode(painted).graph_mode(options.BigValueGraphMode.NONE).text_mode(mode)
        colour = dashboard.FieldColor()
        if self.steps:
            colour.mode(models.FieldColorModeId.THRESHOLDS)
        else:
            colour.mode(models.FieldColorModeId.FIXED).fixed_color(NEUTRAL)
        panel.reduce_options(_last()).color_scheme(colour)
        if self.alarming:
            nothing = models.ValueMap(options={"0": models.ValueMappingResult(text="none", color=GOOD, index=0)})
            something = models.DashboardRangeMapOptions(
                from_val=1, result=models.ValueMappingResult(color=BAD, index=1)
            )
            panel.mappings([nothing, models.RangeMap(options=something)])
        return panel if self.decimals is None else panel.decimals(self.decimals)


@dataclass(frozen=True)
class Lines(Panel):
    """Values over time. A series whose legend ends in "limit" is a dashed red line. The axis begins at `low`."""

    low: float | None = 0
    decimals: int | None = None
    """Where the axis would write neighbouring values alike: a million and a few hundred more."""
    stacked: bool = False

    def _panel(self) -> timeseries.Panel:
        panel = timeseries.Panel()
        panel.line_width(2).fill_opacity(0).show_points(options.VisibilityMode.NEVER)
        panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC))
        panel.legend(_legend())
        panel.tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
        if self.low is not None:
            panel.min(self.low)
        least = least_axis(self.unit)
        if self.low == 0 and least is not None:
            panel.axis_soft_max(least)
        if self.stacked:
            panel.draw_style(options.GraphDrawStyle.BARS).fill_opacity(60).line_width(1)
            panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL).group("A"))
        if any(query.legend.endswith(LIMIT) for query in self.queries):
            panel.override_by_regexp(f"/{LIMIT}$/", _LIMIT)
        return panel if self.decimals is None else panel.decimals(self.decimals)


@dataclass(frozen=True)
class Timeline(Panel):
    """States over time, in words."""

    def _panel(self) -> statetimeline.Panel:
        panel = statetimeline.Panel().merge_values(True).show_value(options.VisibilityMode.AUTO).fill_opacity(80)
        panel.line_width(0).row_height(0.8)
        panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        return panel.legend(_legend())


@dataclass(frozen=True)
class Bars(Panel):
    """A bar for each series, as it is now."""

    width: int = 12
    height: int = 12

    instant = True

    def _panel(self) -> bargauge.Panel:
        panel = bargauge.Panel().orientation(options.VizOrientation.HORIZONTAL).reduce_options(_last())
        panel.display_mode(options.BarGaugeDisplayMode.BASIC)
        return panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.CONTINUOUS_BL_PU))


@dataclass(frozen=True)
class Heatmap(Panel):
    """How amounts of a histogram are spread, over time. Its query is a rate by `le`."""

    def _target(self, query: Query) -> prometheus.Dataquery:
        return super()._target(query).format(PromQueryFormat.HEATMAP)

    def _panel(self) -> heatmap.Panel:
        panel = heatmap.Panel().calculate(False).hide_legend()
        panel.y_axis(heatmap.YAxisConfig().unit(self.unit).axis_placement(options.AxisPlacement.LEFT))
        # Lightness alone carries the amount.
        colours = heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Blues").steps(32)
        return panel.color(colours)


@dataclass(frozen=True)
class Table(Panel):
    """A row for each series, as it is now. `columns` are the fields that are shown, in order, and their titles."""

    width: int = 24
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    instant = True

    def _target(self, query: Query) -> prometheus.Dataquery:
        return super()._target(query).format(PromQueryFormat.TABLE)

    def _panel(self) -> table.Panel:
        panel = table.Panel().show_header(True)
        if len(self.queries) > 1:
            panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        shown = {"includeByName": dict.fromkeys(self.columns, True), "renameByName": dict(self.columns)}
        order = {"indexByName": {name: index for index, name in enumerate(self.columns)}}
        panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=shown | order))
        for column, unit in self.units.items():
            panel.override_by_name(column, [models.DynamicConfigValue(id_val="unit", value=unit)])
        return panel


_LIMIT = [
    models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": BAD}),
    models.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]}),
]


def _alert_list() -> dashboard.DashboardLink:
    return dashboard.DashboardLink("Alerts").url(ALERT_LIST)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _legend() -> common.VizLegendOptions:
    below = common.VizLegendOptions().display_mode(options.LegendDisplayMode.LIST).show_legend(True)
    return below.placement(options.LegendPlacement.BOTTOM)
