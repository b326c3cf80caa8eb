"""How many workers there should be: who says so, and who is not told because nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

import telemetry
from telemetry import workers
from telemetry.catalogue import workers_expected
from telemetry.collection import collect, exposed
from tests.telemetry.apart import apart
from tests.telemetry.service import small_app

SENDS = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("arguments", "web_concurrency", "number"),
    [
        ("", "", None),
        ("", "4", 4),
        ("--workers 2", "4", 2),
        ("--workers=2", "4", 2),
        ("-w 3", "", 3),
        ("--workers", "4", 4),
        ("--workers many", "4", 4),
        ("", "0", None),
        ("", "many", None),
        ("", "\u00b2", None),
    ],
)
def test_the_number_is_what_the_web_server_was_told(
    arguments: str, web_concurrency: str, number: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["uvicorn", *arguments.split()])
    monkeypatch.setenv("WEB_CONCURRENCY", web_concurrency)

    assert workers.asked() == number


@pytest.mark.parametrize(
    ("arguments", "web_concurrency", "said"),
    [
        ("--workers 4", "", True),
        ("--workers=2", "", True),
        ("-w 3", "", True),
        ("--workers 1", "", False),
        ("--workers", "", False),
        ("", "4", True),
        ("", "1", False),
        ("--workers 1", "4", False),
        ("--reload", "", False),
    ],
)
def test_several_workers_on_one_port_are_warned_of(
    arguments: str, web_concurrency: str, said: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.argv", ["uvicorn", *arguments.split()])
    monkeypatch.setenv("WEB_CONCURRENCY", web_concurrency)

    workers.warn({"otlp"})
    assert caplog.text == ""
    workers.warn({"prometheus"})

    assert ("set OTEL_METRICS_EXPORTER=otlp, so that each sends its own" in caplog.text) is said


def shown(number: int | None = None, *, alone: bool = False) -> list[float]:
    telemetry.init("execution_gateway", None if alone else small_app(), workers=number)
    return [cell[0] for one, cells in collect(exposed()).declared if one is workers_expected for cell in cells.values()]


def shown_to_the_service() -> list[float]:
    return shown()


def shown_when_the_service_says_three() -> list[float]:
    return shown(3)


def shown_when_the_service_says_none_at_all() -> list[float]:
    return shown(0)


def shown_by_a_program_alone() -> list[float]:
    return shown(alone=True)


@pytest.mark.parametrize(
    ("what", "environment", "expected"),
    [
        (shown_to_the_service, {**SENDS, "WEB_CONCURRENCY": "2"}, [2]),
        (shown_to_the_service, {**SENDS, "OTEL_METRICS_EXPORTER": "prometheus,otlp", "WEB_CONCURRENCY": "2"}, [2]),
        (shown_to_the_service, SENDS, []),
        (shown_to_the_service, {"WEB_CONCURRENCY": "2"}, []),
        (shown_when_the_service_says_three, {**SENDS, "WEB_CONCURRENCY": "2"}, [3]),
        (shown_when_the_service_says_three, {}, []),
        (shown_by_a_program_alone, {**SENDS, "WEB_CONCURRENCY": "2"}, []),
    ],
)
def test_only_a_worker_that_sends_its_metrics_shows_the_number_and_only_if_it_is_known(
    what: Any, environment: dict[str, str], expected: list[float]
) -> None:
    assert apart(what, **environment).answer == expected


@pytest.mark.parametrize(("environment", "said"), [({}, True), (SENDS, False)])
def test_init_warns_of_several_workers_that_are_scraped(environment: dict[str, str], said: bool) -> None:
    done = apart(shown_to_the_service, **environment, WEB_CONCURRENCY="2")

    assert ("several workers share one port, so each scrape of /metrics sees another one" in done.log) is said


def test_a_number_that_is_none_is_named_and_not_used() -> None:
    done = apart(shown_when_the_service_says_none_at_all, **SENDS, WEB_CONCURRENCY="2")

    assert done.answer == [2]
    assert "init(workers=0) is not used: it is no whole number above zero" in done.log
