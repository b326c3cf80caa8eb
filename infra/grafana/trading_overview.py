"""The dashboard trading-overview: money, orders and what they need. The first that people open."""

from infra.grafana.boards import SERVICES, SYMBOL, board, firing, none
from infra.grafana.panels import (
    BREAKER,
    DATE,
    DOLLARS,
    GOOD,
    NEUTRAL,
    NONE,
    NUMBER,
    PART_OF_LIMIT,
    RATIO,
    SECONDS,
    UP,
    Bars,
    Heatmap,
    Lines,
    Query,
    Stat,
    States,
    Timeline,
    counted,
)

SESSION: States = {0: ("closed", NEUTRAL), 1: ("open", GOOD)}
ORDERS = '{symbol=~"$symbol"}[$__rate_interval]'


def build() -> str:
    """The text of its file."""
    all_right = [
        Stat(
            "Circuit breaker",
            NONE,
            [Query("max(circuit_breaker_state)")],
            states=BREAKER,
            alerts=["CircuitBreakerTripped"],
            board="risk-monitoring",
        ),
        firing("critical", "Critical alerts"),
        Stat(
            "Services",
            NONE,
            [Query(f"max by (job) (up{{{SERVICES}}})", "{{job}}")],
            "Whether the collector's last scrape of each service was answered.",
            width=8,
            states=UP,
            alerts=["ServiceUnreachable", "ServiceDown"],
            board="service-health",
        ),
        Stat(
            "Redis",
            NONE,
            [Query("min(redis_connection_status)")],
            "Up if all services reach it.",
            states=UP,
            alerts=["RedisConnectionLost"],
            board="service-health",
        ),
        Stat(
            "PostgreSQL",
            NONE,
            [Query("min(database_connection_status)")],
            "Up if all services reach it.",
            states=UP,
            alerts=["DatabaseConnectionLost"],
            board="service-health",
        ),
    ]
    now = [
        Stat("Market", NONE, [Query("max(market_session_open)")], width=3, states=SESSION),
        Stat(
            "Trading date",
            DATE,
            [Query("max(trading_date_timestamp_seconds) * 1000")],
            "The date that is replayed, in the milliseconds that Grafana reads. All else here is in wall-clock time.",
        ),
        Stat(
            "Total P&L",
            DOLLARS,
            [Query('max(pnl_dollars{type="total"})')],
            "Realized plus unrealized, since the start.",
            decimals=2,
        ),
        Stat("Daily P&L", DOLLARS, [Query("max(daily_pnl_dollars)")], decimals=2, board="risk-monitoring"),
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
            board="risk-monitoring",
        ),
        Stat("Open positions", NONE, [Query("max(positions_total)")], width=3, board="risk-monitoring"),
    ]
    money = [
        Lines("Profit and loss", DOLLARS, [Query("max by (type) (pnl_dollars)", "{{type}}")], width=12, low=None),
        Lines(
            "Daily P&L against the limit",
            DOLLARS,
            [
                Query("max(daily_pnl_dollars)", "daily P&L"),
                Query("-max(daily_loss_limit_ratio) * max(start_of_day_equity_dollars)", "limit"),
            ],
            "Below the dashed line the breaker trips, once on each trading date.",
            width=12,
            low=None,
            alerts=["DailyLossExceeded"],
        ),
    ]
    orders = [
        Lines(
            "Order flow",
            counted("orders/min"),
            [
                Query(f"60 * sum(rate(orders_total{ORDERS}))", "submissions"),
                Query(f"60 * sum(rate(order_fills_total{ORDERS}))", "fills"),
                Query(f"60 * sum(rate(order_cancellations_total{ORDERS}))", "cancellations"),
                Query(
                    '60 * sum(rate(orders_total{symbol=~"$symbol", status="rejected"}[$__rate_interval]))', "rejections"
                ),
            ],
            "What happens to orders, per minute.",
            alerts=["NoOrdersPlaced", "OrchestrationFailing", "SignalGenerationFailing"],
        ),
        Lines(
            "Orders per minute by status",
            counted("orders/min"),
            [Query(f"60 * sum by (status) (rate(orders_total{ORDERS}))", "{{status}}")],
            "success: accepted. rejected: by a risk check, the breaker or the venue. failed: an error of ours.",
            stacked=True,
            alerts=["OrderFailuresHigh"],
        ),
        Lines(
            "Rejections by reason",
            counted("orders/min"),
            [
                Query(
                    "60 * sum by (reason) (rate(order_rejections_total[$__rate_interval])) > 0 or on() "
                    + none("reason", "order_rejections_total"),
                    "{{reason}}",
                )
            ],
            "Of all symbols, per minute. A reason that nothing is refused for has no bar, and none says that there is "
            "no reason at all.",
            stacked=True,
            alerts=["OrderRateLimitExceeded", "OrderRejectionsHigh"],
        ),
    ]
    speed = [
        Lines(
            "Order placement latency",
            SECONDS,
            [
                Query(
                    f"histogram_quantile({part}, sum by (le) (rate(order_placement_duration_seconds_bucket{ORDERS})))",
                    name,
                )
                for part, name in ((0.99, "99 %"), (0.5, "median"))
            ]
            + [Query("max(order_placement_limit_seconds)", "99 % limit")],
            "99 % and half of the orders were answered within this time.",
            alerts=["OrderPlacementSlow"],
        ),
        Heatmap(
            "Order placement latency, spread",
            SECONDS,
            [Query(f"sum by (le) (rate(order_placement_duration_seconds_bucket{ORDERS}))", "{{le}}")],
        ),
        Lines(
            "Orders by symbol",
            counted("orders/s"),
            [Query('sum(rate(orders_total{symbol=~"$symbol"}[5m])) by (symbol)', "{{symbol}}")],
            "Orders a second, over the last 5 min.",
            stacked=True,
        ),
    ]
    state = [
        Timeline(
            "Circuit breaker state",
            NONE,
            [Query("max(circuit_breaker_state)", "breaker")],
            width=12,
            height=5,
            states=BREAKER,
            alerts=["CircuitBreakerTripped"],
        ),
        Timeline(
            "Market session",
            NONE,
            [Query("max(market_session_open)", "market")],
            width=12,
            height=5,
            states=SESSION,
            alerts=["FeedDisconnected", "FeedFlapping"],
        ),
    ]
    positions = [
        Bars(
            "Positions by symbol",
            NUMBER,
            [Query('sort_desc(max by (symbol) (positions_current{symbol=~"$symbol"}))', "{{symbol}}")],
        ),
        Lines(
            "Position values by symbol",
            DOLLARS,
            [Query('max by (symbol) (position_value_dollars{symbol=~"$symbol"})', "{{symbol}}")],
            width=12,
            height=12,
            low=None,
        ),
    ]
    return board(
        "trading-overview",
        "Money, orders and what they need, on one page.",
        [all_right, now, money, orders, speed, state, positions],
        [SYMBOL],
        since="now-5m",
        alerts='team=~"trading|data"',
    )
