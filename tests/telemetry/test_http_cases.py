"""What the request metrics say in each case of a table: FastAPI's own telemetry, an older FastAPI, and Starlette."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests import marks
from tests.documents import ROOT
from tests.telemetry.http_cases import BACKGROUND_SECONDS, HOSTILE

PAGE = ROOT / "docs" / "http-requests.md"
SOURCES = ("FastAPI", "FastAPI 0.141", "Starlette")
OWN = "FastAPI"
"""The source with telemetry of its own. The two others are measured by packages of opentelemetry-instrumentation."""

NOTHING = "not measured"

# Method, route, status, and (error_type). The second text is what an instrumentation says where it says something else.
TABLE: dict[str, str | tuple[str, str]] = {
    "route template": "GET /items/{item_id} 200, 2 times",
    "included router": "GET /v1/orders/{order_id} 200",
    "404": "GET - 404, 2 times",
    "405": "POST /items/{item_id} 405",
    "422": "GET /v1/orders/{order_id} 422",
    "slash redirect": ("GET /items/{item_id} 307", "GET - 307"),
    "handled: HTTPException": "GET /conflict 409",
    "handled: exception handler": "GET /known 418",
    "unhandled exception": ("GET /crash 500 (ValueError)", "GET /crash 500 (500)"),
    "503 of /health": "GET /health 503 (503)",
    "refused by a middleware": ("GET - 403", "GET /items/{item_id} 403"),
    "stream that breaks half-way": ("GET /broken 200 (ValueError)", "GET /broken 200"),
    "client leaves a stream": ("GET /endless 200 (ConnectionError)", "GET /endless 200"),
    "client leaves before the answer": "GET /slow 200",
    "client leaves, the handler sees it": "GET /waiting 200",
    "background task": "GET /background 200",
    "mounted app": "GET /shop/things/{thing} 200, 2 times",
    "mounted app: 404": "GET /shop/{path} 404",
    "mounted app: unhandled exception": ("GET /shop/crash 500 (ValueError)", "GET /shop/crash 500 (500)"),
    "mounted app: a /metrics of its own": "GET /shop/metrics 200",
    "mounted Starlette": ("GET /starlette/{path} 200", "GET /starlette/things/{thing} 200"),
    "mounted routes": ("GET /group/{path} 200", "GET /group/things/{thing} 200"),
    "mounted plain ASGI": "GET /raw/{path} 200",
    "route by host": ("GET - 200, 2 times", "GET /of/{tenant} 200, 2 times"),
    "HEAD": "HEAD /items/{item_id} 200",
    "OPTIONS": "OPTIONS /items/{item_id} 405",
    "unknown method": "_OTHER - 404; _OTHER /items/{item_id} 405",
    "method in small letters": ("_OTHER /items/{item_id} 405", "GET /items/{item_id} 405"),
    "number too long for int": ("GET - 500 (ValueError)", "GET - 500 (500)"),
    "websocket": NOTHING,
    "/metrics": NOTHING,
    "HEAD /metrics": NOTHING,
    "POST /metrics": "POST /metrics 405",
    "almost /metrics": (
        "GET - 404, 4 times; GET /metrics 200; GET /metrics 307",
        "GET - 307; GET - 404, 4 times; GET /metrics 200",
    ),
    "/metrics of a route": "GET /x/metrics 200",
    "excluded by pattern": NOTHING,
    "excluded pattern in Host and query": "GET /items/{item_id} 200",
    "--root-path /api: route": "GET /api/items/{item_id} 200",
    "--root-path /api: 404": "GET - 404",
    "--root-path /api: /metrics": NOTHING,
    "--root-path /api: /metrics of a route": "GET /api/x/metrics 200",
    "FastAPI(root_path='/api'): route": "GET /api/items/{item_id} 200",
    "FastAPI(root_path='/api'): 404": "GET - 404",
    "FastAPI(root_path='/api'): /metrics": NOTHING,
    "FastAPI(root_path='/api'): /metrics of a route": "GET /api/x/metrics 200",
    "init after the start: route template": "GET /items/{item_id} 200, 2 times",
    "init after the start: unhandled exception": ("GET /crash 500 (ValueError)", "GET /crash 500 (500)"),
}

Answers = Mapping[str, Any]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """What each source said in each case."""
    marks.starts("uvicorn")
    older = environment(tmp_path_factory.mktemp("older"), "fastapi==0.141.*")
    programs = {
        OWN: (sys.executable, "fastapi"),
        "FastAPI 0.141": (older, "fastapi"),
        "Starlette": (sys.executable, "starlette"),
    }
    with ThreadPoolExecutor() as threads:
        return dict(zip(SOURCES, threads.map(lambda source: _answers(*programs[source]), SOURCES), strict=True))


def environment(place: Path, *packages: str) -> str:
    """An environment with these packages, and what telemetry needs in the versions of this one. Returns its Python."""
    uv, python = Path(sys.executable).with_name("uv"), place / "bin" / "python"
    same = ("instrumentation-asgi", "instrumentation-fastapi", "sdk", "exporter-prometheus")
    names = ["uvicorn", *(f"opentelemetry-{name}" for name in same)]
    wanted = [*packages, *(f"{name}=={version(name)}" for name in names)]
    commands: list[list[str | Path]] = [
        [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(place)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *wanted],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return str(python)


def _answers(python: str, kind: str) -> Answers:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "COVERAGE_"))}
    done = subprocess.run(
        [python, "-m", "tests.telemetry.http_cases", kind],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT), "OTEL_PYTHON_EXCLUDED_URLS": "excluded$"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found: Answers = json.loads(done.stdout.splitlines()[-1])
    return found


def said(answer: Answers) -> str:
    """The series that a case added, as the table says them."""
    series = []
    for one in answer["series"]:
        assert (one["url_scheme"], one["network_protocol_version"]) == ("http", "1.1")
        text = f"{one['http_request_method']} {one.get('http_route', '-')} {one['http_response_status_code']}"
        error = f" ({one['error_type']})" if "error_type" in one else ""
        times = f", {one['count']} times" if one["count"] > 1 else ""
        series.append(text + error + times)
    return "; ".join(sorted(series)) or NOTHING


def column(source: str) -> dict[str, str]:
    """The column of the table for a source, without the cases that Starlette does not have."""
    only_fastapi = ("422", "included router") if source == "Starlette" else ()
    return {
        case: texts if isinstance(texts, str) else texts[source != OWN]
        for case, texts in TABLE.items()
        if case not in only_fastapi and not (source == "Starlette" and case.startswith("FastAPI("))
    }


def markdown() -> str:
    """The table as it stands in the documentation."""
    lines = ["| Case | FastAPI >= 0.142.4 | older FastAPI, Starlette |", "|---|---|---|"]
    for case, texts in TABLE.items():
        own, other = (texts, "the same") if isinstance(texts, str) else texts
        lines.append(f"| {case} | {own} | {other} |")
    return "\n".join(lines)


@pytest.mark.server
@pytest.mark.parametrize("source", SOURCES)
def test_each_case_is_counted_as_the_table_says(source: str, answers: dict[str, Answers]) -> None:
    cases = {case: answer for case, answer in answers[source].items() if case not in ("hostile", "names")}

    assert {case: said(answer) for case, answer in cases.items()} == column(source)
    assert {case: answer["still active"] for case, answer in cases.items()} == dict.fromkeys(cases, 0)


@pytest.mark.server
@pytest.mark.parametrize("source", SOURCES)
def test_the_time_of_background_tasks_counts_in_an_instrumentation_only(
    source: str, answers: dict[str, Answers]
) -> None:
    assert (answers[source]["background task"]["seconds"] >= BACKGROUND_SECONDS) is (source != OWN)


@pytest.mark.server
@pytest.mark.parametrize("source", SOURCES)
def test_a_hostile_client_makes_few_series_and_writes_no_label(source: str, answers: dict[str, Answers]) -> None:
    hostile = answers[source]["hostile"]

    assert hostile["requests"] == HOSTILE, "each was counted, none twice"
    assert hostile["series"] <= 6 * 3 * 2, "five routes or none, GET, POST or another method, version 1.0 or 1.1"
    assert hostile["still active"] == 0
    assert hostile["forged"] == []


@pytest.mark.server
@pytest.mark.parametrize("source", SOURCES)
def test_each_source_has_the_same_two_metrics(source: str, answers: dict[str, Answers]) -> None:
    assert answers[source]["names"] == ["http_server_active_requests", "http_server_request_duration_seconds"]


def test_the_documentation_has_the_table() -> None:
    assert markdown() in PAGE.read_text()
