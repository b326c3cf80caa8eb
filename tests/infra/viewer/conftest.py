"""The viewer in front of servers that note what they are asked, and that of the whole platform."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from infra.viewer.app import create
from tests.infra.grafana.live import SETTINGS, Prometheus, trade
from tests.infra.viewer.serving import Behind, behind, serving
from tests.stack import Stack

expect.set_options(timeout=15_000)  # the pages ask every few seconds, and the machine may be busy


@dataclass(frozen=True)
class Viewing:
    """A running viewer: a client of it, the servers behind it, and its bundle."""

    http: httpx.Client
    prometheus: Behind
    pager: Behind
    bundle: Path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("viewer") / "bundle"


@pytest.fixture(scope="module")
def running(bundle: Path) -> Iterator[Viewing]:
    """With a small bundle and the real dashboards."""
    with (
        behind() as prometheus,
        behind() as pager,
        serving(create(prometheus.url, pager.url, bundle=bundle, seconds=5)) as url,
        httpx.Client(base_url=url, timeout=10) as http,
    ):
        yield Viewing(http, prometheus, pager, bundle)


@pytest.fixture
def viewing(running: Viewing) -> Viewing:
    """As if it had just been started."""
    running.prometheus.reset()
    running.pager.reset()
    folder = running.bundle
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "public" / "fonts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Viewer</title>")
    (folder / "main.js").write_text("export {};\n" * 1000)
    (folder / "chunk-JX5GXWTR.js").write_text("export {};")
    (folder / "public" / "fonts" / "Inter.woff2").write_bytes(b"wOF2")
    (folder.parent / "secret.txt").write_text("secret")
    return running


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The whole platform in a calm market, with some orders."""
    with Stack(SETTINGS) as platform:
        trade(platform)
        yield platform


@pytest.fixture
def viewer(stack: Stack) -> str:
    """The address of its viewer."""
    return stack.addresses["viewer"]


@pytest.fixture(scope="package")
def prometheus(stack: Stack) -> Iterator[Prometheus]:
    """Its Prometheus."""
    asked = Prometheus(stack.addresses["prometheus"])
    yield asked
    asked.close()
