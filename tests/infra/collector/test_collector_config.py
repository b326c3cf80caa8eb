"""The collector's configuration: it loads, in its defaults and with every address given, and loses nothing."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "collector" / "config.yaml"
OTELCOL = ROOT / ".local" / "bin" / "otelcol"
SETTINGS: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
DEFAULTS = {
    "COLLECTOR_DISK": "/",
    "COLLECTOR_HEALTH_ENDPOINT": "127.0.0.1:13133",
    "COLLECTOR_METRICS_HOST": "127.0.0.1",
    "COLLECTOR_METRICS_PORT": "8888",
    "COLLECTOR_QUEUE_DIR": ".local/data/collector-queue",
    "EXECUTION_GATEWAY_TARGET": "127.0.0.1:8002",
    "MARKET_DATA_TARGET": "127.0.0.1:8004",
    "ORCHESTRATOR_TARGET": "127.0.0.1:8001",
    "OTLP_GRPC_ENDPOINT": "127.0.0.1:4317",
    "OTLP_HTTP_ENDPOINT": "127.0.0.1:4318",
    "PROMETHEUS_OTLP_ENDPOINT": "http://127.0.0.1:9090/api/v1/otlp",
    "SIGNAL_SERVICE_TARGET": "127.0.0.1:8003",
    "TRACES_EXPORTER": "debug",
    "TRACES_OTLP_ENDPOINT": "http://127.0.0.1:14318",
}
ELSEWHERE = {
    **dict.fromkeys(DEFAULTS, "collector.example:1234"),
    "COLLECTOR_DISK": "/var/lib/otelcol",
    "COLLECTOR_METRICS_HOST": "collector.example",
    "COLLECTOR_METRICS_PORT": "1234",
    "COLLECTOR_QUEUE_DIR": "/tmp/queue",
    "PROMETHEUS_OTLP_ENDPOINT": "http://prometheus.example:9090/api/v1/otlp",
    "TRACES_EXPORTER": "otlp_http/traces",
    "TRACES_OTLP_ENDPOINT": "http://jaeger.example:4318",
}


@pytest.mark.server
@pytest.mark.parametrize("environment", [{}, ELSEWHERE], ids=["as it is", "with every address given"])
def test_the_collector_takes_it(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [OTELCOL, "validate", "--config", CONFIG],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_every_address_comes_from_the_environment_with_the_native_one_as_its_default() -> None:
    text = CONFIG.read_text()

    assert dict(re.findall(r"\$\{env:(\w+):-(.*?)\}", text)) == DEFAULTS
    assert re.findall(r"\d+\.\d+\.\d+\.\d+", re.sub(r"\$\{env:.*?\}", "", text)) == []


def test_the_four_services_are_scraped_every_5_s_with_2_s_to_answer() -> None:
    scraping = SETTINGS["receivers"]["prometheus"]["config"]

    assert scraping["global"] == {
        "scrape_interval": "5s", "scrape_timeout": "2s", "scrape_protocols": ["PrometheusText0.0.4"]
    }  # fmt: skip
    assert {job["job_name"]: job["static_configs"] for job in scraping["scrape_configs"]} == {
        "orchestrator": [{"targets": ["${env:ORCHESTRATOR_TARGET:-127.0.0.1:8001}"]}],
        "execution-gateway": [{"targets": ["${env:EXECUTION_GATEWAY_TARGET:-127.0.0.1:8002}"]}],
        "signal-service": [{"targets": ["${env:SIGNAL_SERVICE_TARGET:-127.0.0.1:8003}"]}],
        "market-data": [{"targets": ["${env:MARKET_DATA_TARGET:-127.0.0.1:8004}"]}],
    }


def test_what_prometheus_cannot_take_yet_waits_on_disk_for_a_day_and_is_sent_again_for_ever() -> None:
    exporter = SETTINGS["exporters"]["otlp_http/prometheus"]
    requests_of_a_day = 24 * 3600 // 5 * 4

    assert exporter["sending_queue"]["storage"] == "file_storage"
    assert exporter["sending_queue"]["queue_size"] > requests_of_a_day
    assert exporter["retry_on_failure"]["max_elapsed_time"] == 0


def test_the_memory_limiter_is_the_first_processor() -> None:
    assert {name: pipeline["processors"][0] for name, pipeline in SETTINGS["service"]["pipelines"].items()} == {
        "metrics": "memory_limiter",
        "metrics/disk": "memory_limiter",
        "traces": "memory_limiter",
    }
