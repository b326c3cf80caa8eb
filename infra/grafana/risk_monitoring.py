"""The dashboard risk-monitoring: how much can be lost, against which limits, and whether the figures can be trusted."""

from infra.grafana.boards import SYMBOL, board, firing
from infra.grafana.panels import (
    BAD,
    BPS,
    BREAKER,
    DOLLARS,
    GOOD,
    NONE,
    NUMBER,
    PART_OF_LIMIT,
    RATIO,
    SECONDS,
    WHOLE_DOLLARS,
    Bars,
    Lines,
    Query,
    Stat,
    States,
    Timeline,
    counted,
)

BOOKS: States = {0: ("agree", GOOD), 1: ("DIFFER", BAD)}
BOOK: States = {0: ("by quotes", GOOD), 1: ("partial", BAD)}


def build() -> str:
    """The text of its file."""
    all_right = [
        Stat(
            "Circuit breaker",
            NONE,
            [Query("max(circuit_breaker_state)")],
            states=BREAKER,
            alerts=["CircuitBreakerTripped"],
        ),
        firing("critical", "Critical alerts", width=3),
        Stat(
            "Worst daily loss, part of the limit",
            RATIO,
            [Query("max(daily_loss_ratio) / max(daily_loss_limit_ratio)")],
            "The worst loss of the trading date so far, as a part of the daily loss limit. Orange from 60 %, where an "
            "alert warns, red from 100 %, where the breaker trips.",
            width=6,
            decimals=1,
            steps=PART_OF_LIMIT,
            alerts=["DailyLossExceeded"],
        ),
        Stat(
            "Exposure, part of the limit",
            RATIO,
            [Query("max(gross_exposure_dollars) / max(gross_exposure_limit_dollars)")],
            "How much of the limit the book uses. Falling prices can bring it above 100 %, where it is "
            "red; orders cannot.",
            width=5,
            decimals=1,
            steps={1: BAD},
            alerts=["ExposureLimitExceeded"],
        ),
        Stat(
            "Books",
            NONE,
            [Query("max(abs(reconciliation_drift_shares)) + max(executions_set_aside) > bool 0")],
            "Whether the venue's book and ours agree in every symbol, and every execution could be booked.",
            width=3,
            states=BOOKS,
            alerts=["PositionsDoNotReconcile"],
        ),
        Stat(
            "Age of P&L",
            SECONDS,
            [Query("time() - max(pnl_updated_timestamp_seconds)")],
            "How old the oldest quote is that P&L uses. While the market is closed it grows, as it should.",
            width=3,
            decimals=0,
            alerts=["PnlStale"],
        ),
    ]
    equity = [
        Lines(
            "Equity and high-water mark",
            WHOLE_DOLLARS,
            [
                Query("max(equity_dollars)", "equity"),
                Query("max(equity_high_water_mark_dollars)", "high-water mark"),
                Query("max(start_of_day_equity_dollars)", "start of day"),
            ],
            "What the book is worth, against its best and the last open.",
            width=12,
            low=None,
            decimals=0,
        ),
        Lines(
            "Drawdown",
            RATIO,
            [
                Query("1 - max(equity_dollars) / max(equity_high_water_mark_dollars)", "drawdown"),
                Query("max(drawdown_limit_ratio)", "limit"),
            ],
            "How far equity is below its high-water mark.",
            width=12,
            alerts=["DrawdownExceeded"],
        ),
    ]
    limits = [
        Lines(
            "Daily loss",
            RATIO,
            [Query("max(daily_loss_ratio)", "daily loss"), Query("max(daily_loss_limit_ratio)", "limit")],
            "The worst loss of the trading date so far. Above the limit the breaker trips.",
            width=12,
            alerts=["DailyLossExceeded", "DailyLossWarning"],
        ),
        Lines(
            "Exposure",
            DOLLARS,
            [
                Query("max(gross_exposure_dollars)", "gross"),
                Query("max(net_exposure_dollars)", "net"),
                Query("max(gross_exposure_limit_dollars)", "gross limit"),
            ],
            "What the market moves. Orders that would lead to more than the limit are refused.",
            width=12,
            low=None,
        ),
    ]
    symbols = [
        Lines(
            "Positions against their limit",
            DOLLARS,
            [
                Query('abs(max by (symbol) (position_value_dollars{symbol=~"$symbol"}))', "{{symbol}}"),
                Query("max(position_limit_dollars)", "position limit"),
            ],
            "What each position is worth, long or short. Orders that would lead to more than the limit are refused.",
            width=12,
            height=12,
        ),
        Bars(
            "Unrealized P&L by symbol",
            DOLLARS,
            [Query('sort_desc(max by (symbol) (unrealized_pnl_dollars{symbol=~"$symbol"}))', "{{symbol}}")],
        ),
    ]
    costs = [
        Lines(
            "Slippage",
            BPS,
            [
                Query(
                    f"histogram_quantile({part}, sum by (le) (rate(order_slippage_bps_bucket[$__rate_interval])))", name
                )
                for part, name in ((0.99, "99 %"), (0.5, "median"))
            ]
            + [Query("max(order_slippage_limit_bps)", "median's limit")],
            "By how many basis points 99 % and half of the worse fills were worse, at most.",
            width=6,
            alerts=["SlippageHigh"],
        ),
        Lines(
            "Turnover",
            DOLLARS,
            [Query("sum by (side) (rate(filled_notional_dollars_total[$__rate_interval]))", "{{side}}")],
            "Dollars a second, by side.",
            width=6,
            stacked=True,
        ),
        Lines(
            "Mean fill",
            DOLLARS,
            [
                Query(
                    "sum(rate(filled_notional_dollars_total[$__rate_interval]))"
                    " / (sum(rate(order_fills_total[$__rate_interval])) > 0)",
                    "mean fill",
                ),
                Query("max(order_size_limit_dollars)", "order size limit"),
            ],
            "Dollars a fill. An order over the limit is refused.",
            width=6,
        ),
        Lines(
            "Fees",
            DOLLARS,
            [Query("60 * sum(rate(fees_dollars_total[$__rate_interval]))", "fees")],
            "Dollars a minute.",
            width=6,
        ),
    ]
    books = [
        Lines(
            "Drift by symbol",
            NUMBER,
            [Query('max by (symbol) (reconciliation_drift_shares{symbol=~"$symbol"})', "{{symbol}}")],
            low=None,
            alerts=["PositionsDoNotReconcile"],
        ),
        Lines(
            "Comparisons of the books",
            counted("runs/min"),
            [Query("60 * sum by (result) (rate(reconciliation_runs_total[$__rate_interval]))", "{{result}}")],
            "How often the venue's book was compared with our positions, per minute.",
            stacked=True,
        ),
        Lines(
            "What a person must look at",
            NUMBER,
            [
                Query("max(executions_set_aside)", "executions set aside"),
                Query("max(orders_outcome_unknown)", "outcome unknown"),
                Query("max(day_orders_outlived)", "day orders outlived"),
                Query("sum(increase(risk_added_while_tripped_total[15m]))", "risk added while tripped, in 15 min"),
            ],
            "All of these are 0 when the desk and the venue do what they promise.",
            alerts=["PositionsDoNotReconcile", "OutcomeUnknown", "DayOrderOutlived", "RiskAddedWhileTripped"],
        ),
    ]
    freshness = [
        Lines(
            "Age of each symbol's quote",
            SECONDS,
            [Query('time() - max by (symbol) (last_tick_timestamp_seconds{symbol=~"$symbol"})', "{{symbol}}")],
            "How long ago each symbol ticked. While the market is closed it grows, as it should.",
            alerts=["MarketDataStale", "MarketDataMissing"],
        ),
        Lines(
            "Age of what is used",
            SECONDS,
            [
                Query("time() - max(pnl_updated_timestamp_seconds)", "P&L"),
                Query("time() - max by (job) (market_state_timestamp_seconds)", "market seen by {{job}}"),
                Query("time() - max(signals_last_generated_timestamp_seconds)", "signals"),
            ],
            "How old the market, the signals and the P&L are that decisions rest on.",
            alerts=[
                "PnlStale",
                "MarketStateNotPublished",
                "MarketStatesRefused",
                "SignalsStale",
                "OrchestrationStalled",
            ],
        ),
        Timeline(
            "How the book is valued",
            NONE,
            [Query("max(book_partial)", "book")],
            states=BOOK,
            alerts=["HoldingNotQuoted"],
        ),
    ]
    duties = [
        Lines(
            "Age of each duty",
            SECONDS,
            [Query("time() - max by (duty) (duty_last_success_timestamp_seconds)", "{{duty}}")],
            "How long ago each duty of the desk succeeded, with nothing to do as well.",
            width=12,
            alerts=["DeskDutyLate"],
        ),
        Lines(
            "Failures of duties",
            counted("failures/s"),
            [Query("sum by (duty) (rate(duty_failures_total[$__rate_interval]))", "{{duty}}")],
            "Failures a second.",
            width=12,
            stacked=True,
            alerts=["DeskDutyLate"],
        ),
    ]
    return board(
        "risk-monitoring",
        "How much can be lost, against which limits, and how fresh the figures are.",
        [all_right, equity, limits, symbols, costs, books, freshness, duties],
        [SYMBOL],
        since="now-5m",
        alerts='team=~"trading|data"',
    )
