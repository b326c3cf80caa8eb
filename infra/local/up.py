"""`make up` and `make clean-data`: checks and prepares everything before the start, and says where to look after it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from infra.failure import Failure
from infra.local import addresses, configuration, postgres, redis_server, replay_settings, supervision
from infra.local.addresses import Addresses
from infra.local.data_folder import DataFolder
from infra.local.processes import SERVICES, processes
from infra.local.replay_settings import ReplaySettings
from infra.local.running import Running, Stopping, say
from infra.setup import installation


def up(folder: Path, *, free_ports: bool) -> None:
    """Runs everything until it is told to stop."""
    stopping = Stopping()
    data = DataFolder(folder.absolute())
    if missing := installation.missing_programs():
        raise Failure(f"Not set up yet, {', '.join(missing)} missing: run `make setup`. Nothing was started.")
    if sentence := redis_server.missing():
        raise Failure(f"{sentence} Nothing was started.")
    settings = ReplaySettings.from_environment(os.environ)
    with data.locked():
        if supervision.end_leftover(data):
            say("An earlier `make up` was killed and had left processes running: they are stopped now.")
        replay_settings.check(data.root, settings)
        ports = addresses.free_ports() if free_ports else dict(addresses.PORTS)
        addresses.check_free(ports)
        data.create()
        try:
            _run(data, ports, settings, stopping)
        finally:
            data.remove_moved_sockets()


def _run(data: DataFolder, ports: Mapping[str, int], settings: ReplaySettings, stopping: Stopping) -> None:
    listening = Addresses(
        ports,
        supervisor=str(data.supervisor_socket),
        database_url=postgres.dsn(data.postgres_sockets),
        redis_url=redis_server.url(data.redis_socket),
    )
    destinations = _prepare(data, listening)

    def when_stored() -> None:
        # Recorded only now: if the start fails earlier, nothing is stored yet, and other settings may still be used.
        replay_settings.record(data.root, settings)

    def when_ready(seconds: float) -> None:
        say(ready_text(seconds, data, listening, destinations))

    started = processes(listening, data, settings.environment())
    Running(started, data, listening.url("prometheus"), stopping).until_stopped(when_stored, when_ready)


def _prepare(data: DataFolder, listening: Addresses) -> dict[str, str]:
    """Writes what the processes read when they start. Returns where pages go."""
    destinations = configuration.write_alertmanager(data.run / "alertmanager", listening.url("pager"))
    configuration.write_prometheus(data.run / "prometheus", listening)
    for name in ("redis", "prometheus", "alertmanager", "collector-queue", "pager"):
        data.part(name).mkdir(exist_ok=True)
    postgres.prepare(data.part("postgres"), data.postgres_sockets)
    (data.run / "addresses.json").write_text(json.dumps(listening.as_json(), indent=2) + "\n")
    return destinations


def ready_text(seconds: float, data: DataFolder, listening: Addresses, destinations: Mapping[str, str]) -> str:
    look = {
        "pages": f"{listening.url('pager')}/",
        "Prometheus": f"{listening.url('prometheus')}/api/v1/query?query=up (this build has no pages of its own)",
        "Alertmanager": f"{listening.url('alertmanager')}/",
        **{name: f"{listening.url(name)}/docs, /health, /metrics" for name in SERVICES},
        "collector": f"{listening.url('collector')}/metrics, and OTLP at {listening.url('otlp_http')}",
    }
    return "\n".join(
        [
            f"Ready after {seconds:.1f} s. Look at {listening.url('viewer')}: dashboards, alerts, runbooks, queries.",
            "Where else to look:",
            *(f"  {name:<20} {where}" for name, where in look.items()),
            "Where pages go:",
            *(f"  {name:<20} {where}" for name, where in destinations.items()),
            f"Data are in {data.root}, logs in {data.logs}. Ctrl-C stops everything.",
        ]
    )


def clean_data(folder: Path) -> None:
    """Removes a data folder, unless it is in use."""
    data = DataFolder(folder.absolute())
    if not data.root.exists():
        print(f"There is nothing to remove: {data.root} does not exist.")
        return
    with data.locked():
        supervision.end_leftover(data)
        data.remove()
    print(f"Removed {data.root}.")
