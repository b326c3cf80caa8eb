"""Recomputes losses and P&L from the file of closes and the fills in PostgreSQL, without code of the platform."""

from __future__ import annotations

import asyncio
import csv
import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import asyncpg


@dataclass(frozen=True)
class Fill:
    """A fill as it is stored; money as exact fractions."""

    trading_date: str
    symbol: str
    shares: int
    price: Fraction
    fee: Fraction


@dataclass(frozen=True)
class Pnl:
    """In dollars."""

    realized: Fraction
    unrealized: Fraction
    total: Fraction


def read_closes(path: Path) -> dict[str, dict[str, Fraction]]:
    """Closes by date and symbol."""
    with path.open(newline="") as file:
        return {row.pop("date"): {s: Fraction(p) for s, p in row.items()} for row in csv.DictReader(file)}


def read_fills(database_url: str) -> list[Fill]:
    """Every fill in the order in which the venue made it."""

    async def read() -> list[Fill]:
        connection = await asyncpg.connect(database_url)
        try:
            rows = await connection.fetch("SELECT * FROM gateway.fills ORDER BY venue_seq")
        finally:
            await connection.close()
        return [
            Fill(
                row["trading_date"].isoformat(),
                row["symbol"],
                row["qty"] if row["side"] == "buy" else -row["qty"],
                Fraction(row["price"]),
                Fraction(row["fee"]),
            )
            for row in rows
        ]

    return asyncio.run(read())


def losses(
    closes: dict[str, dict[str, Fraction]], fills: list[Fill], cash: Fraction, start: str, end: str
) -> dict[str, Fraction]:
    """Each trading date's loss at the close over its start-of-day equity; a gain is negative.

    Prices go on straight lines and orders are placed at the open, so that the close is the worst moment of a day that
    loses: what the fills themselves cost is a hundredth of a percent.
    """
    shares: dict[str, int] = defaultdict(int)
    dates = sorted(closes)
    found = {}
    for before, date in itertools.pairwise(dates):
        at_open = cash + sum(count * closes[before][symbol] for symbol, count in shares.items())
        for fill in fills:
            if fill.trading_date == date:
                shares[fill.symbol] += fill.shares
                cash -= fill.shares * fill.price + fill.fee
        at_close = cash + sum(count * closes[date][symbol] for symbol, count in shares.items())
        if start <= date <= end:
            found[date] = (at_open - at_close) / at_open
    return found


def worst_drawdown(losses: Mapping[str, Fraction]) -> Fraction:
    """The largest fall of equity below its highest so far, at the closes. Each date opens where the last one closed."""
    equity = highest = Fraction(1)
    worst = Fraction(0)
    for _, loss in sorted(losses.items()):
        equity *= 1 - loss
        highest = max(highest, equity)
        worst = max(worst, 1 - equity / highest)
    return worst


def pnl(fills: list[Fill], prices: dict[str, Fraction]) -> Pnl:
    """Realized by walking through the fills at average cost, unrealized from what is left, total from cash alone."""
    held: dict[str, tuple[int, Fraction]] = defaultdict(lambda: (0, Fraction(0)))  # shares, what they cost
    realized = Fraction(0)
    cash = Fraction(0)
    for fill in fills:
        cash -= fill.shares * fill.price + fill.fee
        realized -= fill.fee
        shares, cost = held[fill.symbol]
        if shares * fill.shares < 0:
            closed = min(abs(shares), abs(fill.shares)) * (1 if fill.shares > 0 else -1)
            average = cost / shares
            realized -= closed * (fill.price - average)
            opened = fill.shares - closed
            held[fill.symbol] = (shares + fill.shares, cost + closed * average + opened * fill.price)
        else:
            held[fill.symbol] = (shares + fill.shares, cost + fill.shares * fill.price)
    value = sum((shares * prices[symbol] for symbol, (shares, _) in held.items()), Fraction(0))
    unrealized = value - sum((cost for _, cost in held.values()), Fraction(0))
    return Pnl(realized, unrealized, cash + value)
