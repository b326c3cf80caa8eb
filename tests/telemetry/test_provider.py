"""What is made through the OpenTelemetry API: its values, its identity, and what cannot be taken."""

from __future__ import annotations

import contextlib
import itertools
import math
import weakref
from collections.abc import Callable, Iterator
from enum import Enum, IntEnum
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.resources import Resource

from telemetry import Counter, Gauge, UpDownCounter
from telemetry.collection import collect
from telemetry.exposition import render
from telemetry.families import Family
from telemetry.made import SERIES_AT_MOST
from telemetry.otlp import together
from telemetry.provider import Provider
from telemetry.synchronous import BUCKETS
from tests.telemetry.conftest import Drops
from tests.telemetry.labels import BySide, Side
from tests.telemetry.provided import made_by, sent_by, shown


def test_values_that_python_takes_for_the_same_are_series_of_their_own(dropped: Drops) -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for _ in range(2):
        for value in (1, True, 1.0, "1", "true"):
            counter.add(1, {"code": value})
            counter.add(1, {"code": value, "more": [1, True]})
    for value in (1, True, 1.0):
        counter.add(1, {"some": (value,)})

    values = sent_by(provider)
    typed = [key[4][0][1:] for key in values if key[1] == "calls" and key[4][0][0] == "code" and len(key[4]) == 1]
    assert sorted(typed) == [("bool", "True"), ("float", "1.0"), ("int", "1")], "a text like them is the same series"
    within = [key[4][0][2] for key in values if key[1] == "calls" and key[4][0][0] == "some"]
    assert sorted(within) == ["(1,)", "(1.0,)", "(True,)"]
    shown_now = made_by(provider).items()
    alone = {labels: value for (_, labels), value in shown_now if [name for name, _ in labels] == ["code"]}
    assert alone == {frozenset({("code", code)}): value for code, value in (("1", 4), ("true", 4), ("1.0", 2))}
    assert dropped("calls_total") == {}


class Code(IntEnum):
    """Some statuses."""

    OK = 200


class Word(Enum):
    """Some words."""

    YES = "yes"


def test_a_member_of_an_enumeration_is_its_value(dropped: Drops) -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for side, code in ((Side.BUY, Code.OK), ("buy", 200), (Side.BUY, 200)):
        counter.add(1, {"side": side, "code": code, "more": [side], "word": Word.YES})  # type: ignore[dict-item]

    [(key, value)] = [each for each in sent_by(provider).items() if each[0][1] == "calls"]
    assert value == 3
    assert key[4] == (
        ("code", "int", "200"),
        ("more", "tuple", "('buy',)"),
        ("side", "str", "buy"),
        ("word", "str", "yes"),
    )
    assert dropped("calls_total") == {}


WRONG: list[tuple[Any, Any, str]] = [
    (-1, {}, "negative"),
    (math.nan, {}, "not_a_number"),
    (math.inf, {}, "not_a_number"),
    ("1", {}, "not_a_number"),
    (1, {"a": object()}, "not_text"),
    (1, {"a": [object()]}, "not_text"),
    (1, {"a": ["\ud800"]}, "not_text"),
    (1, {"\ud800": "a"}, "not_text"),
    (1, {"": "a"}, "not_text"),
    (1, {"a": "\ud800"}, "not_text"),
    (1, {5: "a"}, "not_text"),
    (1, {"": "a"}, "not_text"),
    (1, {"\ud800": "a"}, "not_text"),
    (1, 5, "unreadable"),
    (1, [("a", "b")], "unreadable"),
]


@pytest.mark.parametrize(("amount", "attributes", "reason"), WRONG)
def test_what_cannot_be_recorded_is_dropped_and_counted(
    amount: Any, attributes: Any, reason: str, dropped: Drops
) -> None:
    meter = Provider().get_meter("x")

    meter.create_counter("calls").add(amount, attributes)
    meter.create_histogram("took", "s").record(amount, attributes)

    assert dropped("calls_total") == {reason: 1}
    assert dropped("took_seconds") == {reason: 1}


@pytest.mark.parametrize("name", ["le", "\u00e9le", "le\u00e9"])
def test_a_label_le_of_a_histogram_is_dropped_because_it_is_the_bound_of_a_bucket(name: str, dropped: Drops) -> None:
    provider = Provider()
    meter = provider.get_meter("x")

    for number in range(2):
        meter.create_histogram("took", "s").record(1, {name: number})
        meter.create_counter("calls").add(1, {name: number})

    bound = name == "le"
    assert dropped("took_seconds") == ({"undeclared_attribute": 2} if bound else {})
    assert len({labels for (shown, labels) in made_by(provider) if shown == "took_seconds_count"}) == (
        0 if bound else 2
    )
    assert sum(shown == "calls_total" for (shown, _) in made_by(provider)) == 2


NO_TEXT: list[Any] = ["\ud800", "a\udfff", 5, b"a", ("1", "2")]


@pytest.mark.parametrize("wrong", NO_TEXT)
@pytest.mark.parametrize("argument", ["name", "version", "schema_url", "attributes", "description"])
def test_what_a_library_says_of_itself_costs_no_metric_of_others(argument: str, wrong: Any) -> None:
    provider = Provider()
    provider.get_meter("good").create_counter("good").add(1)
    scope: dict[str, Any] = (
        {} if argument == "description" else {argument: {"a": wrong} if argument == "attributes" else wrong}
    )
    meter = provider.get_meter(**{"name": "odd", **scope})
    meter.create_counter("odd", description=wrong if argument == "description" else "").add(1)

    sent = encode_metrics(together(Resource({}), collect([], list(provider.instruments.values())), 1))

    names = [one.name for scope in sent.resource_metrics[0].scope_metrics for one in scope.metrics]
    assert sent.SerializeToString()
    assert sorted(names) == ["good", "odd", "telemetry_series"]
    assert made_by(provider) == {("good_total", frozenset()): 1, ("odd_total", frozenset()): 1}


@pytest.mark.parametrize("attributes", [5, [1], ["a"], "a"])
def test_attributes_of_a_library_that_cannot_be_read_are_left_out(
    attributes: Any, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider()

    provider.get_meter("x", attributes=attributes).create_counter("jobs").add(1)

    assert [scope.attributes for scope, *_ in provider.instruments] == [()]
    assert "get_meter was called with attributes that cannot be read" in caplog.text


def test_an_attribute_of_a_library_that_cannot_be_read_costs_only_itself(caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider()
    attributes: Any = {5: 1, "object": object(), None: "x", "a": 2, "b": ["x"]}

    provider.get_meter("x", attributes=attributes).create_counter("jobs").add(1)

    assert [scope.attributes for scope, *_ in provider.instruments] == [(("a", 2), ("b", ("x",)))]
    assert "get_meter was called with attributes that cannot be read" in caplog.text
    sent = encode_metrics(together(Resource({}), collect([], list(provider.instruments.values())), 1))
    assert sent.SerializeToString()


def test_series_of_libraries_and_those_without_room_are_counted() -> None:
    provider = Provider()
    meter = provider.get_meter("x")
    for number in range(SERIES_AT_MOST + 1):
        meter.create_counter("many").add(1, {"who": number})
    meter.create_counter("jobs").add(1, {"who": "a"})
    meter.create_counter("jobs").add(1, {"who": "b"})

    found = shown(render(provider=provider))

    counted = {name: found["telemetry_series", frozenset({("metric", name)})] for name in ("jobs_total", "many_total")}
    assert counted == {"jobs_total": 2, "many_total": SERIES_AT_MOST + 1}
    assert found["telemetry_full_labels", frozenset({("metric", "many_total")})] == 1
    assert ("telemetry_full_labels", frozenset({("metric", "jobs_total")})) not in found


def test_a_family_that_cannot_be_written_costs_only_itself(monkeypatch: pytest.MonkeyPatch, dropped: Drops) -> None:
    provider = Provider()
    for name in ("bad", "good"):
        provider.get_meter("x").create_counter(name).add(1)
    write = Family.write
    monkeypatch.setattr(Family, "write", lambda self, **how: 1 / 0 if self.name == "bad_total" else write(self, **how))

    text = render(provider=provider).decode()

    assert "\ngood_total 1\n" in text
    assert "bad_total 1" not in text
    assert dropped("bad_total") == {"not_rendered": 1}


def test_hostile_values_take_no_more_room_than_the_limit() -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("calls")
    for number in range(20_000):
        counter.add(1, {"who": f"X{number}"})
        counter.add(1, {"who": number})

    [made] = provider.instruments.values()
    assert len(made.cells) == SERIES_AT_MOST + 1
    assert len(made.cache) <= SERIES_AT_MOST
    assert made_by(provider)["calls_total", frozenset({("otel_metric_overflow", "true")})] == 40_000 - SERIES_AT_MOST


def test_one_instrument_in_two_scopes_is_one_series() -> None:
    provider = Provider()
    for scope, amount in (("one", 1), ("other", 2)):
        meter = provider.get_meter(scope)
        meter.create_counter("jobs").add(amount, {"a": "b"})
        meter.create_up_down_counter("open").add(amount)
        meter.create_histogram("took", "s", explicit_bucket_boundaries_advisory=[1]).record(amount)

    labels = frozenset({("a", "b")})
    assert made_by(provider) == {
        ("jobs_total", labels): 3,
        ("open", frozenset()): 3,
        ("took_seconds_bucket", frozenset({("le", "1.0")})): 1,
        ("took_seconds_bucket", frozenset({("le", "inf")})): 2,
        ("took_seconds_sum", frozenset()): 3,
        ("took_seconds_count", frozenset()): 2,
    }


def test_an_empty_attribute_is_no_label_of_its_own() -> None:
    provider = Provider()
    counter = provider.get_meter("x").create_counter("jobs")
    counter.add(1)
    counter.add(2, {"a": ""})
    counter.add(4, {"a": "", "b": "c"})

    assert made_by(provider) == {("jobs_total", frozenset()): 3, ("jobs_total", frozenset({("b", "c")})): 4}
    assert [value for key, value in sent_by(provider).items() if key[1] == "jobs"] == [3, 4]


def test_what_cannot_be_added_up_is_told_apart_and_said(caplog: pytest.LogCaptureFixture, dropped: Drops) -> None:
    provider = Provider()
    for scope, amount in (("one", 1), ("other", 2)):
        provider.get_meter(scope).create_gauge("level").set(amount)
    provider.get_meter("third").create_up_down_counter("level").add(3)
    provider.get_meter("fourth").create_histogram("level").record(4)

    assert made_by(provider) == {
        ("level", frozenset()): 1,
        ("level", frozenset({("otel_scope_name", "other")})): 2,
        ("level", frozenset({("otel_scope_name", "third")})): 3,
    }
    assert "level is recorded by several libraries: otel_scope_name tells them apart" in caplog.text
    assert dropped("level") == {"not_rendered": 1}


def test_what_says_itself_which_scope_it_is_of_cannot_be_told_apart_and_is_left_out(dropped: Drops) -> None:
    provider = Provider()
    for scope, amount in (("one", 1), ("other", 2)):
        provider.get_meter(scope).create_gauge("level").set(amount, {"otel.scope.name": "mine"})

    assert made_by(provider) == {("level", frozenset({("otel_scope_name", "mine")})): 1}
    assert dropped("level") == {"not_rendered": 1}


def test_a_series_of_a_histogram_has_its_name_alone(caplog: pytest.LogCaptureFixture, dropped: Drops) -> None:
    provider = Provider()
    meter = provider.get_meter("x")
    Gauge("things_count", "Things.", named_like_a_counter=True).set(9)
    meter.create_histogram("things").record(1)
    meter.create_histogram("took", "s", explicit_bucket_boundaries_advisory=[]).record(2)
    meter.create_gauge("took.seconds.count").set(8)

    found = shown(render(provider=provider))  # each name once

    assert found["things_count", frozenset()] == 9
    assert (found["took_seconds_count", frozenset()], found["took_seconds_sum", frozenset()]) == (1, 2)
    assert dropped("things") == dropped("took_seconds_count") == {"not_rendered": 1}
    assert "x has a gauge of that name, and took_seconds has a series of the same name" in caplog.text


def test_making_an_instrument_again_gives_the_same_one_and_another_description_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = Provider().get_meter("x")
    first = meter.create_counter("jobs", "1", "Jobs.")

    assert meter.create_counter("jobs", "1", "Jobs.") is first
    assert caplog.text == ""
    assert meter.create_counter("JOBS", "1", "Other.") is first
    assert meter.create_counter("jobs", "s", "Jobs.") is not first
    assert "JOBS of x was made with two descriptions: 'Jobs.' stays" in caplog.text


def test_another_advice_for_a_histogram_is_said(caplog: pytest.LogCaptureFixture) -> None:
    meter = Provider().get_meter("x")
    first = meter.create_histogram("took", explicit_bucket_boundaries_advisory=[1, 2])

    assert meter.create_histogram("took", explicit_bucket_boundaries_advisory=[1, 2]) is first
    assert caplog.text == ""
    assert meter.create_histogram("took") is first
    assert "took of x was made with two advices: (1, 2) stays" in caplog.text


def dividing() -> Iterator[float]:
    for below in (1, 0):
        yield 1 / below


@pytest.mark.parametrize(
    ("advised", "problem"),
    [((-1, 1), "amounts below 0"), (itertools.count(), "more than 100 buckets"), (dividing(), "ZeroDivisionError")],
)
def test_an_advice_that_cannot_be_taken_is_said(advised: Any, problem: str, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider()
    provider.get_meter("x").create_histogram("took", explicit_bucket_boundaries_advisory=advised).record(1)

    [made] = provider.instruments.values()
    assert list(made.bounds) == list(BUCKETS)
    assert "is not taken" in caplog.text
    assert problem in caplog.text


def test_a_whole_number_that_otlp_does_not_have_is_sent_as_text() -> None:
    provider = Provider()
    provider.get_meter("x").create_counter("calls").add(1, {"order": 2**70, "other": -(2**63)})

    [(key, _)] = [each for each in sent_by(provider).items() if each[0][1] == "calls"]
    assert key[4] == (("order", "str", str(2**70)), ("other", "int", str(-(2**63))))


def test_the_attributes_of_a_scope_keep_their_types_and_equal_ones_are_one_scope() -> None:
    provider = Provider()
    about: dict[str, Any] = {"b": 5, "a": "x", "list": [1, True], "object": object()}
    meter = provider.get_meter("x", "1", "https://example.com", about)
    meter.create_counter("calls").add(1)
    again = provider.get_meter("x", "1", "https://example.com", dict(about))

    data = together(Resource({}), collect([], list(provider.instruments.values())), 1)
    scope = data.resource_metrics[0].scope_metrics[-1].scope
    assert again.create_counter("calls") is meter.create_counter("calls")
    other = provider.get_meter("x", "2", "https://example.com", about)
    assert other.create_counter("calls") is not meter.create_counter("calls")
    assert (meter.name, meter.version, meter.schema_url) == ("x", "1", "https://example.com")
    assert dict(scope.attributes or {}) == {"a": "x", "b": 5, "list": (1, True)}


@pytest.mark.parametrize(("name", "sent"), [("", ""), (None, ""), (5, ""), ("\ud800", "?")])
def test_a_library_without_a_name_is_said_and_its_meter_works(
    name: Any, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider()
    meter = provider.get_meter(name, version=5)  # type: ignore[arg-type]
    meter.create_counter("calls", description=name).add(1)

    assert (meter.name, meter.version) == (name, "")
    assert made_by(provider) == {("calls_total", frozenset()): 1}
    assert [key[:2] for key in sent_by(provider) if key[1] == "calls"] == [(sent, "calls")]
    assert f"get_meter was called with {name!r}" in caplog.text


def test_with_the_sdk_disabled_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    provider = Provider()
    provider.get_meter("x").create_counter("calls").add(1)

    assert provider.instruments == {}


@pytest.mark.parametrize("name", ["", "1a", "a b", "é", "x" * 256, None, 5])
def test_a_name_that_is_none_is_said_and_records_nothing(name: Any, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider()
    meter = provider.get_meter("x")

    meter.create_counter(name).add(1)
    meter.create_histogram(name).record(1)
    meter.create_observable_gauge(name, [lambda _: [Observation(1)]])

    assert provider.instruments == {}
    assert f"{name!r} of x is no name of an instrument" in caplog.text


def generator() -> Iterator[list[Observation]]:
    for value in (1, 2, 3, 4):
        yield [Observation(value, {"from": "generator"})]


def test_callbacks_are_asked_at_each_scrape_and_what_they_do_not_say_is_gone(dropped: Drops) -> None:
    provider = Provider()
    answers = [[Observation(1, {"a": "x"}), Observation(2, {"a": "y"})], [Observation(5, {"a": "y"})]]

    def callback(options: CallbackOptions) -> list[Observation]:
        assert isinstance(options, CallbackOptions)
        return answers.pop(0)

    meter = provider.get_meter("x")
    meter.create_observable_counter("seen", [callback])
    meter.create_observable_gauge("level", [generator()])  # type: ignore[list-item]

    def x(name: str, labels: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
        return name, frozenset(labels.items())

    assert made_by(provider) == {
        x("seen_total", {"a": "x"}): 1,
        x("seen_total", {"a": "y"}): 2,
        x("level", {"from": "generator"}): 2,
    }
    assert made_by(provider) == {x("seen_total", {"a": "y"}): 5, x("level", {"from": "generator"}): 3}
    assert made_by(provider) == {x("level", {"from": "generator"}): 4}
    assert dropped("seen_total") == {"callback_failed": 1}


def ended() -> Iterator[list[Observation]]:
    yield from ()


@pytest.mark.parametrize(
    "callbacks", [5, lambda _: [Observation(1)], [5], [([Observation(1 // below)] for below in (0, 1))], [ended()]]
)
def test_callbacks_that_are_none_are_counted_and_not_raised(callbacks: Any, dropped: Drops) -> None:
    provider = Provider()
    provider.get_meter("x").create_observable_gauge("level", callbacks)

    assert made_by(provider) == {}
    assert dropped("level") == {"callback_failed": 1}


def test_what_is_recorded_in_a_declared_series_is_added_to_it(dropped: Drops) -> None:
    provider = Provider()
    meter = provider.get_meter("x")
    Counter("letters_total", "Letters.", BySide).add(1, {"side": "buy"})  # type: ignore[typeddict-item]
    Gauge("level", "Level.").set(7)
    UpDownCounter("open_letters", "Open.").add(1)
    meter.create_counter("letters").add(2, {"side": "buy"})
    meter.create_counter("letters").add(2, {"side": "up"})
    meter.create_gauge("level").set(2)
    meter.create_up_down_counter("open_letters").add(2)

    found = shown(render(provider=provider))

    assert found["letters_total", frozenset({("side", "buy")})] == 3
    assert ("letters_total", frozenset({("side", "up")})) not in found
    assert found["level", frozenset()] == 7
    assert dropped("letters_total") == {"not_rendered": 1}
    assert dropped("level") == {"not_rendered": 1}


def failing() -> Iterator[float]:
    yield 1
    raise KeyError


@pytest.mark.parametrize(
    ("advice", "bounds"), [((bound for bound in (1, 2)), (1, 2)), (failing(), BUCKETS), (5, BUCKETS), ({1: 2}, (1,))]
)
def test_an_advice_is_read_once_and_one_that_cannot_be_read_is_not_taken(
    advice: Any, bounds: tuple[float, ...], caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider()
    provider.get_meter("x").create_histogram("took", explicit_bucket_boundaries_advisory=advice)

    assert [made.bounds for made in provider.instruments.values()] == [bounds]
    assert ("not taken" in caplog.text) == (bounds == BUCKETS)


class Says:
    """Says that it is a text, as a proxy does."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return str


class Raises:
    """Has methods that raise."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __bool__(self) -> bool:
        raise ZeroDivisionError


class Text(str):
    """A text with methods that raise."""

    __slots__ = ()

    def _raise(self, *_: Any) -> Any:
        raise ZeroDivisionError

    __eq__ = __ne__ = __hash__ = __repr__ = __str__ = __bool__ = _raise
    lower = isascii = encode = __len__ = __format__ = _raise  # type: ignore[assignment]


ODD: dict[str, Callable[[], Any]] = {
    "says": Says,
    "raises": Raises,
    "text": lambda: Text("odd"),
    "object": object,
    "dead": lambda: weakref.proxy(Provider()),
}


@pytest.mark.parametrize("odd", ODD)
def test_no_argument_makes_the_provider_raise(odd: str) -> None:
    given = ODD[odd]()
    provider = Provider()
    good = provider.get_meter("good")
    meters = [
        provider.get_meter(given),
        provider.get_meter("x", given),
        provider.get_meter("x", None, given),
        provider.get_meter("x", attributes=given),
        provider.get_meter("x", attributes={"a": given}),
    ]
    with contextlib.suppress(Exception):  # not every one can be in a dict
        meters.append(provider.get_meter("x", attributes={given: 1}))
    for meter in meters:
        meter.create_counter("jobs").add(1)
    for make in (good.create_counter, good.create_up_down_counter, good.create_gauge, good.create_histogram):
        make(given)
        made = make(f"named_{make.__name__}", given, given)
        assert make(f"named_{make.__name__}", given, given) is made
    good.create_histogram("took", explicit_bucket_boundaries_advisory=given)
    good.create_histogram("took", explicit_bucket_boundaries_advisory=[given])
    good.create_observable_gauge("level", given)
    good.create_observable_counter(given, [given], given, given)
    good.create_counter("jobs").add(1)

    assert made_by(provider)["jobs_total", frozenset()] == len(meters) + 1
    sent = encode_metrics(together(Resource({}), collect([], list(provider.instruments.values())), 1))
    assert sent.SerializeToString()
    for scope, _, name, unit in provider.instruments:
        assert {type(text) for text in (*scope[:3], name, unit)} == {str}


def test_an_attribute_whose_name_cannot_be_sent_costs_no_other_of_the_library() -> None:
    provider = Provider()
    provider.get_meter("x", attributes={"\ud800": 1, "a": 2}).create_counter("jobs").add(1)

    assert [scope.attributes for scope, *_ in provider.instruments] == [(("a", 2),)]


def test_there_are_so_many_instruments_and_no_more_which_is_said_once_and_counted(
    monkeypatch: pytest.MonkeyPatch, dropped: Drops, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("telemetry.provider.INSTRUMENTS_AT_MOST", 10)
    provider = Provider()
    for number in range(15):
        meter = provider.get_meter(f"lib{number}")
        meter.create_counter("jobs").add(1)
        meter.create_histogram("took", explicit_bucket_boundaries_advisory=[1]).record(1)
    provider.get_meter("lib0").create_counter("jobs").add(1)

    assert len(provider.instruments) == 10
    found = made_by(provider)
    assert (found["jobs_total", frozenset()], found["took_count", frozenset()]) == (6, 5)
    assert dropped("__other__") == {"not_rendered": 20}
    assert len(caplog.records) == 1
    assert "there are 10 instruments, so jobs of lib5 records nothing" in caplog.text


def test_a_callback_is_asked_once_though_it_is_given_again(dropped: Drops) -> None:
    provider = Provider()
    asked: list[int] = []

    class Pool:
        """Has a callback."""

        def size(self, _: CallbackOptions) -> list[Observation]:
            asked.append(1)
            return [Observation(len(asked))]

    pool = Pool()
    for _ in range(3):
        provider.get_meter("x").create_observable_gauge("level", [pool.size, pool.size])

    assert made_by(provider) == {("level", frozenset()): 1}
    assert dropped("level") == {}


def test_an_instrument_has_so_many_callbacks_and_no_more(monkeypatch: pytest.MonkeyPatch, dropped: Drops) -> None:
    monkeypatch.setattr("telemetry.provider.CALLBACKS_AT_MOST", 3)
    provider = Provider()
    asked: list[int] = []

    def observe(number: int) -> Any:
        def say(_: CallbackOptions) -> list[Observation]:
            asked.append(number)
            return [Observation(number)]

        return say

    for number in range(5):
        provider.get_meter("x").create_observable_gauge("level", [observe(number)])
    provider.get_meter("x").create_observable_gauge("endless", (observe(number) for number in itertools.count(10)))  # type: ignore[arg-type]

    made_by(provider)
    assert sorted(asked) == [0, 1, 2, 10, 11, 12]
    assert dropped("level") == {"callback_failed": 2}
    assert dropped("endless") == {"callback_failed": 1}
