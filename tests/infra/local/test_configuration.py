"""What Prometheus reads in a run: the committed files, with this run's ports in place of the usual ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infra.local import configuration
from infra.local.addresses import PORTS, Addresses

ADDRESSES = Addresses({name: port + 10000 for name, port in PORTS.items()}, "/s.sock", "postgresql://x", "unix:///r")


@pytest.mark.parametrize(
    ("file", "ports"),
    [
        ("otel-collector.yml", [18888]),
        ("prometheus.yml", [19090]),
        ("alertmanager.yml", [19093]),
        ("metadata.yml", [18001, 18002, 18003, 18004]),
    ],
)
def test_targets_are_those_of_this_run(tmp_path: Path, file: str, ports: list[int]) -> None:
    configuration.write_prometheus(tmp_path / "prometheus", ADDRESSES)

    [group] = yaml.safe_load((tmp_path / "prometheus" / "targets" / file).read_text())
    assert group == {"targets": [f"127.0.0.1:{port}" for port in ports]}


def test_every_file_of_targets_that_prometheus_is_to_read_is_written(tmp_path: Path) -> None:
    main = configuration.write_prometheus(tmp_path / "prometheus", ADDRESSES)

    read = {
        file
        for job in yaml.safe_load(main.read_text())["scrape_configs"]
        for discovery in job["file_sd_configs"]
        for file in discovery["files"]
    }
    assert read == {f"targets/{file.name}" for file in (main.parent / "targets").iterdir()}


def test_every_rule_file_that_prometheus_is_to_read_is_written(tmp_path: Path) -> None:
    main = configuration.write_prometheus(tmp_path / "prometheus", ADDRESSES)
    configuration.write_prometheus(main.parent, ADDRESSES)  # at each start again

    read = yaml.safe_load(main.read_text())["rule_files"]
    rules = {f"rules/{file.name}" for file in (configuration.PROMETHEUS / "rules").iterdir()}
    assert set(read) == {"alerts.yml", *rules}
    for file in read:
        assert (main.parent / file).read_text() == (configuration.PROMETHEUS / file).read_text()


def test_runbooks_and_dashboards_are_where_the_pager_and_the_viewer_of_this_run_are(tmp_path: Path) -> None:
    main = configuration.write_prometheus(tmp_path / "prometheus", ADDRESSES)

    assert yaml.safe_load(main.read_text())["global"]["external_labels"] == {
        "runbooks": "http://127.0.0.1:19099/runbooks",
        "dashboards": "http://127.0.0.1:13000",
    }
