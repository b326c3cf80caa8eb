"""The processes of the platform: how each is started, and how to ask whether it is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local import postgres, readiness, redis_server
from infra.local.addresses import HOST, Addresses
from infra.local.data_folder import DataFolder
from infra.local.readiness import Probe
from infra.setup.installation import BIN, ROOT

# The folder in apps/, which is also the name of the process, and the job in Prometheus.
SERVICES = {
    "orchestrator": "orchestrator",
    "execution_gateway": "execution-gateway",
    "signal_service": "signal-service",
    "market_data_service": "market-data",
}
# They are stopped after the services that write to them.
STORES = ("postgres", "redis")
NAMES = (*STORES, *SERVICES, "pager", "prometheus", "alertmanager", "collector", "viewer")
# The platform is whole without them, so that they do not stop its start.
NOT_NEEDED = ("viewer",)


@dataclass(frozen=True)
class Process:
    """How a process is started, how it is asked whether it is ready, and how it is stopped."""

    name: str
    command: list[str]
    ready: Probe
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"


def processes(addresses: Addresses, data: DataFolder, settings: Mapping[str, str]) -> list[Process]:
    """All processes in the order of their start. None waits for another: each copes with one that is not there yet."""
    return [
        Process(
            "postgres",
            postgres.command(data.part("postgres"), data.postgres_sockets),
            readiness.postgres(data.postgres_sockets),
            user=postgres.system_user(),
            stop_signal="INT",  # "fast" shutdown: does not wait until clients disconnect
        ),
        Process(
            "redis", redis_server.command(data.part("redis"), data.redis_socket), readiness.redis(data.redis_socket)
        ),
        *(_service(name, addresses, settings) for name in SERVICES),
        _pager(addresses, data.part("pager")),
        _prometheus(addresses, data.run / "prometheus" / "prometheus.yml", data.part("prometheus")),
        _alertmanager(addresses, data.run / "alertmanager" / "config.yml", data.part("alertmanager")),
        _collector(addresses, data.part("collector-queue"), data.mount_point),
        _viewer(addresses, os.environ.get("DASHBOARDS", "")),
    ]


def _uvicorn(application: str, port: int) -> list[str]:
    # One worker, whatever WEB_CONCURRENCY says: of several workers, each scrape would see another one. No headers of a
    # proxy: there is none, and a client could say in them that it is another one (order_rate_limit). When no
    # file descriptor is left, asyncio tries to accept as many connections a second as the backlog has, in vain: with
    # uvicorn's 2048, every client waits for a second each second.
    return [
        str(Path(sys.executable).with_name("uvicorn")),
        *("--factory", application, "--host", HOST, "--port", str(port), "--workers", "1", "--no-access-log"),
        *("--no-proxy-headers", "--backlog", "128", "--timeout-graceful-shutdown", "3", "--log-level", "warning"),
    ]


def _service(name: str, addresses: Addresses, settings: Mapping[str, str]) -> Process:
    environment = {
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "EXECUTION_GATEWAY_URL": addresses.url("execution_gateway"),
        "SIGNAL_SERVICE_URL": addresses.url("signal_service"),
        "MARKET_DATA_URL": addresses.url("market_data_service"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": addresses.url("otlp_http"),
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
    command = _uvicorn(f"apps.{name}.main:app", addresses.ports[name])
    return Process(name, command, readiness.http(f"{addresses.url(name)}/health"), environment)


def _pager(addresses: Addresses, data: Path) -> Process:
    return Process(
        "pager",
        _uvicorn("infra.pager.main:app", addresses.ports["pager"]),
        readiness.http(f"{addresses.url('pager')}/health"),
        {"PAGER_DATA": str(data), "PYTHONUNBUFFERED": "1"},
    )


def _prometheus(addresses: Addresses, configuration: Path, data: Path) -> Process:
    return Process(
        "prometheus",
        [
            str(BIN / "prometheus"),
            f"--config.file={configuration}",
            f"--web.listen-address={addresses.target('prometheus')}",
            f"--web.external-url={addresses.url('prometheus')}",  # else links in pages have the machine's name
            f"--storage.tsdb.path={data}",  # kept for 15 days, Prometheus's own default
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
            "--rules.alert.resend-delay=10s",
            "--rules.alert.for-grace-period=0s",
        ],
        readiness.http(f"{addresses.url('prometheus')}/-/ready"),
    )


def _alertmanager(addresses: Addresses, configuration: Path, data: Path) -> Process:
    return Process(
        "alertmanager",
        [
            str(BIN / "alertmanager"),
            f"--config.file={configuration}",
            f"--web.listen-address={addresses.target('alertmanager')}",
            f"--web.external-url={addresses.url('alertmanager')}",
            f"--storage.path={data}",
            "--cluster.listen-address=",
        ],
        readiness.http(f"{addresses.url('alertmanager')}/-/ready"),
    )


def _collector(addresses: Addresses, queue: Path, disk: Path) -> Process:
    return Process(
        "collector",
        [str(BIN / "otelcol"), f"--config={ROOT / 'collector' / 'config.yaml'}"],
        readiness.http(f"{addresses.url('collector_health')}/"),
        {
            "ORCHESTRATOR_TARGET": addresses.target("orchestrator"),
            "EXECUTION_GATEWAY_TARGET": addresses.target("execution_gateway"),
            "SIGNAL_SERVICE_TARGET": addresses.target("signal_service"),
            "MARKET_DATA_TARGET": addresses.target("market_data_service"),
            "PROMETHEUS_OTLP_ENDPOINT": f"{addresses.url('prometheus')}/api/v1/otlp",
            "COLLECTOR_METRICS_HOST": HOST,
            "COLLECTOR_METRICS_PORT": str(addresses.ports["collector"]),
            "COLLECTOR_HEALTH_ENDPOINT": addresses.target("collector_health"),
            "COLLECTOR_QUEUE_DIR": str(queue),
            "COLLECTOR_DISK": str(disk),
            "OTLP_GRPC_ENDPOINT": addresses.target("otlp_grpc"),
            "OTLP_HTTP_ENDPOINT": addresses.target("otlp_http"),
        },
    )


def _viewer(addresses: Addresses, dashboards: str) -> Process:
    return Process(
        "viewer",
        _uvicorn("infra.viewer.main:app", addresses.ports["viewer"]),
        readiness.http(f"{addresses.url('viewer')}/health"),
        {
            "PROMETHEUS_URL": addresses.url("prometheus"),
            "PAGER_URL": addresses.url("pager"),
            # The viewer does not run in the folder in which somebody typed a relative path.
            "DASHBOARDS": str(Path(dashboards).absolute()) if dashboards else "",
            "PYTHONUNBUFFERED": "1",
        },
    )
