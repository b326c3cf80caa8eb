"""Writes the configuration of Prometheus and Alertmanager: the committed files with the ports of this run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.alertmanager import destinations
from infra.failure import Failure
from infra.local.addresses import HOST, PORTS, Addresses
from infra.setup.installation import ROOT

PROMETHEUS = ROOT / "infra" / "prometheus"
ALERTMANAGER = ROOT / "infra" / "alertmanager" / "config.yml"


def write_prometheus(folder: Path, addresses: Addresses) -> Path:
    """Copies the configuration and every rule file, and points the targets at this run. Returns the main file."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "targets").mkdir(parents=True)
    for source in PROMETHEUS.glob("*.yml"):
        shutil.copy(source, folder)
    shutil.copytree(PROMETHEUS / "rules", folder / "rules")
    here = {f"{HOST}:{port}": addresses.target(name) for name, port in PORTS.items()}
    for source in (PROMETHEUS / "targets").glob("*.yml"):
        groups = yaml.safe_load(source.read_text())
        for group in groups:
            group["targets"] = [here[usual] for usual in group["targets"]]
        (folder / "targets" / source.name).write_text(yaml.safe_dump(groups))
    configuration = folder / "prometheus.yml"
    text = configuration.read_text()
    # Every page carries the address of its runbook, which the pager has, and of its dashboard, which the viewer has.
    for name in ("pager", "viewer"):
        text = text.replace(f"http://{HOST}:{PORTS[name]}", addresses.url(name))
    configuration.write_text(text)
    return configuration


def write_alertmanager(folder: Path, pager_url: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Writes config.yml into the folder and returns where pages go."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        rendered = destinations.render(ALERTMANAGER, destinations.secrets_folder(ROOT, environment), pager_url)
    except destinations.DestinationsError as error:
        raise Failure(f"{error} Nothing was started.") from None
    (folder / "config.yml").write_text(rendered.text)
    return rendered.destinations
