"""What the containers read and keep: files of the repository, volumes, and what preparation writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.infra.docker.compose import COMPOSE, NATIVE, ROOT, SERVICES, TEXT, command, flags, mounts

OUR_SERVICES = {"orchestrator", "execution-gateway", "signal-service", "market-data-service"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_file_that_is_mounted_is_in_the_repository(name: str) -> None:
    for source in mounts(name):
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
        elif source != "${ALERTMANAGER_SECRETS:-./secrets}":
            assert source in COMPOSE["volumes"]


def test_every_volume_is_used() -> None:
    assert {source for name in SERVICES for source in mounts(name) if source in COMPOSE["volumes"]} == set(
        COMPOSE["volumes"]
    )


def test_prometheus_finds_its_targets_beside_its_configuration() -> None:
    folder = mounts("prometheus")["./infra/prometheus"]
    assert flags(command("prometheus"))["--config.file"] == f"{folder}/prometheus.yml"
    assert mounts("prometheus")["./infra/prometheus/targets.compose"] == f"{folder}/targets"
    native_ports, ports = (
        {
            file.name: [
                {**group, "targets": [target.rpartition(":")[2] for target in group["targets"]]}
                for group in yaml.safe_load(file.read_text())
            ]
            for file in place.iterdir()
        }
        for place in (ROOT / "infra/prometheus/targets", ROOT / "infra/prometheus/targets.compose")
    )
    assert ports == native_ports


def test_prometheus_finds_its_rules_beside_its_configuration() -> None:
    settings = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())

    for file in settings["rule_files"]:
        assert (ROOT / "infra/prometheus" / file).exists()


def test_the_collector_has_the_very_configuration_that_runs_natively() -> None:
    [native_file] = [Path(value) for value in flags(NATIVE["collector"].command[1:]).values()]

    assert mounts("collector")[f"./{native_file.relative_to(ROOT)}"] == flags(command("collector"))["--config"]


def test_what_must_outlive_a_container_is_in_a_volume() -> None:
    assert mounts("collector")["collector-queue"] == SERVICES["collector"]["environment"]["COLLECTOR_QUEUE_DIR"]
    assert mounts("collector")["collector-queue"] == SERVICES["collector"]["environment"]["COLLECTOR_DISK"]
    assert mounts("pager")["pager-data"] == SERVICES["pager"]["environment"]["PAGER_DATA"]
    assert mounts("prometheus")["prometheus-data"] == flags(command("prometheus"))["--storage.tsdb.path"]
    assert mounts("alertmanager")["alertmanager-data"] == flags(command("alertmanager"))["--storage.path"]
    assert mounts("postgres")["postgres-data"] == "/var/lib/postgresql"  # the image's own place, from 18 on
    assert mounts("grafana")["grafana-data"] == "/var/lib/grafana"  # the image's own place


def test_what_preparation_writes_is_where_the_others_read_it() -> None:
    arguments = command("preparation")
    given = dict(zip(arguments[3::2], arguments[4::2], strict=True))

    assert given["--configuration"] == mounts("preparation")["alertmanager-configuration"]
    configuration = mounts("alertmanager")["alertmanager-configuration"]
    assert flags(command("alertmanager"))["--config.file"] == f"{configuration}/config.yml"
    # The rendered configuration names the secrets' files where Alertmanager has them.
    [secrets] = [source for source in mounts("preparation") if "secrets" in source]
    assert given["--secrets"] == mounts("preparation")[secrets] == mounts("alertmanager")[secrets]
    assert given["--database"] == mounts("preparation")["database-password"] == mounts("postgres")["database-password"]
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"] == f"{given['--database']}/password"
    for name in OUR_SERVICES:
        assert SERVICES[name]["environment"]["PGPASSFILE"] == f"{mounts(name)['database-password']}/pgpass"


def test_whoever_reads_what_preparation_writes_waits_for_it() -> None:
    shared = {"alertmanager-configuration", "database-password", "collector-queue"}
    readers = {name for name in SERVICES if shared & mounts(name).keys()} - {"preparation"}

    assert readers == {*OUR_SERVICES, "postgres", "collector", "alertmanager"}
    for name in readers:
        assert SERVICES[name]["depends_on"] == {"preparation": {"condition": "service_completed_successfully"}}


def test_no_password_is_written_down() -> None:
    assert re.findall(r"://\w*:[^@/\s]+@", TEXT) == []
    for name in SERVICES:
        for variable, value in SERVICES[name].get("environment", {}).items():
            if re.search(r"PASS|SECRET|TOKEN|KEY", variable):
                assert re.fullmatch(r"\$\{\w+:\?.+\}|/run/database/\w+", value), variable


def test_grafana_reads_the_dashboards_and_starts_with_the_overview() -> None:
    folder = mounts("grafana")["./infra/grafana/dashboards"]
    provider = yaml.safe_load((ROOT / "infra/grafana/dashboards/provider.yml").read_text())
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert [each["options"]["path"] for each in provider["providers"]] == [folder]
    assert home == f"{folder}/trading-overview.json"
    assert (ROOT / "infra/grafana/dashboards/trading-overview.json").exists()
