"""Reading closes. Every error names the file, the line and what is wrong."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from apps.market_data_service.closes import BadCloses, read_closes
from apps.market_data_service.settings import DATA


def written(path: Path, text: str | bytes) -> Path:
    file = path / "closes.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_closes_are_read_exactly(tmp_path: Path) -> None:
    closes = read_closes(written(tmp_path, "date,AAPL,BRK.B\n2020-01-02,73.348,1\n2020-01-03,72.635,2.5\n"))

    assert closes.symbols == ("AAPL", "BRK.B")
    assert closes.dates == (dt.date(2020, 1, 2), dt.date(2020, 1, 3))
    assert closes.of(1) == {"AAPL": Decimal("72.635"), "BRK.B": Decimal("2.5")}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", ":1:", "the header must be date and then the symbols"),
        ("AAPL\n", ":1:", "the header must be date"),
        ("date\n", ":1:", "the header must be date"),
        ("date,A,A\n2020-01-02,1,2\n2020-01-03,1,2\n", ":1:", "a symbol is empty or stands twice"),
        ("date,A,\n2020-01-02,1,2\n2020-01-03,1,2\n", ":1:", "a symbol is empty or stands twice"),
        ("date,A\n2020-01-02,1\n2020-01-03\n", ":3:", "1 columns, the header has 2"),
        ("date,A\n2020-01-02,1\n\n2020-01-03,1\n", ":3:", "0 columns"),
        ("date,A\n2020-01-02,1\n2020-01-03,1,2\n", ":3:", "3 columns, the header has 2"),
        ("date,A\n2.1.2020,1\n2020-01-03,1\n", ":2:", "'2.1.2020' is not a date like 2020-03-09"),
        ("date,A\n2020-01-02,1\n2020-01-02,1\n", ":3:", "2020-01-02 does not come after 2020-01-02"),
        ("date,A\n2020-01-03,1\n2020-01-02,1\n", ":3:", "2020-01-02 does not come after 2020-01-03"),
        ("date,A,B\n2020-01-02,1,x\n2020-01-03,1,2\n", ":2:", "B has 'x', not a positive price"),
        ("date,A,B\n2020-01-02,1,2\n2020-01-03,1,\n", ":3:", "B has '', not a positive price"),
        ("date,A\n2020-01-02,0\n2020-01-03,1\n", ":2:", "A has '0', not a positive price"),
        ("date,A\n2020-01-02,1\n2020-01-03,-1\n", ":3:", "A has '-1', not a positive price"),
        ("date,A\n2020-01-02,1\n2020-01-03,NaN\n", ":3:", "A has 'NaN', not a positive price"),
        ("date,A\n2020-01-02,1\n2020-01-03,inf\n", ":3:", "A has 'inf', not a positive price"),
        ("date,A\n2020-01-02,1\n", ":", "a replay needs two rows, the first is only the previous close"),
        (b"date,A\n2020-01-02,\xff\n", ":", "cannot be read as CSV in UTF-8"),
        ('date,A\n2020-01-02,"1\n' + "x" * 200_000, ":", "cannot be read as CSV in UTF-8"),
    ],
)
def test_an_error_says_where_and_what(tmp_path: Path, text: str | bytes, where: str, what: str) -> None:
    file = written(tmp_path, text)

    with pytest.raises(BadCloses) as error:
        read_closes(file)

    assert str(error.value).startswith(f"{file}{where}")
    assert what in str(error.value)


def test_the_error_for_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(BadCloses, match=r"nowhere\.csv: cannot be read"):
        read_closes(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("crash-2020.csv", (2020, 1), (2020, 6)), ("calm-2017.csv", (2017, 1), (2017, 6))],
)
def test_the_files_in_the_data_folder_can_be_replayed(name: str, first: tuple[int, int], last: tuple[int, int]) -> None:
    closes = read_closes(DATA / name)

    assert len(closes.symbols) == 20
    assert (closes.dates[0].year, closes.dates[0].month) == first
    assert (closes.dates[-1].year, closes.dates[-1].month) == last
    assert len(closes.rows) == len(closes.dates) > 120
