"""The types of what comes in: what each accepts and refuses, and that its JSON schema says the same."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from apps.inputs import (
    FIRST_DATE,
    HIGHEST_PRICE,
    LARGEST_AMOUNT,
    LAST_DATE,
    MOST_ITEMS,
    MOST_SHARES,
    NUMBER_CHARACTERS,
    TICK,
    Amount,
    Limit,
    Price,
    Shares,
    Symbol,
    Text,
    TradingDate,
    UnixTime,
    Weight,
    in_sight,
)

SYMBOL: TypeAdapter[str] = TypeAdapter(Symbol)
PRICE: TypeAdapter[Decimal] = TypeAdapter(Price)
SHARES: TypeAdapter[int] = TypeAdapter(Shares)
LIMIT: TypeAdapter[int] = TypeAdapter(Limit)
DATE: TypeAdapter[dt.date] = TypeAdapter(TradingDate)
TIME: TypeAdapter[float] = TypeAdapter(UnixTime)
AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)
WEIGHT: TypeAdapter[Decimal] = TypeAdapter(Weight)
TEXT: TypeAdapter[str] = TypeAdapter(Text)


def accepts(kind: TypeAdapter[Any], value: object) -> bool:
    try:
        kind.validate_python(value)
    except ValueError:
        return False
    return True


def accepts_json(kind: TypeAdapter[Any], text: str) -> bool:
    try:
        kind.validate_json(text)
    except ValueError:
        return False
    return True


def pattern(kind: TypeAdapter[Any]) -> re.Pattern[str]:
    """The pattern of the JSON schema. `$` would match before a line end at the end, which is so in Python only."""
    schema = kind.json_schema()
    return re.compile(schema.get("anyOf", [schema])[0]["pattern"].removesuffix("$") + r"\Z")


@pytest.mark.parametrize("symbol", ["A", "AAPL", "BRK-B", "BRK.B", "0700.HK", "EMBRAC-B.ST", "ABCDEFGHIJKL"])
def test_a_symbol_is_taken_as_exchanges_write_it(symbol: str) -> None:
    assert SYMBOL.validate_python(symbol) == symbol


@pytest.mark.parametrize(
    "symbol",
    ["", "aapl", " AAPL", "AAPL ", "AAPL\n", "AA PL", "A..B", "-A",
     "A-", "A_B", "BRK/B", "ÄB", "AA\u200bPL", "\uff17", "ABCDEFGHIJKLM", 5, None],
)  # fmt: skip
def test_another_text_is_not_a_symbol(symbol: object) -> None:
    with pytest.raises(ValueError, match=r"is not a symbol like AAPL, BRK-B or BRK\.B: capital letters and digits"):
        SYMBOL.validate_python(symbol)


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("73.348", "73.348"), ("0.0001", "0.0001"), ("999999999.9999", "999999999.9999"), ("73", "73"),
        ("007.5", "7.5"),
        ("1.50000000", "1.5"), ("100.0000" + "0" * 60_000, "100"), (73, "73"), (73.5, "73.5"), (0.0001, "0.0001"),
        (500000000, "500000000"), (Decimal("1E+2"), "100"), (Decimal("0.0001"), "0.0001"),
    ],
)  # fmt: skip
def test_a_price_is_read_exactly(value: object, price: str) -> None:
    assert PRICE.validate_python(value) == Decimal(price)
    assert -4 <= int(PRICE.validate_python(value).as_tuple().exponent) <= 0


@pytest.mark.parametrize(
    "value",
    [
        "0.00004", "0", "0.0000", "1.23456", "1000000000", "10000000000000", "7_3", "\uff17\uff13", "\u0663",
        "1e2", "+5", "-5", " 5", "5 ",
        "5\n", "5.", ".5", "1,5", "$5", "", "NaN", "inf", "1" * 5000, 0, -1, 0.00004,
        1e9, 1e300, 10**4000, True, False, None,
        [], float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"), Decimal("1E-5"), Decimal("-0.0"),
    ],
)  # fmt: skip
def test_a_price_that_cannot_be_represented_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not a price: write 0\.0001 to 999999999\.9999 dollars in digits, with"):
        PRICE.validate_python(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1, max_value=2 * HIGHEST_PRICE, places=5))
def test_a_number_is_a_price_if_it_is_in_range_and_has_at_most_four_digits(number: Decimal) -> None:
    is_price = TICK <= number <= HIGHEST_PRICE and number == number.quantize(TICK)

    assert accepts(PRICE, f"{number:f}") is is_price
    if is_price:
        assert PRICE.validate_python(f"{number:f}") == number


@given(st.text(alphabet="0123456789.+-eE_ \n\uff17", max_size=16))
def test_the_schema_of_a_price_accepts_the_same_texts(text: str) -> None:
    assert accepts(PRICE, text) is bool(pattern(PRICE).match(text))


@given(st.text(alphabet="AZ09.-_a \n", max_size=14))
def test_the_schema_of_a_symbol_accepts_the_same_texts(text: str) -> None:
    assert accepts(SYMBOL, text) is bool(len(text) <= 12 and pattern(SYMBOL).match(text))


@given(st.text(max_size=5) | st.text(alphabet=" \u00a0\u200b\u202ea\U000e0001\ufe0f\n", max_size=4))
def test_the_schema_of_a_text_accepts_the_same_texts(text: str) -> None:
    assert accepts(TEXT, text) is bool(pattern(TEXT).match(text))


def test_every_schema_can_be_sent() -> None:
    for kind in (SYMBOL, PRICE, SHARES, DATE, TIME, TEXT):
        assert json.loads(json.dumps(kind.json_schema(), ensure_ascii=False).encode()) == kind.json_schema()


@pytest.mark.parametrize("value", [0, -1, MOST_SHARES + 1, 10**30, 1.0, 1.5, "1", "7_3", True, None, float("nan")])
def test_shares_are_a_whole_number_in_json_and_bounded(value: object) -> None:
    assert not accepts(SHARES, value)
    assert accepts(SHARES, 1)
    assert accepts(SHARES, MOST_SHARES)


@pytest.mark.parametrize(
    "value",
    ["20200309", "2020-W11-1", "2020-02-30", "2020-3-9", "2020-03-09T00:00:00",
     "1583712000", "\uff12\uff10\uff12\uff10-03-09", "", " 2020-03-09",
     5, None, dt.datetime(2020, 3, 9, tzinfo=dt.UTC)],
)  # fmt: skip
def test_a_date_has_one_form(value: object) -> None:
    assert DATE.validate_python("2020-03-09") == dt.date(2020, 3, 9)
    with pytest.raises(ValueError, match="is not a date like 2020-03-09"):
        DATE.validate_python(value)


@given(st.dates(FIRST_DATE, LAST_DATE))
def test_every_date_that_is_written_is_read(date: dt.date) -> None:
    assert DATE.validate_python(date.isoformat()) == date
    assert pattern(DATE).match(date.isoformat())


@pytest.mark.parametrize("date", ["0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31"])
def test_a_date_of_another_age_is_refused_also_by_the_schema(date: str) -> None:
    for value in (date, dt.date.fromisoformat(date)):
        with pytest.raises(ValueError, match="is not a date from 1900-01-01 to 2199-12-31"):
            DATE.validate_python(value)
    assert not pattern(DATE).match(date)


@pytest.mark.parametrize("text", ["1_0", "1.0", "1e1", " 5 ", "+5", "-5", "\uff15", "\u0665", "0x5", "5\n", "", "true"])
def test_a_limit_is_a_whole_number_in_digits(text: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number in digits, like 20"):
        LIMIT.validate_python(text)


@given(st.integers(-5, MOST_ITEMS + 5))
def test_a_limit_is_bounded(number: int) -> None:
    assert accepts(LIMIT, str(number)) is (0 < number <= MOST_ITEMS)
    assert not accepts(LIMIT, "9" * 5000)


@pytest.mark.parametrize("value", [-1, -1e300, float("nan"), float("inf"), float("-inf"), 10**400, "1", True, None])
def test_a_time_is_a_finite_number_that_is_not_negative(value: object) -> None:
    assert not accepts(TIME, value)
    assert TIME.validate_python(1583712000) == 1583712000.0


@pytest.mark.parametrize("value", ["7_3", "\uff17", "NaN", "inf", " 1", "", None, [], float("nan"), float("inf")])
def test_an_amount_is_a_finite_number_in_digits(value: object) -> None:
    assert not accepts(AMOUNT, value)
    assert AMOUNT.validate_python("-1234.56") == Decimal("-1234.56")


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
"""What JSON has."""
DIGITS = st.text(alphabet="0123456789.+-eE_ \n\uff17", max_size=12)


@given(ANYTHING)
def test_shares_are_exactly_the_whole_numbers_within_the_bounds(value: object) -> None:
    assert accepts(SHARES, value) is (type(value) is int and 0 < value <= MOST_SHARES)


@given(ANYTHING)
def test_a_time_is_exactly_a_number_from_1970_on(value: object) -> None:
    assert accepts(TIME, value) is (type(value) in (int, float) and 0 <= float(str(value)) < float("inf"))


@pytest.mark.parametrize("text", ["1" * 41, "0." + "0" * 38 + "1", "1e100", "1e-100", "1e-99999999"])
def test_a_number_that_is_longer_than_any_amount_is_refused(text: str) -> None:
    assert not accepts(AMOUNT, text)
    assert accepts(AMOUNT, "1" * 26)
    assert accepts(AMOUNT, "1e-40")


@given(DIGITS)
def test_an_amount_is_exactly_a_number_that_everybody_reads_alike(text: str) -> None:
    plain = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?", text, re.ASCII)

    bounded = plain and abs(Decimal(text)) <= LARGEST_AMOUNT and places(Decimal(text)) <= NUMBER_CHARACTERS
    assert accepts(AMOUNT, text) is bool(bounded)
    if bounded:
        assert AMOUNT.validate_python(text) == Decimal(text)


def places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


@pytest.mark.parametrize("sign", ["", "-"])
def test_an_amount_has_bounds_whichever_type_it_comes_as(sign: str) -> None:
    for least in ("1e26", "1" + "0" * 26, "0." + "3" * 37, "1e-40"):
        assert AMOUNT.validate_python(sign + least) == Decimal(sign + least)
        assert accepts(AMOUNT, Decimal(sign + least))
    for wrong in ("1.1e26", "1e27", "1e300000", "1e900000", "1e-41", "1e-900000", "1" * 41, "0." + "3" * 39):
        assert not accepts(AMOUNT, sign + wrong), wrong
        assert not accepts(AMOUNT, Decimal(sign + wrong)), wrong
        assert not accepts_json(AMOUNT, f'"{sign}{wrong}"'), wrong
    for wrong in ("1.1e26", "1e27", "1e300000", "1" * 27, "1" * 5000, "1e-41"):  # as numbers of JSON
        assert not accepts_json(AMOUNT, sign + wrong), wrong
    assert not accepts(AMOUNT, int(sign + "1" + "0" * 27))
    assert not accepts(AMOUNT, int(sign + "1") * 10**5000)
    assert not accepts(AMOUNT, float(sign + "1e300"))


@given(st.integers(1, 1000))
def test_every_weight_of_a_strategy_is_read(symbols: int) -> None:
    weight = Decimal(1) / symbols

    assert WEIGHT.validate_python(str(weight)) == weight
    assert not accepts(WEIGHT, str(weight + 1))


@pytest.mark.parametrize("text", ["ann", "José", "李", "an order of 9:30", "ok ✔", "cafe\u0301", "x" * 200])
def test_a_text_is_taken_as_it_is(text: str) -> None:
    assert TEXT.validate_python(text) == text


def test_a_text_without_a_character_that_can_be_seen_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has a character that cannot be seen or told from another, U\+200B at"):
        TEXT.validate_python("an\u200bn")
    with pytest.raises(ValueError, match="has nothing but spaces"):
        TEXT.validate_python("  ")
    for value in ("", "x" * 201, 5, None):
        with pytest.raises(ValueError, match="is not a text of 1 to 200 characters"):
            TEXT.validate_python(value)


DRAWN_AS_NOTHING = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, *range(0xFE00, 0xFE10)),
    *(0xFFA0, 0x13441, 0x13442, 0x16FE4, 0x1BC9D, 0x1D159, *range(0xE0100, 0xE01F0)),
}
STAND_FOR_ANOTHER = {0xFFFC, 0xFFFD}


def test_a_text_has_no_character_of_these_categories_and_no_space_but_one_and_only_some_others_are_refused() -> None:
    categories = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}
    shown = re.compile(f"[^{pattern(TEXT).pattern.split('[^')[1].split(']')[0]}]")
    wrong = []
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        noncharacter = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
        unseen = (category in categories and code != 0x20) or noncharacter
        refused = not shown.match(chr(code))
        if refused != (unseen or code in DRAWN_AS_NOTHING | STAND_FOR_ANOTHER):
            # A code that means nothing yet may be refused: some are reserved for what is not drawn.
            wrong += [] if refused and category == "Cn" else [f"U+{code:04X}"]

    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        0x200B,
        0xA0,
        0x2003,
        0x3000,
        0xE000,
        0x10FFFD,
        0xFDD0,
        0xFFFF,
        0x5FFFE,
        0x16FE4,
        0x1D159,
        0x1BC9D,
        0xFFFD,
        0xD800,
    ],
)
def test_such_a_character_is_refused_by_the_type_and_by_its_schema_and_mended_in_sight(code: int) -> None:
    text = f"a{chr(code)}b"

    with pytest.raises(ValueError, match=f"U\\+{code:04X} at place 2"):
        TEXT.validate_python(text)
    assert not pattern(TEXT).match(text)
    assert in_sight(text) == "a?b"


@given(st.text(alphabet=st.characters() | st.sampled_from("\u200b\ud800 "), max_size=300))
def test_a_text_that_is_made_acceptable_is_accepted_and_one_that_is_stays(text: str) -> None:
    assert TEXT.validate_python(in_sight(text)) == in_sight(text)
    if accepts(TEXT, text):
        assert in_sight(text) == text
