"""Which label values closed and open attributes take."""

from __future__ import annotations

from enum import Enum, StrEnum

import pytest

from telemetry.attributes import OTHER, Attribute
from telemetry.recording import Dropped, Reason


class Side(StrEnum):
    """The values of a closed attribute."""

    BUY = "buy"


class OldSide(str, Enum):  # noqa: UP042 - the form in use before StrEnum
    """The same values, in the form in use before StrEnum."""

    BUY = "buy"


def reason(attribute: Attribute, value: object) -> Reason:
    with pytest.raises(Dropped) as caught:
        attribute.admit(value)
    return caught.value.reason


def test_a_closed_attribute_takes_only_its_values() -> None:
    side = Attribute("side", Side)

    assert side.admit("buy") == "buy"
    assert reason(side, "hold") is Reason.UNDECLARED_VALUE
    assert reason(side, "") is Reason.UNDECLARED_VALUE


@pytest.mark.parametrize("member", [Side.BUY, OldSide.BUY])
def test_an_enum_member_becomes_its_value_as_plain_text(member: str) -> None:
    for attribute in (Attribute("side", ["buy"]), Attribute("side"), Attribute("side", [member])):
        text = attribute.admit(member)

        assert (text, type(text)) == ("buy", str)


@pytest.mark.parametrize("value", [None, 1, 1.5, True, b"AAPL", ["AAPL"], object()])
def test_only_text_is_taken(value: object) -> None:
    assert reason(Attribute("symbol"), value) is Reason.NOT_TEXT
    assert reason(Attribute("side", Side), value) is Reason.NOT_TEXT


def test_a_lone_surrogate_is_not_taken_even_above_the_limit() -> None:
    assert reason(Attribute("symbol"), "\ud800") is Reason.NOT_TEXT
    assert reason(Attribute("symbol", limit=0), "\ud800") is Reason.NOT_TEXT


def test_above_its_limit_an_open_attribute_records_other() -> None:
    symbol = Attribute("symbol", limit=2)

    assert [symbol.admit(value) for value in ("A", "B", "C", "A", "D", "B")] == ["A", "B", OTHER, "A", OTHER, "B"]


def test_a_known_value_has_its_own_series_even_above_the_limit() -> None:
    symbol = Attribute("symbol", limit=1)
    symbol.admit("stranger")

    symbol.know(["AAPL", "MSFT"])

    assert [symbol.admit(value) for value in ("AAPL", "MSFT", "stranger", "other")] == [
        "AAPL",
        "MSFT",
        "stranger",
        OTHER,
    ]


def test_a_recorded_value_is_not_known_until_know_is_called_with_it() -> None:
    symbol = Attribute("symbol")
    symbol.admit("stranger")
    assert list(symbol.known) == []

    symbol.know(["AAPL"])
    assert list(symbol.known) == ["AAPL"]

    symbol.know(["stranger"])
    assert list(symbol.known) == ["AAPL", "stranger"]


@pytest.mark.parametrize("values", [None, 5, [None], ["AAPL", 1], ["\ud800"]])
def test_know_never_raises_and_ignores_values_that_no_label_can_have(values: object) -> None:
    symbol = Attribute("symbol")

    symbol.know(values)  # type: ignore[arg-type]  # the test is about values of a wrong type

    assert symbol.known == ()


def test_know_does_not_add_values_to_a_closed_attribute(caplog: pytest.LogCaptureFixture) -> None:
    side = Attribute("side", Side)

    side.know(["hold"])

    assert reason(side, "hold") is Reason.UNDECLARED_VALUE
    assert "side is closed" in caplog.text


def test_declaring_a_value_that_no_label_can_have_raises() -> None:
    with pytest.raises(ValueError, match="not valid Unicode"):
        Attribute("side", ["\ud800"])
    with pytest.raises(TypeError, match="int is not text"):
        Attribute("side", [1])  # type: ignore[list-item]
