"""The image, as far as it can be made without Docker: the Dockerfile's packages, its files, and what it starts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.infra.docker.compose import ROOT, SERVICES, command

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
IGNORE = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
OURS = [name for name in SERVICES if "build" in SERVICES[name]]


def copied() -> list[tuple[str, str]]:
    """Source and target of every COPY from the repository."""
    found = []
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        found += [(source, target) for source in sources]
    return found


def sent(path: str) -> bool:
    """Whether .dockerignore lets it through: the last line that matches decides."""
    decision = True
    for rule in IGNORE:
        pattern = rule.removeprefix("!")
        if pattern == "*" or path == pattern or path.startswith(f"{pattern}/"):
            decision = rule.startswith("!")
    return decision


def environment(image: Path) -> Mapping[str, str]:
    return {"PATH": f"{image}/venv/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with /venv and /srv as the Dockerfile makes them."""
    place = tmp_path_factory.mktemp("image")
    [install] = re.findall(r"(uv pip install .+)$", DOCKERFILE, re.MULTILINE)
    install = install.replace("/venv", str(place / "venv/bin/python")).replace("--no-cache ", "")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "venv"], check=True)
    path = f"{uv.parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-ec", f"{install} --quiet"], cwd=ROOT, env={**os.environ, "PATH": path}, check=True)
    for source, target in copied():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place / "srv" / target, ignore=shutil.ignore_patterns("__pycache__", "go"))
    return place


def test_every_file_that_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    assert {source for source, _ in copied()} >= {"apps", "telemetry", "infra", "requirements.lock"}
    assert [source for source, _ in copied() if not (ROOT / source).exists() or not sent(source)] == []


@pytest.mark.parametrize(
    "path", [".git", ".venv", ".local", "secrets", ".env", "infra/setup/go/builder/go.mod", "infra/viewer/app.py"]
)
def test_what_is_not_needed_or_secret_stays_outside(path: str) -> None:
    assert not sent(path)


def test_packages_are_those_of_the_lock_with_their_hashes() -> None:
    assert "--require-hashes --constraints requirements.lock" in DOCKERFILE
    assert "pip install --no-cache-dir --require-hashes -r uv.txt" in DOCKERFILE


@pytest.mark.server
@pytest.mark.parametrize("name", [name for name in OURS if "uvicorn" in command(name)])
def test_a_container_has_all_that_its_application_imports(image: Path, name: str) -> None:
    [module] = [argument.removesuffix(":app") for argument in command(name) if argument.endswith(":app")]
    subprocess.run(
        [image / "venv/bin/python", "-c", f"import {module}"], cwd=image / "srv", env=environment(image), check=True
    )


@pytest.mark.server
def test_preparation_can_run(image: Path) -> None:
    assert command("preparation")[:3] == ["python", "-m", "infra.docker.prepare"]
    subprocess.run([image / "venv/bin/python", *command("preparation")[1:3], "--help"], cwd=image / "srv", check=True)


@pytest.mark.server
def test_the_pager_has_the_runbooks(image: Path) -> None:
    show = "from infra.pager import view; assert 'id=\"collectordown\"' in view.runbooks_html()"
    subprocess.run([image / "venv/bin/python", "-c", show], cwd=image / "srv", env=environment(image), check=True)


def test_nothing_runs_as_root() -> None:
    [user] = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)

    assert DOCKERFILE.rstrip().endswith(f"USER {user}:{user}")
    assert int(user) > 0


def test_a_volume_that_is_written_to_is_given_its_owner_in_the_image() -> None:
    made = set(re.findall(r" (/[\w/]+)", "".join(re.findall(r"install -d [^&\n]+", DOCKERFILE))))

    for name in OURS:
        writable = [volume for volume in SERVICES[name].get("volumes", []) if not volume.endswith(":ro")]
        assert {volume.rpartition(":")[2] for volume in writable} <= made
