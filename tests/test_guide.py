"""The guide to a service of one's own: every block is run, in a clean folder beside a copy of this one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from infra.local.addresses import PORTS
from infra.setup.installation import BIN
from infra.viewer.app import create
from tests import curl, marks
from tests.browser import Visits, chromium
from tests.documents import ROOT, fenced, prose
from tests.infra.viewer.serving import serving
from tests.services import free_port
from tests.telemetry.pipeline import pipeline_running, query
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

GUIDE = ROOT / "docs" / "IMPLEMENTATION_GUIDES" / "p1.3t1-monitoring-alerting.md"
LAST_JOB = '- targets: ["${env:MARKET_DATA_TARGET:-127.0.0.1:8004}"]\n'
ALERTS = "infra/prometheus/alerts.yml"


@dataclass(frozen=True)
class Blocks:
    """The blocks of the guide, in their order."""

    environment: str
    service: str
    test: str
    run_the_test: str
    run_the_service: str
    look: str
    shown: str
    job: str
    check_the_job: str
    start: str
    ask: str
    rule: str
    check_the_rule: str
    lose_a_letter: str
    panel: str
    show: str
    draw: str


BLOCKS = Blocks(*(text for _, text in fenced(GUIDE)))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this folder without what was set up in it, but for the programs."""
    copy = tmp_path_factory.mktemp("guide") / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    (copy / ".local").mkdir()
    (copy / ".local" / "bin").symlink_to(BIN)
    return copy


@pytest.fixture(scope="module")
def post_office(checkout: Path) -> Path:
    """The service's folder, with the library, and the two files of the guide."""
    shell(BLOCKS.environment, checkout)
    folder = checkout.parent / "post-office"
    (folder / "post_office.py").write_text(BLOCKS.service)
    (folder / "test_post_office.py").write_text(BLOCKS.test)
    return folder


def shell(commands: str, folder: Path) -> str:
    """Runs the commands as they stand there; `python3` is the Python of these tests."""
    path = f"{Path(os.path.realpath(sys.executable)).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def port(post_office: Path) -> Iterator[int]:
    """Where the service listens."""
    marks.starts("the post office")
    listening = free_port()
    [command] = BLOCKS.run_the_service.replace("8005", str(listening)).splitlines()
    with (post_office / "log").open("wb") as log:
        process = subprocess.Popen(command.split(), cwd=post_office, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{listening}/metrics"), 20, "the post office answers")
        yield listening
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_its_test_passes(post_office: Path) -> None:
    said = shell(BLOCKS.run_the_test, post_office)

    assert "1 passed" in said
    assert "warning" not in said


def test_metrics_show_what_the_guide_says(port: int) -> None:
    *_, metrics = (curl.send(command, lambda url: url.replace("8005", str(port))) for command in lines(BLOCKS.look))

    assert [line for line in metrics.text.splitlines() if line in lines(BLOCKS.shown)] == lines(BLOCKS.shown)


def lines(block: str) -> list[str]:
    return block.strip().splitlines()


def test_the_job_the_rule_and_the_panel_work(checkout: Path, post_office: Path, port: int) -> None:
    insert(checkout / "collector" / "config.yaml", BLOCKS.job.replace("8005", str(port)))
    assert shell(BLOCKS.check_the_job, checkout) == ""
    rules = checkout / ALERTS
    rules.write_text(rules.read_text() + BLOCKS.rule)
    shell(BLOCKS.check_the_rule, checkout)
    panels = json.loads(BLOCKS.panel)["panels"]
    drawn = [target["expr"] for panel in panels for target in panel["targets"]]

    with pipeline_running(checkout=checkout, rules=ALERTS) as running:

        def here(url: str) -> str:
            return url.replace("8005", str(port)).replace("http://127.0.0.1:9090", running.prometheus)

        def ask(command: str) -> dict[str, str]:
            found = curl.send(command, here).json()["data"]["result"]
            return {one["metric"].get("result", ""): one["value"][1] for one in found}

        up, by_result = lines(BLOCKS.ask)
        wait_until(lambda: ask(up) == {"": "1"}, 20, "the job is up")
        assert {result: float(text) > 0 for result, text in ask(by_result).items()} == {"lost": True, "sent": False}

        begun = time.monotonic()
        firing = 'ALERTS{alertname="LettersLost", alertstate="firing"}'
        wait_until(lambda: lost(here) and query(running.prometheus, firing), 60, "the alert fires", every=1)
        assert time.monotonic() - begun < 30, "half a minute, says the guide"
        assert [float(ask(command)["lost"]) > 0 for command in lines(BLOCKS.draw)] == [True]
        assert [f"query={expression}" in BLOCKS.draw for expression in drawn] == [True]
        (post_office / "dashboard.json").write_text(BLOCKS.panel)
        with serving(create(running.prometheus, "http://127.0.0.1:9", boards=[post_office])) as viewer:
            assert "Letters by result" in asyncio.run(seen(f"{viewer}/d/post-office"))


async def seen(url: str) -> str:
    """The words of a page of the viewer, once it has drawn a series."""
    async with chromium() as running:
        visits = Visits(running)
        page = await visits.open(url)
        await page.get_by_text("lost", exact=True).first.wait_for()
        words = await page.locator("main").inner_text()
        await visits.close()
    assert visits.unexpected() == []
    return words


def insert(configuration: Path, job: str) -> None:
    before, found, after = configuration.read_text().partition(LAST_JOB)
    assert found, "the last of the four jobs"
    configuration.write_text(before + found + job + after)


def lost(here: Callable[[str], str]) -> bool:
    [command] = lines(BLOCKS.lose_a_letter)
    return curl.send(command, here).is_success


def test_the_files_have_the_names_that_the_guide_says() -> None:
    text = prose(GUIDE)

    for file in ("post_office.py", "test_post_office.py", "collector/config.yaml", ALERTS, "dashboard.json"):
        assert f"`{file}`" in text
    assert lines(BLOCKS.start) == ["make up"]
    assert lines(BLOCKS.show) == ["DASHBOARDS=../post-office make up"]
    assert f"http://127.0.0.1:{PORTS['viewer']}/d/post-office" in text
