"""Closed and open attributes."""

from __future__ import annotations

from enum import Enum, StrEnum

import pytest

from telemetry.attributes import OTHER, Attribute
from telemetry.recording import Dropped, Reason


class Side(StrEnum):
    """A closed attribute's values."""

    BUY = "buy"


class OldSide(str, Enum):  # noqa: UP042 - what people wrote before StrEnum
    """The same, as people wrote it before StrEnum."""

    BUY = "buy"


def reason(attribute: Attribute, value: object) -> Reason:
    with pytest.raises(Dropped) as caught:
        attribute.admit(value)
    return caught.value.reason


def test_a_closed_attribute_takes_its_values_and_no_other() -> None:
    side = Attribute("side", Side)

    assert side.admit("buy") == "buy"
    assert reason(side, "hold") is Reason.UNDECLARED_VALUE
    assert reason(side, "") is Reason.UNDECLARED_VALUE


@pytest.mark.parametrize("member", [Side.BUY, OldSide.BUY])
def test_a_member_of_an_enum_is_its_value_and_plain_text(member: str) -> None:
    for attribute in (Attribute("side", ["buy"]), Attribute("side"), Attribute("side", [member])):
        text = attribute.admit(member)

        assert (text, type(text)) == ("buy", str)


@pytest.mark.parametrize("value", [None, 1, 1.5, True, b"AAPL", ["AAPL"], object()])
def test_only_text_is_a_value(value: object) -> None:
    assert reason(Attribute("symbol"), value) is Reason.NOT_TEXT
    assert reason(Attribute("side", Side), value) is Reason.NOT_TEXT


def test_a_lone_surrogate_is_no_value_also_past_the_limit() -> None:
    assert reason(Attribute("symbol"), "\ud800") is Reason.NOT_TEXT
    assert reason(Attribute("symbol", limit=0), "\ud800") is Reason.NOT_TEXT


def test_past_its_limit_an_open_attribute_says_other() -> None:
    symbol = Attribute("symbol", limit=2)

    assert [symbol.admit(value) for value in ("A", "B", "C", "A", "D", "B")] == ["A", "B", OTHER, "A", OTHER, "B"]


def test_what_is_known_has_a_series_of_its_own_also_past_the_limit() -> None:
    symbol = Attribute("symbol", limit=1)
    symbol.admit("stranger")

    symbol.know(["AAPL", "MSFT"])

    assert [symbol.admit(value) for value in ("AAPL", "MSFT", "stranger", "other")] == [
        "AAPL",
        "MSFT",
        "stranger",
        OTHER,
    ]


def test_a_value_that_came_with_a_record_is_not_known_until_it_is_said_to_come() -> None:
    symbol = Attribute("symbol")
    symbol.admit("stranger")
    assert list(symbol.known) == []

    symbol.know(["AAPL"])
    assert list(symbol.known) == ["AAPL"]

    symbol.know(["stranger"])
    assert list(symbol.known) == ["AAPL", "stranger"]


@pytest.mark.parametrize("values", [None, 5, [None], ["AAPL", 1], ["\ud800"]])
def test_knowing_never_raises_and_takes_nothing_that_no_label_can_have(values: object) -> None:
    symbol = Attribute("symbol")

    symbol.know(values)  # type: ignore[arg-type]  # that is the point

    assert symbol.known == ()


def test_a_closed_attribute_stays_closed(caplog: pytest.LogCaptureFixture) -> None:
    side = Attribute("side", Side)

    side.know(["hold"])

    assert reason(side, "hold") is Reason.UNDECLARED_VALUE
    assert "side is closed" in caplog.text


def test_a_value_that_no_label_can_have_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="not valid Unicode"):
        Attribute("side", ["\ud800"])
    with pytest.raises(TypeError, match="int is not text"):
        Attribute("side", [1])  # type: ignore[list-item]
