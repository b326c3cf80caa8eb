"""The disk as the collector measures it, and as Prometheus has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from infra.local.data_folder import DataFolder
from tests.telemetry.pipeline import pipeline_running, query
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_the_free_space_of_the_disk_with_the_data_arrives_in_prometheus_and_no_other_disk_does(tmp_path: Path) -> None:
    disk = DataFolder(tmp_path / "data").mount_point
    with pipeline_running(COLLECTOR_DISK=str(disk)) as pipeline:
        found = wait_until(
            lambda: query(pipeline.prometheus, "system_filesystem_usage_bytes"), 40, "the disk is there", every=0.5
        )
    free = {one["metric"]["state"]: float(one["value"][1]) for one in found}

    assert {one["metric"]["mountpoint"] for one in found} == {str(disk)}
    assert {one["metric"]["job"] for one in found} == {"otel-collector"}
    assert free.keys() == {"free", "used", "reserved"}
    assert free["free"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    assert sum(free.values()) == pytest.approx(shutil.disk_usage(tmp_path).total, rel=0.01)
