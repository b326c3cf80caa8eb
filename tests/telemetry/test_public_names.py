"""The public names of the library, which must not change by mistake."""

import asyncio
import inspect
import logging
import textwrap
from typing import Annotated, Any, Literal, TypedDict

import pytest
from fastapi import FastAPI

import telemetry
from telemetry.registry import declared


class LetterLabels(TypedDict):
    """The labels of the examples."""

    result: Literal["sent", "lost"]


def test_the_public_names_are_these_and_sorted() -> None:
    assert telemetry.__all__ == [
        "Cause",
        "Counter",
        "DatabaseProbe",
        "Gauge",
        "Histogram",
        "Open",
        "RedisProbe",
        "UpDownCounter",
        "cause",
        "init",
        "set_up_logging",
        "shutdown",
        "span",
    ]
    assert telemetry.__all__ == sorted(telemetry.__all__)
    assert all(hasattr(telemetry, name) for name in telemetry.__all__)


@pytest.mark.parametrize("name", telemetry.__all__)
def test_each_has_an_example_of_three_lines_that_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = inspect.getdoc(getattr(telemetry, name)) or ""
    _, found, example = text.partition("Example:\n\n")
    code = textwrap.dedent(example)
    namespace: dict[str, Any] = {
        **{public: getattr(telemetry, public) for public in telemetry.__all__},
        "Annotated": Annotated, "FastAPI": FastAPI, "LetterLabels": LetterLabels, "TypedDict": TypedDict,
        "another_app": FastAPI(), "asyncio": asyncio, "telemetry": telemetry,
    }  # fmt: skip
    monkeypatch.setattr("telemetry.sdk._init", lambda *_: None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    assert found
    assert len(code.splitlines()) == 3

    async def run() -> None:
        exec(code, namespace)  # noqa: S102  # our own documents

    asyncio.run(run())
    if name in ("Counter", "Gauge", "Histogram", "UpDownCounter"):
        assert any(one in declared for one in namespace)


def test_the_package_has_a_version() -> None:
    assert telemetry.__version__ == "0.1.0"
