"""The dashboard slo: the objectives, what is left of their budgets, and how fast it burns."""

from infra.grafana.boards import board
from infra.grafana.panels import BAD, GOOD, NONE, NUMBER, RATIO, Lines, Query, Stat, States, Table, counted

MET: States = {0: ("MISSED", BAD), 1: ("met", GOOD)}
OBJECTIVES = {
    "order_placement": "Placement fails",
    "order_latency": "Placement is slow",
    "http_requests": "Requests fail",
    "pnl_freshness": "P&L is old",
}
"""The objectives of infra/prometheus/rules/recording.yml, and the titles of what burns their budgets."""
LEFT = "1 - slo:bad_events:ratio_7d / (1 - slo:objective:ratio)"


def build() -> str:
    """The text of its file."""
    all_right = [
        Stat(
            "Objectives",
            NONE,
            [Query("slo:bad_events:ratio_7d <= bool (1 - slo:objective:ratio)", "{{slo}}")],
            "Whether the events of 7 days were as good as they must be. An objective without any event is not shown.",
            width=24,
            height=5,
            states=MET,
        ),
    ]
    budgets = [
        Stat(
            "Budget left",
            RATIO,
            [Query(LEFT, "{{slo}}")],
            "How much of the bad events that the objective allows in 7 days is left. Below 0 it is missed.",
            width=24,
            height=5,
        ),
    ]
    figures = [
        Table(
            "Objectives in figures",
            NONE,
            [Query("slo:objective:ratio"), Query("1 - slo:bad_events:ratio_7d"), Query(LEFT)],
            "What must be good, what was good in 7 days, and how much of the budget is left.",
            width=12,
            columns={"slo": "objective", "Value #A": "must be good", "Value #B": "was good", "Value #C": "budget left"},
            units={"must be good": "percentunit", "was good": "percentunit", "budget left": "percentunit"},
        ),
        Lines(
            "Budget left over time",
            RATIO,
            [Query(LEFT, "{{slo}}")],
            "Where it falls, it was burnt.",
            width=12,
            low=None,
        ),
    ]
    burning = [
        Lines(
            title,
            NUMBER,
            [
                Query(
                    f'slo:bad_events:ratio_{window}{{slo="{objective}"}}'
                    f' / (1 - slo:objective:ratio{{slo="{objective}"}})',
                    window,
                )
                for window in ("5m", "1h", "6h")
            ],
            f"How fast the budget of {objective} burns, in three windows. At 1 it lasts 7 days, at 14 half a day.",
            width=6,
        )
        for objective, title in OBJECTIVES.items()
    ]
    events = [
        Lines("Events", counted("events/s"), [Query("slo:events:rate1m", "{{slo}}")], width=12),
        Lines("Bad events", counted("events/s"), [Query("slo:bad_events:rate1m", "{{slo}}")], width=12),
    ]
    return board(
        "slo",
        "What was promised, what is left of the budget, and how fast it burns.",
        [all_right, budgets, figures, burning, events],
        alerts='alertname=~"HttpErrorBudgetBurn|OrderFailuresHigh|OrderPlacementSlow|PnlStale"',
    )
