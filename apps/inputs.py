"""The types of what comes in through settings, files, Redis and HTTP: symbols, prices, shares, dates, times, texts.

What one of them accepts, the next does not refuse. A value that is refused raises a ValueError that says what to write.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

TICK = Decimal("0.0001")
"""Prices are rounded to this many dollars. It is also the lowest price."""
HIGHEST_PRICE = Decimal("999999999.9999")
MOST_SHARES = 10_000_000
"""The most shares of one order."""
LARGEST_AMOUNT = Decimal(10) ** 26
TEXT_CHARACTERS = 200
SYMBOL_CHARACTERS = 12
NUMBER_CHARACTERS = 40
"""The longest text of a number, and its most digits after the point."""
ADDRESS_CHARACTERS = 2000
MOST_DOLLARS = 10**12
"""No amount of money in the settings is larger."""
MOST_SYMBOLS = 150
"""The most symbols of one market."""
MOST_ITEMS = 1000
"""The most items of one answer."""
FIRST_DATE, LAST_DATE = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
"""The bounds of a trading date. The first and the last date of Python are infinite in PostgreSQL."""

_SYMBOL = r"[A-Z0-9]+([.\-][A-Z0-9]+)*"
# Zeros at the end change nothing. Many programs write prices with as many digits as they have.
_PRICE = r"([0-9]{1,9})(?:(\.[0-9]{1,4})0*)?"
_NUMBER = r"[+\-]?[0-9]+(\.[0-9]+)?([eE][+\-]?[0-9]{1,2})?"
_NOTHING = r"0+(\.0+)?"
# What no text may have: two texts that look the same could differ in it. The categories of Unicode are written out, so
# that the pattern in a JSON schema says the same, whatever version of Unicode a Python has. A test holds them to it.
# `\ud800` stays escaped, because it cannot be encoded.
_UNSEEN = (
    # Control and format characters, line ends, all spaces but U+0020, private use (Cc, Cf, Zl, Zp, Zs, Co), surrogates
    # (Cs), and noncharacters.
    "\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000"
    r"\ud800-\udfff"
    "\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\ufffe\uffff"
    + "".join(chr(plane * 0x10000 + 0xFFFE) + chr(plane * 0x10000 + 0xFFFF) for plane in range(1, 14))
    + "\U000e0000-\U0010ffff"
    # Letters, marks and symbols that are drawn as nothing: joiners, fillers, variation selectors, blanks.
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U00013441\U00013442\U00016fe4"
    "\U0001bc9d\U0001d159"
    # What stands for another: U+FFFD for bytes that were no UTF-8, as in `%ff` of a query, and U+FFFC for an object.
    "\ufffc\ufffd"
)


def _symbol(value: object) -> str:
    if isinstance(value, str) and len(value) <= SYMBOL_CHARACTERS and re.fullmatch(_SYMBOL, value):
        return value
    raise PydanticCustomError(
        "symbol", "is not a symbol like AAPL, BRK-B or BRK.B: capital letters and digits, at most 12 characters"
    )


def _price(value: object) -> Decimal:
    if isinstance(value, Decimal):
        value = f"{value:f}"
    elif isinstance(value, int | float):
        value = str(value)
    if isinstance(value, str) and (number := re.fullmatch(_PRICE, value)) and not re.fullmatch(_NOTHING, value):
        return Decimal(number[1] + (number[2] or ""))
    raise PydanticCustomError(
        "price", "is not a price: write 0.0001 to 999999999.9999 dollars in digits, with at most 4 after the point"
    )


def iso_date(value: object) -> dt.date:
    """Reads a date like 2020-03-09, from `FIRST_DATE` to `LAST_DATE`.

    Raises ValueError for anything else, also for other forms of ISO 8601.
    """
    date = _date(value)
    if date is None:
        raise PydanticCustomError("date", "is not a date like 2020-03-09")
    if not FIRST_DATE <= date <= LAST_DATE:
        raise PydanticCustomError("date", f"is not a date from {FIRST_DATE} to {LAST_DATE}")
    return date


def _date(value: object) -> dt.date | None:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        if isinstance(value, str) and (date := dt.date.fromisoformat(value)).isoformat() == value:
            return date
    except ValueError:
        pass
    return None


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_CHARACTERS:
        raise PydanticCustomError("text", "is not a text of 1 to 200 characters")
    if unseen := re.search(f"[{_UNSEEN}]", value):
        code, place = f"U+{ord(unseen[0]):04X}", unseen.start() + 1
        raise PydanticCustomError(
            "text", f"has a character that cannot be seen or told from another, {code} at place {place}"
        )
    if not value.strip():
        raise PydanticCustomError("text", "has nothing but spaces")
    return value


def in_sight(text: str) -> str:
    """The text made acceptable as `Text`, where a refusal would cost more: `?` for what it refuses, and cut."""
    text = re.sub(f"[{_UNSEEN}]", "?", text[:TEXT_CHARACTERS])
    return text if text.strip() else "?"


def _amount(value: object) -> object:
    # Before it is read: what an exponent makes of a short text takes very long to write out or to divide.
    if isinstance(value, str | Decimal | int | float) and len(str(value)) > NUMBER_CHARACTERS:
        raise PydanticCustomError("amount", f"has more than {NUMBER_CHARACTERS} characters")
    return plain_number(value)


def plain_number(value: object) -> object:
    """Returns the value, unless it is a text that is not a number in ASCII digits: then it raises ValueError.

    A long text, and an exponent of three digits, are refused as well: a few characters must not become megabytes.
    """
    # pydantic also takes 1_000 and the digits of other scripts, which other programs read otherwise or not at all.
    if isinstance(value, str) and not (len(value) <= NUMBER_CHARACTERS and re.fullmatch(_NUMBER, value)):
        raise PydanticCustomError("number", "is not a number in digits, like 30 or 0.05")
    return value


def _whole(value: object) -> object:
    # Pydantic also reads " 5", "1_0" and "1.0" as whole numbers.
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise PydanticCustomError("whole_number", "is not a whole number in digits, like 20")
    return value


def number_in_settings(value: object) -> object:
    """The same for a variable, which may have spaces around it."""
    return plain_number(value.strip(" ") if isinstance(value, str) else value)


def http_address(text: str) -> str:
    """Returns the address of a service, with a host, a port and a path. Raises ValueError if it cannot be called."""
    usable = len(text) <= ADDRESS_CHARACTERS and not re.search(r"[\s\x00-\x20\x7f@?#\\]", text)
    try:
        url, parts = httpx.URL(text), urlsplit(text)
        url.host.encode("idna")  # the system does so, to look up the host
        usable = usable and url.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:
        raise ValueError("is not an address like http://host:8002, without user, password, query and spaces")
    return text


Symbol = Annotated[
    str,
    BeforeValidator(_symbol),
    WithJsonSchema({"type": "string", "pattern": f"^{_SYMBOL}$", "maxLength": SYMBOL_CHARACTERS}),
]
"""A symbol as exchanges write it."""
Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^(?!{_NOTHING}$){_PRICE}$"},
                {
                    "type": "number",
                    "minimum": float(TICK),
                    "maximum": float(HIGHEST_PRICE),
                    "multipleOf": float(TICK),
                },
            ]
        }
    ),
]
"""A price in dollars that the platform can represent, as text or as a number of JSON."""
Shares = Annotated[int, Field(gt=0, le=MOST_SHARES, strict=True)]
"""The whole shares of an order."""
TradingDate = Annotated[
    dt.date,
    BeforeValidator(iso_date),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}$"}),
]
UnixTime = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
"""Seconds since 1970. How far it may be from now depends on its use, see `market.FUTURE_SECONDS`."""
Limit = Annotated[int, BeforeValidator(_whole), Field(gt=0, le=MOST_ITEMS)]
"""How many items a query asks for, in digits."""
Amount = Annotated[
    Decimal,
    Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, decimal_places=NUMBER_CHARACTERS),
    BeforeValidator(_amount),
]
"""A number of any sign, in digits. It is bounded, because a short text may stand for a number of any length."""


Cash = Annotated[Decimal, BeforeValidator(number_in_settings), Field(ge=1, le=MOST_DOLLARS, decimal_places=2)]
"""The dollars that an account begins with, in the settings."""
Weight = Annotated[Amount, Field(ge=-1, le=1)]
"""The part of equity that a strategy wants in a symbol."""
Text = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": TEXT_CHARACTERS,
            "pattern": f"^[^{_UNSEEN}]*[^{_UNSEEN} ][^{_UNSEEN}]*$",
        }
    ),
]
"""A text by a person or a client, in which every character can be seen."""
