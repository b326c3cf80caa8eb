"""The one place where what happened to orders, fills and the breaker is recorded in metrics and in the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from apps.catalogue import (
    circuit_breaker_resets_total,
    circuit_breaker_trips_total,
    fees_dollars_total,
    filled_notional_dollars_total,
    order_cancellations_total,
    order_fill_duration_seconds,
    order_fills_total,
    order_price_improvement_bps,
    order_rejections_total,
    order_slippage_bps,
    orders_placed_total,
    orders_total,
    risk_added_while_tripped_total,
)
from apps.execution_gateway.events import (
    Cancelled,
    DayStarted,
    Event,
    Filled,
    Placed,
    Reset,
    RiskAdded,
    SetAside,
    Tripped,
)
from apps.execution_gateway.execution import Execution
from apps.execution_gateway.models import Order, OrderRequest
from apps.labels import SymbolSideLabels
from apps.vocabulary import PlacementStatus, Rejection, Side

logger = logging.getLogger(__name__)

_LOGGED = 5
"""How many of the executions that one commit sets aside are logged, each in a line."""


def record(events: Iterable[Event]) -> None:
    """Records events, once each, after their commit."""
    fills: list[Filled] = []
    aside: list[SetAside] = []
    for event in events:
        if isinstance(event, Filled):
            fills.append(event)
        elif isinstance(event, SetAside):
            aside.append(event)
        else:
            _record(event)
    _record_fills(fills)
    for one in aside[:_LOGGED]:
        logger.error("execution %d could not be booked and is set aside: %s", one.execution.seq, one.reason)
    if len(aside) > _LOGGED:
        logger.error("%d more executions could not be booked and are set aside", len(aside) - _LOGGED)


def record_refusal(order: Order | OrderRequest, reason: Rejection) -> None:
    """Records an order that was refused. One that was refused for its rate is not stored, and so no event."""
    orders_total.add(1, {"symbol": order.symbol, "side": order.side, "status": PlacementStatus.REJECTED})
    order_rejections_total.add(1, {"reason": reason})


def _record(event: Event) -> None:
    match event:
        case Placed(order, status):
            _record_placement(order, status)
        case RiskAdded(execution):
            risk_added_while_tripped_total.add(1)
            logger.error("execution %d added risk although the venue had confirmed its halt", execution.seq)
        case Cancelled(order, reason):
            order_cancellations_total.add(1, {"symbol": order.symbol, "side": order.side, "reason": reason})
        case Tripped(reason, why):
            circuit_breaker_trips_total.add(1, {"reason": reason})
            logger.warning("the circuit breaker is TRIPPED: %s", why)
        case Reset():
            circuit_breaker_resets_total.add(1)
            logger.warning("the circuit breaker is OPEN again, reset by a person; GET /api/v1/circuit-breaker says who")
        case DayStarted(sentence):
            logger.info("%s", sentence)


def _record_placement(order: Order, status: PlacementStatus) -> None:
    if status is PlacementStatus.REJECTED:
        record_refusal(order, Rejection(order.reason or Rejection.VENUE_REJECTED))
        return
    labels: SymbolSideLabels = {"symbol": order.symbol, "side": order.side}
    orders_total.add(1, {**labels, "status": status})
    if status is PlacementStatus.SUCCESS:
        orders_placed_total.add(1, labels)


def _record_fills(fills: Sequence[Filled]) -> None:
    """Counters are raised once for all fills alike, because a tick may fill thousands of orders."""
    counts = Counter((fill.execution.symbol, fill.execution.side) for fill in fills)
    for (symbol, side), count in counts.items():
        order_fills_total.add(count, {"symbol": symbol, "side": side})
    for side in {side for _, side in counts}:
        executions = [fill.execution for fill in fills if fill.execution.side is side]
        filled_notional_dollars_total.add(sum(e.qty * e.price for e in executions), {"side": side})
    if fills:
        fees_dollars_total.add(sum(fill.execution.fee for fill in fills))
    for fill in fills:
        _record_quality(fill.order, fill.execution)


_took = {side: order_fill_duration_seconds.bind({"side": side}) for side in Side}
_slippage = {side: order_slippage_bps.bind({"side": side}) for side in Side}
_improvement = {side: order_price_improvement_bps.bind({"side": side}) for side in Side}


def _record_quality(order: Order, execution: Execution) -> None:
    _took[execution.side].record(max(0.0, (execution.at - order.created_at).total_seconds()))
    if order.arrival_price:
        worse = slippage_bps(order.arrival_price, execution)
        if worse >= 0:
            _slippage[execution.side].record(worse)
        else:
            _improvement[execution.side].record(-worse)


def slippage_bps(arrival_price: Decimal, execution: Execution) -> Decimal:
    """Basis points by which the fill is worse than the quote at arrival. Negative if it is better."""
    return execution.side.sign * (execution.price / arrival_price - 1) * 10_000
