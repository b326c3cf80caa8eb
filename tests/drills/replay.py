"""Replays trading dates in a stack of its own, and compares pages and P&L with the independent recomputation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.drills import recomputation
from tests.drills.platform import Page, Platform
from tests.stack import Stack
from tests.waiting import wait_until

DATA = Path("apps/market_data_service/data")
LIMIT = Fraction(5, 100)
DRAWDOWN_LIMIT = Fraction(10, 100)
CASH = Fraction(1_000_000)
EXPECTED = ("DailyLossExceeded", "CircuitBreakerTripped", "DrawdownExceeded")


@dataclass(frozen=True)
class Verdict:
    """The dates that paged, the dates that should have paged, and the P&L of both sides in cents."""

    paged: list[str]
    expected: list[str]
    losses: dict[str, Fraction]
    drawdown: Fraction
    drawdown_paged: bool
    other_pages: list[tuple[str, str]]
    seconds_to_page: list[float]
    """From the moment at which the gateway knows a loss over the limit, give or take half a second, to its page."""
    told: list[str]
    """The alerts of all pages."""
    warned: list[str]
    """The alerts of which Slack alone was told."""
    pnl: dict[str, str]
    recomputed: dict[str, str]
    traded_dates: int

    @property
    def good(self) -> bool:
        traded = 2 * self.traded_dates >= len(self.losses)
        paged = self.paged == self.expected and self.drawdown_paged == (self.drawdown > DRAWDOWN_LIMIT)
        return traded and paged and self.pnl == self.recomputed and not self.other_pages


def replay(file: str, start: str, end: str, day_seconds: int, say: Callable[[str], None]) -> Verdict:
    """Runs from the open of `start` to the close of `end`. Resets the breaker after its page, as a person would."""
    closes = recomputation.read_closes(DATA / file)
    dates = [date for date in sorted(closes) if start <= date <= end]
    settings = {
        "REPLAY_FILE": file,
        "REPLAY_START": start,
        "REPLAY_END": end,
        "REPLAY_DAY_SECONDS": str(day_seconds),
        "STRATEGY": "equal_weight",
    }
    began = time.time()
    with Stack(settings) as stack, Platform(stack) as platform:
        last_date = ""
        known: dict[str, float] = {}
        deadline = time.monotonic() + day_seconds * len(dates) + 120
        while not (session := platform.session())["finished"]:
            assert time.monotonic() < deadline, f"the replay hangs at {session}"
            if session["trading_date"] != last_date:
                last_date = session["trading_date"]
                say(f"{last_date}  pages so far: {', '.join(_paged(platform, began)) or 'none'}")
            _note_loss(platform, known)
            _reset_when_paged(platform, began)
            time.sleep(0.5)
        _wait_for_last_loss(platform, began)
        fills = recomputation.read_fills(str(stack.addresses["database_url"]))
        answer = platform.get("execution_gateway", "/api/v1/pnl")
        losses = recomputation.losses(closes, fills, CASH, start, end)
        recomputed = recomputation.pnl(fills, closes[dates[-1]])
        return Verdict(
            paged=_paged(platform, began),
            expected=[date for date, loss in losses.items() if loss > LIMIT],
            losses=losses,
            drawdown=recomputation.worst_drawdown(losses),
            drawdown_paged=("DrawdownExceeded", "firing") in platform.said(began),
            other_pages=[page for page in platform.said(began) if page[0] not in EXPECTED],
            seconds_to_page=[
                page.received_at - known[page.annotations["trading_date"]]
                for page in _loss_pages(platform, began)
                if page.annotations["trading_date"] in known
            ],
            told=sorted(platform.names(began)),
            warned=sorted(platform.names(began, "slack") - platform.names(began)),
            pnl={kind: answer[kind] for kind in ("realized", "unrealized", "total")},
            recomputed={kind: f"{float(round(getattr(recomputed, kind), 2)):.2f}" for kind in
                        ("realized", "unrealized", "total")},
            traded_dates=len({fill.trading_date for fill in fills}),
        )  # fmt: skip


def _paged(platform: Platform, since: float) -> list[str]:
    """The trading dates that the loss pages name, in order."""
    return [page.annotations["trading_date"] for page in _loss_pages(platform, since)]


def _loss_pages(platform: Platform, since: float) -> list[Page]:
    return [page for page in platform.pages(since) if (page.name, page.status) == ("DailyLossExceeded", "firing")]


def _note_loss(platform: Platform, known: dict[str, float]) -> None:
    """Notes when the gateway first says a loss over the limit, for each trading date."""
    answer = platform.http.get(f"{platform.url('execution_gateway')}/api/v1/pnl")
    if answer.status_code == 200 and Fraction(answer.json()["daily_loss_ratio"]) > LIMIT:
        known.setdefault(answer.json()["trading_date"], time.time())


def _reset_when_paged(platform: Platform, since: float) -> None:
    breaker = [page.status for page in platform.pages(since) if page.name == "CircuitBreakerTripped"]
    if breaker and breaker[-1] == "firing":
        platform.reset()


def _wait_for_last_loss(platform: Platform, since: float) -> None:
    """Waits until Prometheus has the last daily loss and, if it is over the limit, the pager has its page."""

    def told() -> bool:
        ratio = platform.query("max(daily_loss_ratio)")[0][1]
        stored = float(platform.get("execution_gateway", "/api/v1/pnl")["daily_loss_ratio"])
        if abs(ratio - stored) > 1e-9:
            return False
        trading_date = platform.session()["trading_date"]
        return ratio <= float(LIMIT) or trading_date in _paged(platform, since)

    wait_until(told, 30, "Prometheus has the last daily loss, and the pager its page", every=0.2)
