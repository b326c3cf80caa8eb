"""March 2020 in the real stack: the loss pages arrive on the days they must."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.drills.figures import Report, Row
from tests.drills.recomputation import Fill, losses, pnl, worst_drawdown
from tests.drills.replay import DRAWDOWN_LIMIT, replay

PAGE_SECONDS = 10


@pytest.mark.integration
@pytest.mark.timeout(420)
@pytest.mark.fires("DailyLossExceeded", "CircuitBreakerTripped", "DrawdownExceeded", "DailyLossWarning")
def test_from_6_to_13_march_2020_the_daily_loss_pages_on_the_9th_and_the_12th_only_and_the_drawdown_pages(
    report: Report,
) -> None:
    verdict = replay("crash-2020.csv", "2020-03-06", "2020-03-13", 20, print)
    others = [name for name in verdict.told if name != "DailyLossExceeded"]
    report.add(Row(report.drill, "DailyLossExceeded", "pagerduty", verdict.seconds_to_page, [], others, verdict.warned))

    assert verdict.expected == ["2020-03-09", "2020-03-12"]
    assert verdict.paged == verdict.expected
    assert len(verdict.seconds_to_page) == 2
    assert max(verdict.seconds_to_page) <= PAGE_SECONDS
    assert verdict.pnl == verdict.recomputed
    assert verdict.drawdown > DRAWDOWN_LIMIT
    assert verdict.drawdown_paged
    assert verdict.other_pages == []
    assert verdict.traded_dates == 6


def test_the_recomputation_finds_the_loss_of_a_day_over_the_equity_at_the_previous_closes() -> None:
    closes = {
        "2020-01-02": {"A": Fraction(10)},
        "2020-01-03": {"A": Fraction(10)},
        "2020-01-06": {"A": Fraction(9)},
    }
    fills = [Fill("2020-01-03", "A", 50, Fraction(10), Fraction(0))]

    assert losses(closes, fills, Fraction(1000), "2020-01-03", "2020-01-06") == {
        "2020-01-03": 0,
        "2020-01-06": Fraction(50, 1000),
    }


def test_a_drawdown_is_measured_from_the_highest_equity_so_far() -> None:
    tenth, half = Fraction(1, 10), Fraction(1, 2)

    assert worst_drawdown({"2020-01-03": -tenth, "2020-01-06": tenth, "2020-01-07": half, "2020-01-08": -half}) == (
        1 - Fraction(9, 10) * half
    )
    assert worst_drawdown({"2020-01-03": -tenth, "2020-01-06": Fraction(0)}) == 0


def test_the_recomputation_closes_at_average_cost_and_opens_at_its_own_price() -> None:
    fills = [
        Fill("2020-01-03", "A", 10, Fraction(10), Fraction(1)),
        Fill("2020-01-03", "A", 10, Fraction(20), Fraction(1)),
        Fill("2020-01-03", "A", -30, Fraction(30), Fraction(1)),
    ]

    found = pnl(fills, {"A": Fraction(40)})

    assert found.realized == 20 * (30 - 15) - 3
    assert found.unrealized == -10 * (40 - 30)
    assert found.total == found.realized + found.unrealized
