"""The table of processes: what is started, on which addresses, and with what the services are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import postgres, redis_server
from infra.local.addresses import PORTS, Addresses
from infra.local.configuration import PROMETHEUS
from infra.local.data_folder import DataFolder
from infra.local.processes import NAMES, NOT_NEEDED, SERVICES, Process, processes

DATA = DataFolder(Path("/srv/data"))
ADDRESSES = Addresses(
    {name: port + 10000 for name, port in PORTS.items()},
    supervisor="/srv/s.sock",
    database_url=postgres.dsn(DATA.postgres_sockets),
    redis_url=redis_server.url(DATA.redis_socket),
)


@pytest.fixture
def table() -> dict[str, Process]:
    return {process.name: process for process in processes(ADDRESSES, DATA, {"REPLAY_START": "2020-03-06"})}


def test_there_are_four_services_two_stores_the_path_to_the_page_and_the_viewer(table: dict[str, Process]) -> None:
    assert list(table)[:2] == ["postgres", "redis"]
    assert set(table) == {"postgres", "redis", *SERVICES, "collector", "prometheus", "alertmanager", "pager", "viewer"}


def test_their_names_are_known_without_their_addresses(table: dict[str, Process]) -> None:
    assert tuple(table) == NAMES


def test_the_stores_listen_on_sockets_only(table: dict[str, Process]) -> None:
    assert "listen_addresses=" in table["postgres"].command
    assert table["redis"].command[1:3] == ["--port", "0"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_told_where_the_stores_and_its_neighbours_are(table: dict[str, Process], name: str) -> None:
    environment = table[name].environment

    assert environment["DATABASE_URL"] == "postgresql://postgres@/trading?host=/srv/data/run/postgres"
    assert environment["REDIS_URL"] == "unix:///srv/data/run/redis.sock"
    assert environment["EXECUTION_GATEWAY_URL"] == "http://127.0.0.1:18002"
    assert environment["SIGNAL_SERVICE_URL"] == "http://127.0.0.1:18003"
    assert environment["MARKET_DATA_URL"] == "http://127.0.0.1:18004"
    assert environment["REPLAY_START"] == "2020-03-06"


@pytest.mark.parametrize("name", SERVICES)
def test_no_client_can_say_that_it_has_another_address(table: dict[str, Process], name: str) -> None:
    assert "--no-proxy-headers" in table[name].command


@pytest.mark.parametrize("name", [*SERVICES, "pager", "viewer"])
def test_few_connections_wait_to_be_accepted(table: dict[str, Process], name: str) -> None:
    command = table[name].command
    assert command[command.index("--backlog") + 1] == "128"


def test_the_collector_scrapes_and_feeds_the_ports_of_this_run(table: dict[str, Process]) -> None:
    environment = table["collector"].environment

    assert environment["MARKET_DATA_TARGET"] == "127.0.0.1:18004"
    assert environment["PROMETHEUS_OTLP_ENDPOINT"] == "http://127.0.0.1:19090/api/v1/otlp"
    assert environment["COLLECTOR_QUEUE_DIR"] == "/srv/data/collector-queue"
    assert Path(environment["COLLECTOR_DISK"]).is_mount()


def test_every_setting_of_the_collectors_configuration_is_given(table: dict[str, Process]) -> None:
    configuration = (Path(__file__).parents[3] / "collector" / "config.yaml").read_text()

    for name in table["collector"].environment:
        assert f"${{env:{name}:-" in configuration


def test_prometheus_and_alertmanager_listen_on_this_machine_only(table: dict[str, Process]) -> None:
    assert "--web.listen-address=127.0.0.1:19090" in table["prometheus"].command
    assert "--web.listen-address=127.0.0.1:19093" in table["alertmanager"].command
    assert "--cluster.listen-address=" in table["alertmanager"].command


def test_alerts_are_resent_often_enough_for_the_dead_mans_switch(table: dict[str, Process]) -> None:
    assert "--rules.alert.resend-delay=10s" in table["prometheus"].command


def test_a_restart_of_prometheus_restores_alerts_whatever_their_for(table: dict[str, Process]) -> None:
    assert "--rules.alert.for-grace-period=0s" in table["prometheus"].command


def test_the_viewer_asks_the_prometheus_and_the_pager_of_this_run_and_listens_on_this_machine_only(
    table: dict[str, Process],
) -> None:
    assert table["viewer"].environment["PROMETHEUS_URL"] == "http://127.0.0.1:19090"
    assert table["viewer"].environment["PAGER_URL"] == "http://127.0.0.1:19099"
    assert " --host 127.0.0.1 --port 13000 " in " ".join(table["viewer"].command)


def test_nothing_waits_for_the_viewer_but_people(table: dict[str, Process]) -> None:
    targets = "".join(file.read_text() for file in (PROMETHEUS / "targets").iterdir())

    assert NOT_NEEDED == ("viewer",)
    assert f":{PORTS['viewer']}" not in targets, "what is scraped can page"
