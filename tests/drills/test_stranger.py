"""A stranger's project: an environment of its own, the wheel, a metric of its own, and a test of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks

pytestmark = [pytest.mark.drill, pytest.mark.integration, pytest.mark.timeout(300)]

UV = Path(sys.executable).with_name("uv")
README = ROOT / "telemetry" / "README.md"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", place, ROOT, cwd=place)
    [built] = place.glob("*.whl")
    return built


def project(place: Path, wheel: Path, *packages: str) -> Path:
    """An environment with the wheel and these packages. Returns its Python."""
    run(UV, "venv", "--quiet", "--no-project", "--python", sys.executable, place / "env", cwd=place)
    python = place / "env" / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, *packages, cwd=place)
    assert wheel.is_file()
    return python


@pytest.mark.parametrize("fastapi", ["fastapi==0.115.*", "fastapi==0.141.*", "fastapi"])
def test_the_readmes_service_and_its_test_run_with_each_fastapi_and_without_redis_and_asyncpg(
    tmp_path: Path, wheel: Path, fastapi: str
) -> None:
    python = project(tmp_path, wheel, f"{wheel}[fastapi]", fastapi, "pytest", "httpx", "mypy")
    service, test = blocks(README, "python")
    (tmp_path / "service.py").write_text(service)
    (tmp_path / "test_service.py").write_text(
        "from fastapi.testclient import TestClient\nfrom service import LetterLabels, app, letters_total\n\n"
        f"client = TestClient(app)\n\n\n{test}\n\n"
        "def test_metrics_are_shown():\n"
        "    text = client.get('/metrics').text\n"
        '    assert \'letters_total{office="north",result="sent"} 1\' in text\n'
        "    assert 'http_server_request_duration_seconds_count{' in text\n"
    )

    said = run(python, "-m", "pytest", "-q", cwd=tmp_path)
    installed = {
        one["name"] for one in json.loads(run(UV, "pip", "list", "--python", python, "--format=json", cwd=tmp_path))
    }

    assert "2 passed" in said
    assert installed & {"redis", "asyncpg", "opentelemetry-exporter-otlp-proto-http"} == set()
    assert run(python, "-m", "mypy", "--strict", "service.py", cwd=tmp_path).startswith("Success")
    shown = run(python, "-m", "telemetry", "catalogue", "service", cwd=tmp_path)
    assert "letters_total\tcounter\tevery service\toffice, result\tLetters that were taken." in shown


def test_the_wheel_alone_shows_its_own_metrics_and_has_types_a_licence_and_a_page(tmp_path: Path, wheel: Path) -> None:
    python = project(tmp_path, wheel, str(wheel))

    assert "build_info" in run(python, "-m", "telemetry", "catalogue", cwd=tmp_path)
    files = run(python, "-m", "zipfile", "-l", wheel, cwd=tmp_path)
    assert "telemetry/py.typed" in files
    assert "licenses/LICENSE" in files
    page = run(
        python,
        "-c",
        "import importlib.metadata as m; print(m.metadata('trading-telemetry')['Description'])",
        cwd=tmp_path,
    )
    assert page.startswith("# trading-telemetry")
    done = subprocess.run(
        [python, "-m", "telemetry", "catalogue", "nowhere"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (2, "the metrics cannot be printed: No module named 'nowhere'\n")
