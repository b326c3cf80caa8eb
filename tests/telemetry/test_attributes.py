"""How labels are declared, and which values closed and open labels take."""

from __future__ import annotations

import threading
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict

import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st

from telemetry.attributes import Label, Open, read_labels, text_of
from telemetry.drops import Dropped, Reason
from tests.telemetry.labels import Side, labels


class OldSide(str, Enum):  # noqa: UP042 - the form in use before StrEnum
    """Text, in the form in use before StrEnum."""

    BUY = "buy"


class Code(IntEnum):
    """Numbers."""

    OK = 200
    GONE = 410


class Everything(TypedDict):
    """One label of each kind that can be declared."""

    symbol: Annotated[str, Open(limit=3)]
    code: Annotated[int, Open()]
    side: Side
    old: OldSide
    status: Literal["success", "failed"]
    number: Literal[1, 2]
    answer: Code
    ok: bool
    either: Side | Literal["none"]


class Partly(TypedDict, total=False):
    """Each label is required, though the class says otherwise."""

    side: Required[Side]
    symbol: Required[Annotated[str, Open()]]


class OfAnotherModule(typing_extensions.TypedDict):
    """A TypedDict of typing_extensions."""

    side: Side


def test_a_typeddict_of_typing_extensions_and_one_that_says_what_is_required_are_taken() -> None:
    assert [label.name for label in read_labels("things", Partly)] == ["side", "symbol"]
    assert [label.values for label in read_labels("things", OfAnotherModule)] == [("buy", "sell")]


def test_a_typeddict_declares_the_labels_in_its_order() -> None:
    read = read_labels("things", Everything)

    assert {label.name: label.values if label.open is None else label.open.limit for label in read} == {
        "symbol": 3,
        "code": 100,
        "side": ("buy", "sell"),
        "old": ("buy",),
        "status": ("success", "failed"),
        "number": ("1", "2"),
        "answer": ("200", "410"),
        "ok": ("false", "true"),
        "either": ("buy", "sell", "none"),
    }
    assert [label.name for label in read] == list(Everything.__annotations__)


OPEN = Annotated[str, Open()]


class Empty(StrEnum):
    """An enumeration without members."""


WRONG: list[tuple[type[Any], str]] = [
    (labels(**{"http.method": OPEN}), "'http.method' is not a label name"),
    (labels(**{'a="1"} 5\nforged{b': OPEN}), "is not a label name"),
    (labels(Symbol=OPEN), "'Symbol' is not a label name"),
    (labels(_symbol=OPEN), "'_symbol' is not a label name"),
    (labels(__name__=OPEN), "'__name__' is not a label name"),
    (labels(**{"": OPEN}), "'' is not a label name"),
    (labels(symból=OPEN), "is not a label name"),
    (labels(a__b=OPEN), "a__b has underscores that would be lost"),
    (labels(symbol_=OPEN), "symbol_ has underscores that would be lost"),
    (labels(le=OPEN), "le is reserved .it is the bound of a bucket.: choose another name"),
    (labels(quantile=OPEN), "quantile is reserved"),
    (labels(job=OPEN), "job is reserved .Prometheus sets it."),
    (labels(instance=OPEN), "instance is reserved"),
    (labels(exported_job=OPEN), "exported_job is reserved"),
    (labels(otel_scope_name=OPEN), "otel_scope_name is reserved"),
    (labels(symbol=str), "symbol is str, which says neither its values nor a limit: write an enumeration"),
    (labels(code=int), "code is int, which says neither"),
    (labels(side=Side | str), "which says neither its values nor a limit"),
    (labels(symbol=Annotated[str, "a note"]), "which says neither its values nor a limit"),
    (labels(side=NotRequired[Side]), "side is not required: each record has a value for each label"),
    (labels(symbol=Annotated[str, Open(), Open(limit=3)]), "symbol has 2 limits: leave one"),
    (labels(side=Literal["a", None]), "a value that no label can have: a value of type NoneType"),
    (labels(side=Literal["\ud800"]), "a value that no label can have: .* is not valid Unicode"),
    (labels(side=Literal["1", 1]), "two values with the same text: 1, 1"),
    (labels(side=Empty), "side has no values"),
    (dict, "labels are declared as a TypedDict, and <class 'dict'> is none"),
    (labels(side="Nowhere"), "the annotations of Labels cannot be read"),
]


@pytest.mark.parametrize(("wrong", "problem"), WRONG)
def test_a_wrong_label_is_refused_in_a_sentence_that_names_the_metric(wrong: type[Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^things: .*{problem}"):
        read_labels("things", wrong)


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, None])
def test_the_limit_of_an_open_label_is_a_whole_number_above_zero(limit: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        Open(limit=limit)


def reason(label: Label, value: object) -> Reason:
    with pytest.raises(Dropped) as caught:
        label.text(value)
    return caught.value.reason


def test_a_closed_label_takes_only_its_values() -> None:
    [side] = read_labels("things", labels(side=Side))

    assert [side.text(value) for value in (Side.BUY, "buy", OldSide.BUY)] == ["buy"] * 3
    assert all(type(side.text(value)) is str for value in (Side.BUY, "buy"))
    assert reason(side, "hold") is Reason.UNDECLARED_VALUE
    assert reason(side, "BUY") is Reason.UNDECLARED_VALUE
    assert reason(side, 1) is Reason.UNDECLARED_VALUE
    assert reason(side, None) is Reason.NOT_TEXT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("AAPL", "AAPL"),
        (Side.BUY, "buy"),
        (Code.GONE, "410"),
        (200, "200"),
        (1, "1"),
        (1.0, "1.0"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (float("inf"), "Infinity"),
        (["a", "b"], '["a", "b"]'),
        ((1, True), "[1, true]"),
        ([], "[]"),
    ],
)
def test_what_the_api_allows_is_written_as_the_exporter_for_prometheus_writes_it(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("value", [None, b"AAPL", object(), {"a": 1}, {1}, [None], [["a"]], [b"a"]])
def test_what_the_api_does_not_allow_is_not_taken(value: object) -> None:
    [symbol] = read_labels("things", labels(symbol=OPEN))

    assert reason(symbol, value) is Reason.NOT_TEXT


def test_a_lone_surrogate_is_not_taken() -> None:
    [symbol] = read_labels("things", labels(symbol=OPEN))

    assert reason(symbol, "\ud800") is Reason.NOT_TEXT
    assert text_of(["\ud800"]) == '["\\ud800"]'  # in a list it is written as JSON does


@given(st.lists(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False)), min_size=2, max_size=2))
def test_values_of_different_types_are_never_confused(values: list[Any]) -> None:
    one, other = values

    same = type(one) is type(other) and (one == other and str(one) == str(other))
    assert (text_of(one) == text_of(other)) is same


def test_values_that_are_announced_are_known_once_and_in_order() -> None:
    symbol = Open()

    symbol.know(["AAPL"])
    symbol.know(["MSFT", "AAPL", 5])

    assert symbol.known == ("AAPL", "MSFT", "5")
    assert repr(symbol) == "Open(limit=100)"


@pytest.mark.parametrize("values", [None, 5, [None], ["AAPL", b""], ["\ud800"], "AAPL", (1 / 0 for _ in "a")])
def test_know_never_raises_and_ignores_values_that_no_label_can_have(
    values: Any, caplog: pytest.LogCaptureFixture
) -> None:
    symbol = Open()

    symbol.know(values)

    assert symbol.known == ()
    assert "the values of a label were not added" in caplog.text


def test_values_that_several_threads_announce_are_all_known() -> None:
    symbol = Open(limit=800)

    def announce(thread: int) -> None:
        for number in range(200):
            symbol.know([f"{thread}-{number}"])

    threads = [threading.Thread(target=announce, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(symbol.known) == 800
