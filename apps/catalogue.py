"""Declares every metric of the platform. Their names are defined only here, and their labels in `labels`.

docs/CONCEPTS/words.md explains the words (equity, drawdown, slippage, ...).
"""

from apps.labels import (
    CancellationLabels,
    DependencyLabels,
    DutyLabels,
    OutcomeLabels,
    PlacementLabels,
    PnlLabels,
    RejectionLabels,
    RunLabels,
    SideLabels,
    SignalFailureLabels,
    SignalLabels,
    StateRefusalLabels,
    StrategyLabels,
    SubmissionLabels,
    SymbolLabels,
    SymbolSideLabels,
    TripLabels,
)
from telemetry import Counter, Gauge, Histogram

EXECUTION_GATEWAY = "execution_gateway"
SIGNAL_SERVICE = "signal_service"
ORCHESTRATOR = "orchestrator"
MARKET_DATA = "market_data"

# The paper venue has a slippage of 1 bp by default. At 100 bp something is wrong with the venue.
BASIS_POINTS = (0.5, 1, 2, 3, 5, 10, 20, 50, 100)

# --- execution gateway: orders

orders_total = Counter(
    "orders_total",
    "Orders by how their placement ended.",
    PlacementLabels,
    unit="{order}",
    owner=EXECUTION_GATEWAY,
)
orders_placed_total = Counter(
    "orders_placed_total",
    "Orders that were accepted.",
    SymbolSideLabels,
    unit="{order}",
    owner=EXECUTION_GATEWAY,
)
order_fills_total = Counter(
    "order_fills_total",
    "Fills; an order that fills in parts has several.",
    SymbolSideLabels,
    unit="{fill}",
    owner=EXECUTION_GATEWAY,
)
order_cancellations_total = Counter(
    "order_cancellations_total",
    "Resting orders that were cancelled, by reason.",
    CancellationLabels,
    unit="{order}",
    owner=EXECUTION_GATEWAY,
)
order_rejections_total = Counter(
    "order_rejections_total",
    "Orders that were refused, by the check that refused them.",
    RejectionLabels,
    unit="{order}",
    owner=EXECUTION_GATEWAY,
)
order_placement_duration_seconds = Histogram(
    "order_placement_duration_seconds",
    "Time from an order's arrival to the answer, with any result but order_rate_limit, which takes no time; repeated "
    "client_order_ids are included.",
    SymbolSideLabels,
    unit="s",
    owner=EXECUTION_GATEWAY,
)
order_fill_duration_seconds = Histogram(
    "order_fill_duration_seconds",
    "Time from an order's arrival to each of its fills.",
    SideLabels,
    unit="s",
    owner=EXECUTION_GATEWAY,
)
order_slippage_bps = Histogram(
    "order_slippage_bps",
    "Basis points by which a fill was worse than the quote at arrival.",
    SideLabels,
    unit="{basis_point}",
    owner=EXECUTION_GATEWAY,
    buckets=BASIS_POINTS,
)
order_price_improvement_bps = Histogram(
    "order_price_improvement_bps",
    "Basis points by which a fill was better than the quote at arrival.",
    SideLabels,
    unit="{basis_point}",
    owner=EXECUTION_GATEWAY,
    buckets=BASIS_POINTS,
)
open_orders = Gauge(
    "open_orders", "Orders that may still be filled.", SideLabels, unit="{order}", owner=EXECUTION_GATEWAY
)
orders_outcome_unknown = Gauge(
    "orders_outcome_unknown",
    "Orders whose client was told that the outcome is not known yet, and for which that is still so.",
    unit="{order}",
    owner=EXECUTION_GATEWAY,
)
day_orders_outlived = Gauge(
    "day_orders_outlived",
    "Open orders of an earlier trading date than the desk's; always 0.",
    unit="{order}",
    owner=EXECUTION_GATEWAY,
)
executions_set_aside = Gauge(
    "executions_set_aside",
    "Executions that could not be booked, and that a person must look at.",
    unit="{execution}",
    owner=EXECUTION_GATEWAY,
)
filled_notional_dollars_total = Counter(
    "filled_notional_dollars_total",
    "Notional of all fills: dollars bought plus dollars sold.",
    SideLabels,
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
fees_dollars_total = Counter("fees_dollars_total", "Fees paid.", unit="{USD}", owner=EXECUTION_GATEWAY)

# --- execution gateway: the book

positions_current = Gauge(
    "positions_current",
    "Signed shares held; no series when the position is closed.",
    SymbolLabels,
    unit="{share}",
    owner=EXECUTION_GATEWAY,
)
positions_total = Gauge(
    "positions_total",
    "How many positions are open.",
    unit="{position}",
    owner=EXECUTION_GATEWAY,
    named_like_a_counter=True,
)
position_value_dollars = Gauge(
    "position_value_dollars",
    "Signed shares times the last quote.",
    SymbolLabels,
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
pnl_dollars = Gauge(
    "pnl_dollars",
    "Profit and loss since the start; total is equity minus initial cash.",
    PnlLabels,
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
unrealized_pnl_dollars = Gauge(
    "unrealized_pnl_dollars",
    "(Last quote - average cost) times shares.",
    SymbolLabels,
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
daily_pnl_dollars = Gauge(
    "daily_pnl_dollars", "Equity minus start-of-day equity.", unit="{USD}", owner=EXECUTION_GATEWAY
)
daily_loss_ratio = Gauge(
    "daily_loss_ratio",
    "The worst daily loss of the trading date so far, divided by start-of-day equity; at least 0.",
    unit="1",
    owner=EXECUTION_GATEWAY,
)
start_of_day_equity_dollars = Gauge(
    "start_of_day_equity_dollars",
    "Equity at the open, at the previous closes.",
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
equity_dollars = Gauge("equity_dollars", "Cash plus shares at the last quotes.", unit="{USD}", owner=EXECUTION_GATEWAY)
cash_dollars = Gauge("cash_dollars", "Cash, after every fill and fee.", unit="{USD}", owner=EXECUTION_GATEWAY)
equity_high_water_mark_dollars = Gauge(
    "equity_high_water_mark_dollars", "The highest equity so far.", unit="{USD}", owner=EXECUTION_GATEWAY
)
gross_exposure_dollars = Gauge(
    "gross_exposure_dollars", "Sum of the absolute position values.", unit="{USD}", owner=EXECUTION_GATEWAY
)
net_exposure_dollars = Gauge(
    "net_exposure_dollars", "Sum of the signed position values.", unit="{USD}", owner=EXECUTION_GATEWAY
)
gross_exposure_limit_dollars = Gauge(
    "gross_exposure_limit_dollars",
    "The largest gross exposure that an order may lead to.",
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
book_partial = Gauge(
    "book_partial",
    "1 while a holding is valued by anything but a quote: its previous close, or the last price that the desk stored.",
    unit="1",
    owner=EXECUTION_GATEWAY,
)
daily_loss_limit_ratio = Gauge(
    "daily_loss_limit_ratio",
    "The daily loss ratio above which the breaker is tripped.",
    unit="1",
    owner=EXECUTION_GATEWAY,
)
drawdown_limit_ratio = Gauge(
    "drawdown_limit_ratio",
    "The part below its high-water mark at which equity pages.",
    unit="1",
    owner=EXECUTION_GATEWAY,
)
order_placement_limit_seconds = Gauge(
    "order_placement_limit_seconds",
    "The time within which 99 % of the orders are to be answered.",
    unit="s",
    owner=EXECUTION_GATEWAY,
)
order_slippage_limit_bps = Gauge(
    "order_slippage_limit_bps",
    "The slippage that the median of the worse fills is to stay below, in basis points.",
    unit="{basis_point}",
    owner=EXECUTION_GATEWAY,
)
position_limit_dollars = Gauge(
    "position_limit_dollars",
    "The largest position in one symbol that an order may lead to.",
    unit="{USD}",
    owner=EXECUTION_GATEWAY,
)
order_size_limit_dollars = Gauge(
    "order_size_limit_dollars", "The largest notional of one order.", unit="{USD}", owner=EXECUTION_GATEWAY
)
pnl_updated_timestamp_seconds = Gauge(
    "pnl_updated_timestamp_seconds",
    "Time of the oldest quote that P&L uses; without positions, when P&L was last computed.",
    unit="s",
    owner=EXECUTION_GATEWAY,
)

# --- execution gateway: circuit breaker and reconciliation

circuit_breaker_state = Gauge(
    "circuit_breaker_state",
    "0: OPEN, trading is allowed; 1: TRIPPED, orders that add risk are refused.",
    unit="1",
    owner=EXECUTION_GATEWAY,
)
circuit_breaker_trips_total = Counter(
    "circuit_breaker_trips_total",
    "How often the breaker was tripped.",
    TripLabels,
    unit="{trip}",
    owner=EXECUTION_GATEWAY,
)
circuit_breaker_resets_total = Counter(
    "circuit_breaker_resets_total", "How often a person reset the breaker.", unit="{reset}", owner=EXECUTION_GATEWAY
)
risk_added_while_tripped_total = Counter(
    "risk_added_while_tripped_total",
    "Executions that made a position at the venue larger after the venue had confirmed its halt; always 0.",
    unit="{execution}",
    owner=EXECUTION_GATEWAY,
)
duty_last_success_timestamp_seconds = Gauge(
    "duty_last_success_timestamp_seconds",
    "When a duty of the desk last succeeded; a run with nothing to do is a success.",
    DutyLabels,
    unit="s",
    owner=EXECUTION_GATEWAY,
)
duty_failures_total = Counter(
    "duty_failures_total",
    "Failed runs of a duty of the desk, time-outs included.",
    DutyLabels,
    unit="{failure}",
    owner=EXECUTION_GATEWAY,
)
reconciliation_runs_total = Counter(
    "reconciliation_runs_total",
    "Comparisons of the venue's book with our positions.",
    OutcomeLabels,
    unit="{run}",
    owner=EXECUTION_GATEWAY,
)
reconciliation_drift_shares = Gauge(
    "reconciliation_drift_shares",
    "The venue's shares minus ours, once two runs in a row find the same difference.",
    SymbolLabels,
    unit="{share}",
    owner=EXECUTION_GATEWAY,
)
reconciliation_last_success_timestamp_seconds = Gauge(
    "reconciliation_last_success_timestamp_seconds",
    "When the two books were last compared.",
    unit="s",
    owner=EXECUTION_GATEWAY,
)

# --- signal service

signals_generated_total = Counter(
    "signals_generated_total",
    "Signals by direction.",
    SignalLabels,
    unit="{signal}",
    owner=SIGNAL_SERVICE,
)
signal_generation_duration_seconds = Histogram(
    "signal_generation_duration_seconds",
    "How long it took to turn quotes into target weights, and to store them.",
    StrategyLabels,
    unit="s",
    owner=SIGNAL_SERVICE,
)
signal_generation_failures_total = Counter(
    "signal_generation_failures_total",
    "Failed attempts to make signals, by reason.",
    SignalFailureLabels,
    unit="{failure}",
    owner=SIGNAL_SERVICE,
)
target_weight_ratio = Gauge(
    "target_weight_ratio",
    "The part of equity that the strategy wants in a symbol.",
    SymbolLabels,
    unit="1",
    owner=SIGNAL_SERVICE,
)
signals_last_generated_timestamp_seconds = Gauge(
    "signals_last_generated_timestamp_seconds", "When signals were last made.", unit="s", owner=SIGNAL_SERVICE
)

# --- orchestrator

orchestration_runs_total = Counter(
    "orchestration_runs_total",
    "Runs by how they ended.",
    RunLabels,
    unit="{run}",
    owner=ORCHESTRATOR,
)
orchestration_duration_seconds = Histogram(
    "orchestration_duration_seconds",
    "How long a run took, from targets to the last order.",
    unit="s",
    owner=ORCHESTRATOR,
)
orchestration_last_success_timestamp_seconds = Gauge(
    "orchestration_last_success_timestamp_seconds", "When a run last succeeded.", unit="s", owner=ORCHESTRATOR
)
orders_submitted_total = Counter(
    "orders_submitted_total",
    "Orders that the orchestrator wanted to place, by result.",
    SubmissionLabels,
    unit="{order}",
    owner=ORCHESTRATOR,
)
dependency_available = Gauge(
    "dependency_available",
    "Whether a service that the orchestrator needs says it is healthy: 1 yes, 0 no.",
    DependencyLabels,
    unit="1",
    owner=ORCHESTRATOR,
)

# --- those that follow the market

market_state_timestamp_seconds = Gauge(
    "market_state_timestamp_seconds",
    "When the state of the market that this service uses was published.",
    unit="s",
    owner=(EXECUTION_GATEWAY, SIGNAL_SERVICE, ORCHESTRATOR),
)
market_states_refused_total = Counter(
    "market_states_refused_total",
    "States of the market that this service did not use, by reason.",
    StateRefusalLabels,
    unit="{state}",
    owner=(EXECUTION_GATEWAY, SIGNAL_SERVICE, ORCHESTRATOR),
)

# --- market data

market_states_published_total = Counter(
    "market_states_published_total",
    "States of the market by whether Redis took them.",
    OutcomeLabels,
    unit="{state}",
    owner=MARKET_DATA,
)
market_state_published_timestamp_seconds = Gauge(
    "market_state_published_timestamp_seconds",
    "When Redis last took a state of the market.",
    unit="s",
    owner=MARKET_DATA,
)

ticks_received_total = Counter(
    "ticks_received_total", "Ticks that came from the feed.", SymbolLabels, unit="{tick}", owner=MARKET_DATA
)
tick_processing_duration_seconds = Histogram(
    "tick_processing_duration_seconds",
    "Time from a round of ticks to its publication in Redis.",
    unit="s",
    owner=MARKET_DATA,
)
last_tick_timestamp_seconds = Gauge(
    "last_tick_timestamp_seconds", "When a symbol last ticked.", SymbolLabels, unit="s", owner=MARKET_DATA
)
quote_price_dollars = Gauge("quote_price_dollars", "The last quote.", SymbolLabels, unit="{USD}", owner=MARKET_DATA)
tick_gaps_total = Counter(
    "tick_gaps_total",
    "Pauses of more than a second between two rounds of ticks in the session.",
    unit="{gap}",
    owner=MARKET_DATA,
)
feed_reconnects_total = Counter(
    "feed_reconnects_total", "How often the feed delivered again after a loss.", unit="{reconnect}", owner=MARKET_DATA
)
feed_connection_status = Gauge(
    "feed_connection_status", "Whether the feed delivers: 1 connected, 0 not connected.", unit="1", owner=MARKET_DATA
)
subscribed_symbols = Gauge(
    "subscribed_symbols", "How many symbols the feed delivers.", unit="{symbol}", owner=MARKET_DATA
)
market_session_open = Gauge("market_session_open", "1 in the session, 0 when closed.", unit="1", owner=MARKET_DATA)
trading_date_timestamp_seconds = Gauge(
    "trading_date_timestamp_seconds", "The trading date, at 00:00 UTC.", unit="s", owner=MARKET_DATA
)
