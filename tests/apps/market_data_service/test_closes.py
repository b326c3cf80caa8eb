"""Reading closes. Every error names the file, the line and what is wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution_gateway.models import OrderRequest
from apps.inputs import HIGHEST_PRICE, TICK
from apps.market import MarketState, Quote
from apps.market_data_service.closes import MOST_BYTES, MOST_LINES, BadCloses, read_closes
from apps.market_data_service.replay import Replay, ReplayPoint
from apps.market_data_service.settings import DATA, Settings


def written(path: Path, text: str | bytes) -> Path:
    file = path / "closes.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


LINES = "date,AAPL,BRK.B,BRK-B\n2020-01-02,73.348,1,0.0001\n2020-01-03,72.635,2.5,999999999.9999\n"


@pytest.mark.parametrize(
    "text",
    [
        LINES, LINES.rstrip(), LINES.replace("\n", "\r\n"), LINES.replace("\n", "\r"), "\ufeff" + LINES,
        "\ufeff" + LINES.replace("\n", "\r\n"), LINES + "\n", LINES + "\r\n\r\n", LINES + "   \n\n", LINES + ",,,\n",
        LINES.replace("73.348", '"73.348"'), LINES.replace("2.5", "2.50000000"),
    ],
    ids=[
        "as is", "no line end", "CRLF", "CR", "byte order mark", "byte order mark and CRLF", "blank last line",
        "blank last lines with CRLF", "spaces", "commas", "quoted", "zeros at the end",
    ],
)  # fmt: skip
def test_closes_are_read_exactly_however_a_program_writes_lines(tmp_path: Path, text: str) -> None:
    closes = read_closes(written(tmp_path, text))

    assert closes.symbols == ("AAPL", "BRK.B", "BRK-B")
    assert closes.dates == (dt.date(2020, 1, 2), dt.date(2020, 1, 3))
    assert closes.of(1) == {"AAPL": Decimal("72.635"), "BRK.B": Decimal("2.5"), "BRK-B": Decimal("999999999.9999")}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", ":1:", "the header must be date and then the symbols"),
        ("AAPL\n", ":1:", "the header must be date"),
        ("date\n", ":1:", "the header must be date"),
        ("date;A\n2020-01-02;1\n2020-01-03;1\n", ":1:", "separated by commas"),
        ("date,A,A\n2020-01-02,1,2\n2020-01-03,1,2\n", ":1: column 3:", "A stands twice"),
        ("date," + ",".join(f"S{n}" for n in range(151)) + "\n", ":1:", "there are 151 symbols, and 150 is the most"),
        ("date,A,\n2020-01-02,1,2\n2020-01-03,1,2\n", ":1: column 3:", "'' is not a symbol like AAPL, BRK-B or BRK.B"),
        ("date,A,b\n2020-01-02,1,2\n2020-01-03,1,2\n", ":1: column 3:", "'b' is not a symbol like AAPL"),
        ("date,A, B\n2020-01-02,1,2\n2020-01-03,1,2\n", ":1: column 3:", "' B' is not a symbol like AAPL"),
        ("date,A\u200b\n2020-01-02,1\n2020-01-03,1\n", ":1: column 2:", r"'A\u200b' is not a symbol like AAPL"),
        ("date,A\n2020-01-02,1\n2020-01-03\n", ":3:", "it has 1 columns, the header has 2"),
        ("date,A\n2020-01-02,1\n\n2020-01-03,1\n", ":3:", "the line is blank, and others follow it"),
        ("date,A\n2020-01-02,1\n , \n2020-01-03,1\n", ":3:", "the line is blank, and others follow it"),
        ("date,A\n2020-01-02,1\n2020-01-03,1,2\n", ":3:", "it has 3 columns, the header has 2"),
        ("date,A\n2.1.2020,1\n2020-01-03,1\n", ":2: column 1:", "'2.1.2020' is not a date like 2020-03-09"),
        ("date,A\n20200102,1\n2020-01-03,1\n", ":2: column 1:", "'20200102' is not a date like 2020-03-09"),
        ("date,A\n2020-01-02,1\n2020-01-02,1\n", ":3: column 1:", "2020-01-02 does not come after 2020-01-02"),
        ("date,A\n2020-01-03,1\n2020-01-02,1\n", ":3: column 1:", "2020-01-02 does not come after 2020-01-03"),
        ("date,A,B\n2020-01-02,1,x\n2020-01-03,1,2\n", ":2: column 3 (B):", "'x' is not a price: write 0.0001 to"),
        ("date,A,B\n2020-01-02,1,2\n2020-01-03,1,\n", ":3: column 3 (B):", "'' is not a price"),
        ("date,A\n2020-01-02,0\n2020-01-03,1\n", ":2: column 2 (A):", "'0' is not a price"),
        ("date,A\n2020-01-02,0.00004\n2020-01-03,1\n", ":2: column 2 (A):", "'0.00004' is not a price"),
        ("date,A\n2020-01-02,1.23456\n2020-01-03,1\n", ":2: column 2 (A):", "with at most 4 after the point"),
        ("date,A\n2020-01-02,1000000000\n2020-01-03,1\n", ":2: column 2 (A):", "'1000000000' is not a price"),
        ("date,A\n2020-01-02,7_3\n2020-01-03,1\n", ":2: column 2 (A):", "'7_3' is not a price"),
        ("date,A\n2020-01-02,\uff17\n2020-01-03,1\n", ":2: column 2 (A):", "is not a price"),
        ("date,A\n2020-01-02,1e2\n2020-01-03,1\n", ":2: column 2 (A):", "'1e2' is not a price"),
        ("date,A\n2020-01-02,1\n2020-01-03,-1\n", ":3: column 2 (A):", "'-1' is not a price"),
        ("date,A\n2020-01-02,1\n2020-01-03,NaN\n", ":3: column 2 (A):", "'NaN' is not a price"),
        ("date,A\n2020-01-02,1\n2020-01-03,inf\n", ":3: column 2 (A):", "'inf' is not a price"),
        ('date,"A"\n2020-01-02,1\n2020-01-03,"1\n"\n', ":3: column 2 (A):", r"'1\n' is not a price"),
        ("date,A\n2020-01-02," + "9" * 1000 + "\n2020-01-03,1\n", ":2: column 2 (A):", "'" + "9" * 40 + "' is not"),
        ("date,A\n2020-01-02,1\n\n", ":", "a replay needs two rows, the first is only the previous close"),
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


def test_what_is_not_a_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")

    for path in (tmp_path / "pipe.csv", tmp_path, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(BadCloses) as error:
            read_closes(path)
        assert str(error.value) == f"{path}: is not a regular file"


def test_a_file_has_a_bounded_number_of_bytes(tmp_path: Path) -> None:
    file = written(tmp_path, LINES + "\n")
    os.truncate(file, MOST_BYTES + 1)

    with pytest.raises(BadCloses) as error:
        read_closes(file)
    assert str(error.value) == f"{file}: has more than 20000000 bytes"


def test_a_file_has_a_bounded_number_of_lines_also_of_blank_ones(tmp_path: Path) -> None:
    days = [dt.date(2000, 1, 1) + dt.timedelta(days=day) for day in range(MOST_LINES)]
    rows = "".join(f"{day},1\n" for day in days[: MOST_LINES - 1])
    assert len(read_closes(written(tmp_path, "date,A\n" + rows)).rows) == MOST_LINES - 1

    for more in (f"{days[-1]},1\n", "\n"):
        file = written(tmp_path, "date,A\n" + rows + more)
        with pytest.raises(BadCloses) as error:
            read_closes(file)
        assert str(error.value) == f"{file}: has more than 5000 lines"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (b"\xff.csv", r"\udcff.csv': the name of the file has a character that cannot be seen"),
        (b"a\nb.csv", r"a\nb.csv': the name of the file has a character that cannot be seen"),
        (b"x" * 205, "xxx': the name of the file is not a text of 1 to 200 characters"),
        (b"x" * 300, "xxx': the name of the file is not a text of 1 to 200 characters"),
    ],
)
def test_the_name_of_a_file_is_a_text(tmp_path: Path, name: bytes, what: str) -> None:
    for replay_file in (f"{tmp_path}/{os.fsdecode(name)}", os.fsdecode(name)):
        with pytest.raises(BadCloses) as error:
            read_closes(Settings(replay_file=replay_file).replay_path)
        assert what in str(error.value)


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


PRICES = st.decimals(TICK, HIGHEST_PRICE, places=4)
SYMBOLS = st.from_regex(r"[A-Z0-9]{1,4}([.-][A-Z0-9]{1,3}){0,2}", fullmatch=True)


@given(data=st.data())
def test_what_a_file_may_hold_is_quoted_at_every_moment_and_passes_through_redis_and_can_be_ordered(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    symbols = data.draw(st.lists(SYMBOLS, min_size=1, max_size=3, unique=True))
    rows = [[data.draw(PRICES) for _ in symbols] for _ in range(3)]
    lines = [f"2020-01-0{day},{','.join(map(str, row))}" for day, row in enumerate(rows, start=1)]
    text = "\n".join([",".join(["date", *symbols]), *lines])
    closes = read_closes(written(tmp_path_factory.mktemp("closes"), text))
    assert closes.rows == tuple(map(tuple, rows))

    replay = Replay(closes, None, None, 30)
    date = data.draw(st.sampled_from(closes.dates[1:]))
    point = ReplayPoint(date, data.draw(st.floats(0, 30)), 1.5)
    state = MarketState(
        at=2.5,
        trading_date=date,
        open=replay.is_open(point),
        finished=replay.is_finished(point),
        previous_closes=replay.previous_closes(point),
        quotes={symbol: Quote(price, point.last_tick) for symbol, price in replay.prices(point).items()},
    )
    assert MarketState.from_json(state.to_json()) == state
    for symbol, quote in state.quotes.items():
        for price in (str(quote.price), f"{quote.price:f}"):
            order = OrderRequest.model_validate_json(
                json.dumps({"symbol": symbol, "side": "buy", "qty": 1, "order_type": "limit", "limit_price": price})
            )
            assert (order.symbol, order.limit_price) == (symbol, quote.price)


@given(text=st.text(alphabet='date,AB.-\n\r"0123456789 \ufeff\x00', max_size=60) | st.binary(max_size=60))
def test_any_file_is_read_or_refused_in_a_sentence(text: str | bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = written(tmp_path_factory.mktemp("closes"), text)
    said = f"{file}:"
    try:
        read_closes(file)
    except BadCloses as refusal:
        said = str(refusal)

    assert said.startswith(f"{file}:")
