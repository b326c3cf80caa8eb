"""Reads a CSV file of daily closes: a header with the symbols, then one row per trading date."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path


class BadCloses(Exception):
    """The closes cannot be replayed. The message says what is wrong, and names the file and line or the setting."""


@dataclass(frozen=True, slots=True)
class Closes:
    """Daily closes in dollars: one row per date, with the symbols in the order of the header."""

    symbols: tuple[str, ...]
    dates: tuple[dt.date, ...]
    rows: tuple[tuple[Decimal, ...], ...]

    @property
    def digest(self) -> str:
        """A hash of the closes, whatever form the file has. Files with the same digest give the same replay."""
        lines = [",".join(["date", *self.symbols])]
        for date, row in zip(self.dates, self.rows, strict=True):
            lines.append(",".join([date.isoformat(), *(str(price.normalize()) for price in row)]))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def of(self, index: int) -> dict[str, Decimal]:
        """The closes of the date with this index in `dates`."""
        return dict(zip(self.symbols, self.rows[index], strict=True))


def read_closes(path: Path) -> Closes:
    """Reads the file. Raises `BadCloses` unless the dates rise and every row has a positive price for each symbol."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadCloses(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if not lines or lines[0][:1] != ["date"] or len(lines[0]) < 2:
        raise BadCloses(f"{path}:1: the header must be date and then the symbols")
    symbols = tuple(lines[0][1:])
    if len(set(symbols)) < len(symbols) or not all(symbols):
        raise BadCloses(f"{path}:1: a symbol is empty or stands twice")
    dates: list[dt.date] = []
    rows: list[tuple[Decimal, ...]] = []
    for number, line in enumerate(lines[1:], start=2):
        date, row = _read_line(f"{path}:{number}", line, symbols)
        if dates and date <= dates[-1]:
            raise BadCloses(f"{path}:{number}: {date} does not come after {dates[-1]}")
        dates.append(date)
        rows.append(row)
    if len(rows) < 2:
        raise BadCloses(f"{path}: a replay needs two rows, the first is only the previous close")
    return Closes(symbols, tuple(dates), tuple(rows))


def _read_line(where: str, line: list[str], symbols: tuple[str, ...]) -> tuple[dt.date, tuple[Decimal, ...]]:
    if len(line) != len(symbols) + 1:
        raise BadCloses(f"{where}: {len(line)} columns, the header has {len(symbols) + 1}")
    try:
        date = dt.date.fromisoformat(line[0])
    except ValueError:
        raise BadCloses(f"{where}: {line[0]!r} is not a date like 2020-03-09") from None
    prices = []
    for symbol, text in zip(symbols, line[1:], strict=True):
        try:
            price = Decimal(text)
        except InvalidOperation:
            price = Decimal(0)
        if not price.is_finite() or price <= 0:
            raise BadCloses(f"{where}: {symbol} has {text!r}, not a positive price")
        prices.append(price)
    return date, tuple(prices)
