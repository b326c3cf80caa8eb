"""What each event of a commit becomes in metrics and in the log."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

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
    Filled,
    Placed,
    Reset,
    RiskAdded,
    SetAside,
    Tripped,
)
from apps.execution_gateway.recording import record, slippage_bps
from apps.labels import CancellationLabels, PlacementLabels, RejectionLabels, SideLabels, SymbolSideLabels, TripLabels
from apps.vocabulary import Cancellation, PlacementStatus, Rejection, Side, TripReason
from telemetry.testing import Recorded
from tests.apps.execution_gateway.books import an_execution, an_order

AAPL = SymbolSideLabels(symbol="AAPL", side=Side.BUY)


@pytest.mark.parametrize(
    ("status", "placed", "rejected"),
    [(PlacementStatus.SUCCESS, 1, 0), (PlacementStatus.REJECTED, 0, 1), (PlacementStatus.FAILED, 0, 0)],
)
def test_an_outcome_is_counted_once_and_only_a_success_is_a_placed_order(
    recorded: Recorded, status: PlacementStatus, placed: int, rejected: int
) -> None:
    record([Placed(an_order(reason=Rejection.STALE_QUOTE), status)])

    assert {s: recorded(orders_total, PlacementLabels(**AAPL, status=s)) for s in PlacementStatus} == {
        s: int(s is status) for s in PlacementStatus
    }
    assert recorded(orders_placed_total, AAPL) == placed
    assert recorded(order_rejections_total, RejectionLabels(reason=Rejection.STALE_QUOTE)) == rejected


def test_a_fill_is_in_the_metrics_of_shares_dollars_fees_and_time(recorded: Recorded) -> None:
    order = an_order(qty=10, arrival=100)
    fill = an_execution(order, qty=4, price=101, fee="0.5", at=order.created_at + dt.timedelta(seconds=2))

    record([Filled(order, fill)])

    assert recorded(order_fills_total, AAPL) == 1
    assert recorded(filled_notional_dollars_total, SideLabels(side=Side.BUY)) == 404
    assert recorded(fees_dollars_total) == 0.5
    assert recorded(order_fill_duration_seconds, SideLabels(side=Side.BUY)) == 1
    assert recorded(order_slippage_bps, SideLabels(side=Side.BUY)) == 1
    assert recorded(order_price_improvement_bps, SideLabels(side=Side.BUY)) == 0


@pytest.mark.parametrize(
    ("side", "price", "worse"), [(Side.BUY, 101, 100), (Side.SELL, 101, -100), (Side.SELL, 99, 100), (Side.BUY, 100, 0)]
)
def test_slippage_is_how_much_worse_than_the_quote_at_arrival_a_fill_is(
    recorded: Recorded, side: Side, price: int, worse: int
) -> None:
    order = an_order(side=side, arrival=100)
    fill = an_execution(order, price=price)

    record([Filled(order, fill)])

    assert slippage_bps(Decimal(100), fill) == worse
    assert recorded(order_slippage_bps, SideLabels(side=side)) == int(worse >= 0)
    assert recorded(order_price_improvement_bps, SideLabels(side=side)) == int(worse < 0)


def test_a_fill_of_an_order_without_a_quote_at_arrival_has_no_slippage(recorded: Recorded) -> None:
    order = an_order().model_copy(update={"arrival_price": None})

    record([Filled(order, an_execution(order))])

    assert recorded(order_fills_total, AAPL) == 1
    assert recorded(order_slippage_bps, SideLabels(side=Side.BUY)) == 0


def test_a_fill_whose_time_is_before_its_order_by_another_clock_took_no_time(recorded: Recorded) -> None:
    order = an_order()

    record([Filled(order, an_execution(order, at=order.created_at - dt.timedelta(seconds=1)))])

    assert recorded(order_fill_duration_seconds, SideLabels(side=Side.BUY)) == 1


def test_a_cancellation_is_counted_by_its_reason(recorded: Recorded) -> None:
    record([Cancelled(an_order(), Cancellation.LATE)])

    assert recorded(order_cancellations_total, CancellationLabels(**AAPL, reason=Cancellation.LATE)) == 1


def test_trips_and_resets_are_counted_and_said(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    record([Tripped(TripReason.DAILY_LOSS, "lost 6 %"), Reset(), Tripped(TripReason.MANUAL, "by a person")])

    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.DAILY_LOSS)) == 1
    assert recorded(circuit_breaker_trips_total, TripLabels(reason=TripReason.MANUAL)) == 1
    assert recorded(circuit_breaker_resets_total) == 1
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 3
    assert "TRIPPED: lost 6 %" in caplog.text


def test_an_execution_that_is_set_aside_or_added_risk_during_a_halt_is_an_error_in_the_log(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    fill = an_execution(an_order(), seq=7)

    record([SetAside(fill, "there is no open order with its id"), RiskAdded(fill)])

    assert recorded(risk_added_while_tripped_total) == 1
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", "execution 7 added risk although the venue had confirmed its halt"),
        ("ERROR", "execution 7 could not be booked and is set aside: there is no open order with its id"),
    ]


def test_of_thousands_of_executions_that_are_set_aside_a_few_are_logged_and_the_others_are_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    record([SetAside(an_execution(an_order(), seq=seq), "there is no such order") for seq in range(1, 2001)])

    assert [r.getMessage() for r in caplog.records] == [
        *(f"execution {seq} could not be booked and is set aside: there is no such order" for seq in range(1, 6)),
        "1995 more executions could not be booked and are set aside",
    ]


def test_the_beginning_of_a_day_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    record([DayStarted("trading date 2020-03-09 starts with an equity of 7.00")])

    assert [r.getMessage() for r in caplog.records] == ["trading date 2020-03-09 starts with an equity of 7.00"]
