"""Reads a CSV file of daily closes: a header with the symbols, then one row per trading date."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from apps.inputs import MOST_SYMBOLS, Price, Symbol, Text, TradingDate

MOST_BYTES = 20_000_000
MOST_LINES = 5_000
"""The most lines of a file, also blank ones: almost twenty years. With 150 symbols they are read in 3 s."""

_NAME = TypeAdapter[str](Text)
_SYMBOL = TypeAdapter[str](Symbol)
_DATE = TypeAdapter[dt.date](TradingDate)
_PRICE = TypeAdapter[Decimal](Price)
_SHOWN_CHARACTERS = 40

Value = TypeVar("Value")


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
    """Reads the file: CSV in UTF-8, also with a byte order mark, with any line ends, and with blank lines at the end.

    Raises `BadCloses` unless the dates rise and every row has a price for each symbol. And it must be a regular file of
    at most `MOST_BYTES` and `MOST_LINES`: a device never ends, and a pipe may never begin.
    """
    _check_file(path)
    lines = _lines(path)
    header = lines[0] if lines else []
    if header[:1] != ["date"] or len(header) < 2:
        raise BadCloses(f"{path}:1: the header must be date and then the symbols, separated by commas")
    if len(header) - 1 > MOST_SYMBOLS:
        raise BadCloses(f"{path}:1: there are {len(header) - 1} symbols, and {MOST_SYMBOLS} is the most")
    symbols = tuple(_cell(_SYMBOL, f"{path}:1: column {n}", text) for n, text in enumerate(header[1:], start=2))
    for number, symbol in enumerate(symbols):
        if symbol in symbols[:number]:
            raise BadCloses(f"{path}:1: column {number + 2}: {symbol} stands twice")
    dates: list[dt.date] = []
    rows: list[tuple[Decimal, ...]] = []
    for number, line in enumerate(lines[1:], start=2):
        date, row = _row(f"{path}:{number}", line, symbols)
        if dates and date <= dates[-1]:
            raise BadCloses(f"{path}:{number}: column 1: {date} does not come after {dates[-1]}")
        dates.append(date)
        rows.append(row)
    if len(rows) < 2:
        raise BadCloses(f"{path}: a replay needs two rows, the first is only the previous close")
    return Closes(symbols, tuple(dates), tuple(rows))


def _check_file(path: Path) -> None:
    try:
        _NAME.validate_python(path.name)  # it is stored, and logged
    except ValidationError as wrong:
        raise BadCloses(f"{str(path)!r}: the name of the file {wrong.errors()[0]['msg']}") from None
    try:
        if path.exists() and not path.is_file():
            raise BadCloses(f"{path}: is not a regular file")
    except OSError as error:
        raise BadCloses(f"{path}: cannot be read: {error}") from error


def _lines(path: Path) -> list[list[str]]:
    """The columns of each line, without blank lines at the end. No column that is used may have a line end in it."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise BadCloses(f"{path}: has more than {MOST_BYTES} bytes")
        lines = list(islice(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")), MOST_LINES + 1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadCloses(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if len(lines) > MOST_LINES:
        raise BadCloses(f"{path}: has more than {MOST_LINES} lines")
    while lines and _is_blank(lines[-1]):
        lines.pop()
    return lines


def _is_blank(line: list[str]) -> bool:
    return not any(text.strip() for text in line)


def _row(where: str, line: list[str], symbols: tuple[str, ...]) -> tuple[dt.date, tuple[Decimal, ...]]:
    if _is_blank(line):
        raise BadCloses(f"{where}: the line is blank, and others follow it")
    if len(line) != len(symbols) + 1:
        raise BadCloses(f"{where}: it has {len(line)} columns, the header has {len(symbols) + 1}")
    date = _cell(_DATE, f"{where}: column 1", line[0])
    prices = (
        _cell(_PRICE, f"{where}: column {number} ({symbol})", text)
        for number, (symbol, text) in enumerate(zip(symbols, line[1:], strict=True), start=2)
    )
    return date, tuple(prices)


def _cell(kind: TypeAdapter[Value], where: str, text: str) -> Value:
    try:
        return kind.validate_python(text)
    except ValidationError as wrong:
        raise BadCloses(f"{where}: {text[:_SHOWN_CHARACTERS]!r} {wrong.errors()[0]['msg']}") from None
