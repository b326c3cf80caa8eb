"""/metrics in each format: what is asked for is what is answered, and all say the same."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import pytest
from prometheus_client import parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser

import telemetry
from apps.catalogue import orders_total
from infra.setup.installation import BIN
from telemetry import Counter, Gauge, Histogram, Open, UpDownCounter
from telemetry.answers import Asked, answer
from telemetry.collection import collect
from telemetry.exposition import write
from telemetry.provider import Provider
from telemetry.samples import END
from tests import marks
from tests.telemetry.apart import apart
from tests.telemetry.labels import BySide, labels
from tests.telemetry.service import ORDER, get, small_app

read_text: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
read_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families
GOLDEN = Path(__file__).parent / "golden"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
OPENMETRICS_0 = "application/openmetrics-text; version=0.0.1; charset=utf-8"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;"
    "q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What a Prometheus of today sends."""

FORMATS = [
    ("", TEXT),
    ("*/*", TEXT),
    ("text/html", TEXT),
    ("text/plain;version=0.0.4", TEXT),
    ("text/plain;version=1.0.0;escaping=underscores", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
    ("application/openmetrics-text;version=1.0.0", OPENMETRICS),
    ("APPLICATION/OPENMETRICS-TEXT", OPENMETRICS),
    ("application/openmetrics-text; version = 1.0.0", OPENMETRICS),
    ('application/openmetrics-text;version="1.0.0";escaping=dots', OPENMETRICS),
    ("application/openmetrics-text;version=0.0.1", OPENMETRICS_0),
    ("application/openmetrics-text;version=0.0.1, text/plain", OPENMETRICS_0),
    ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.1", TEXT),
    ("text/plain;q=0.1,application/openmetrics-text;version=1.0.0;q=0.9", OPENMETRICS),
    ("application/openmetrics-text;q=0", TEXT),
    ("application/openmetrics-text;q=abc", TEXT),
    ("application/openmetrics-text;q=-1", TEXT),
    ("application/openmetrics-text;q=\u0661", TEXT),
    ("application/openmetrics-text;version=1.0.0;q=0.5,*/*", TEXT),
    *(
        (f"application/openmetrics-text;version={odd}", TEXT)
        for odd in ("abc", "", "1_0.0", "1.0.0.0.0", "2.0.0", "\u00b2", "1.0.0-\u00e9", "1.0.0\r\nX: y", f"{10**30}.0")
    ),
    ("text/plain;version=x", TEXT),
    ("text/plain;version=1.0.0;escaping=\u00e9", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
    (";;;;,,,=", TEXT),
    (PROMETHEUS, OPENMETRICS.replace("underscores", "allow-utf-8")),
]


def rendered(*, openmetrics: bool, names: Any) -> bytes:
    return f"{openmetrics} {names}".encode()


@pytest.mark.parametrize(("accept", "content_type"), FORMATS, ids=lambda value: value[:45])
def test_the_format_is_the_one_that_is_asked_for(accept: str, content_type: str) -> None:
    body, headers = answer(rendered, Asked(accept))

    assert headers == {"content-type": content_type, "vary": "accept, accept-encoding"}
    assert body == (b"True []" if "openmetrics" in content_type else b"False []")


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("gzip;q=abc", False),
        ("deflate, gzip;q=0, *;q=1", False),
        ("identity;q=1, *;q=0", False),
        ("identity, gzip;q=0.5", False),
    ],
)
def test_the_answer_is_compressed_if_that_is_asked_for(encoding: str, compressed: bool) -> None:
    body, headers = answer(rendered, Asked("", encoding, ["up"]))

    assert headers.get("content-encoding") == ("gzip" if compressed else None)
    assert (gzip.decompress(body) if compressed else body) == b"False ['up']"


@pytest.mark.parametrize(("names", "asked"), [([""], "[]"), (["", "up"], "['up']"), ([], "[]")])
def test_an_empty_name_asks_for_nothing(names: list[str], asked: str) -> None:
    assert answer(rendered, Asked(names=names)).body.decode() == f"False {asked}"


def everything() -> tuple[list[Any], Provider]:
    """A fixed run: each kind of metric, declared and made through the API, and texts that must be escaped."""
    provider = Provider()
    meter = provider.get_meter("a library")
    letters = Counter("letters_total", 'Letters, "sent"\nor \\ lost.', BySide, unit="{letter}")
    letters.add(3, {"side": "buy"})  # type: ignore[typeddict-item]
    busy = Counter("busy_seconds_total", "Time.", unit="s")
    busy.add(1.5)
    waiting = Gauge("waiting_bytes", "Waiting.", labels(place=Annotated[str, Open()]), unit="By")
    for place, amount in (('a "quoted"\n\\ place', 2**40), ("é", -0.25), ('handle="5"}', 2.0)):
        waiting.set(amount, {"place": place})
    odd = Gauge("places_total", "A name that others have chosen.", named_like_a_counter=True)
    odd.set(4)
    connections = UpDownCounter("connections", "Open.", unit="{connection}")
    connections.add(2)
    took = Histogram("took_seconds", "Time.", labels(handle=Annotated[str, Open()]), unit="s", buckets=(0.5, 1, 10))
    for amount in (0.25, 0.5, 7, 99):
        took.record(amount, {"handle": '5"} %s'})
    meter.create_counter("http.requests", "{request}", "Requests.").add(2, {"http.status": 200, "ok": True})
    meter.create_histogram("their.size", "By", "Size.", explicit_bucket_boundaries_advisory=[1, 2.5]).record(2)
    return [letters, busy, waiting, odd, connections, took], provider


def text_of_everything(*, openmetrics: bool) -> bytes:
    metrics, provider = everything()
    collected = collect(metrics, list(provider.instruments.values()))
    collected.declared[:] = [each for each in collected.declared if each[0] in metrics]  # not those that count series
    return b"".join(write(collected, openmetrics=openmetrics)) + (END if openmetrics else b"")


@pytest.mark.parametrize(("file", "openmetrics"), [("text.txt", False), ("openmetrics.txt", True)])
def test_a_fixed_run_is_written_as_the_golden_file_has_it(file: str, openmetrics: bool) -> None:
    assert text_of_everything(openmetrics=openmetrics).decode() == (GOLDEN / file).read_text()


def samples(families: Iterable[Metric]) -> dict[Any, float]:
    return {
        (
            sample.name,
            *sorted((name, float(value) if name == "le" else value) for name, value in sample.labels.items()),
        ): (sample.value)
        for family in families
        for sample in family.samples
    }


def test_both_formats_are_valid_and_say_the_same() -> None:
    text = (GOLDEN / "text.txt").read_text()
    openmetrics = (GOLDEN / "openmetrics.txt").read_text()

    assert samples(read_text(text)) == samples(read_openmetrics(openmetrics))
    assert len(samples(read_text(text))) == 20
    assert {family.name: family.unit for family in read_openmetrics(openmetrics) if family.unit} == {
        "busy_seconds": "seconds",
        "waiting_bytes": "bytes",
        "took_seconds": "seconds",
        "their_size_bytes": "bytes",
    }


def a_service_that_is_asked(accept: str) -> dict[str, Any]:
    app = small_app()
    telemetry.init("execution_gateway", app)
    orders_total.add(2, ORDER)
    named = "/metrics?name[]=orders_total&name[]=event_loop_lag_seconds_sum&name[]=target_info&name[]=python_info"
    whole, some = get(app, "/metrics", named, Accept=accept)
    return {
        "whole": whole.text,
        "some": some.text,
        "type": whole.headers["content-type"],
        "headers": dict(some.headers),
    }


@pytest.mark.parametrize("accept", ["text/plain", PROMETHEUS])
def test_a_service_answers_whole_or_the_metrics_with_some_names(accept: str) -> None:
    answered = apart(a_service_that_is_asked, accept).answer
    read = read_openmetrics if accept == PROMETHEUS else read_text

    families = [family.name for family in read(answered["whole"])]
    assert len(set(families)) == len(families) > 30
    some = [family.name.removesuffix("_info").removesuffix("_total") for family in read(answered["some"])]
    assert some == ["event_loop_lag_seconds", "orders", "python", "target"]
    assert answered["headers"]["content-encoding"] == "gzip"


@pytest.mark.server
def test_promtool_has_nothing_to_say_of_what_a_service_answers() -> None:
    marks.starts("promtool")
    text = apart(a_service_that_is_asked, "text/plain").answer["whole"]

    def checked(given: str) -> tuple[int, str]:
        command = [str(BIN / "promtool"), "check", "metrics"]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    assert checked(text) == (0, "")
    assert checked((GOLDEN / "text.txt").read_text())[0] == 3, "it would say what it does not like, as places_total"
