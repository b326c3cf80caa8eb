"""The command `python -m telemetry catalogue`, which prints the declared metrics."""

from __future__ import annotations

import subprocess
import sys


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "telemetry", *arguments], capture_output=True, text=True)


def test_it_prints_name_kind_owner_labels_and_description() -> None:
    done = run("catalogue")

    assert (done.returncode, done.stderr) == (0, "")
    rows = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert len(rows) == len(done.stdout.splitlines())
    assert rows["orders_total"] == (
        "counter\texecution_gateway\tsymbol, side, status\tOrders by how their placement ended."
    )
    assert rows["redis_connection_status"].startswith("gauge\tevery service\t-\tWhether Redis took")


def test_it_prints_the_declarations_of_any_module() -> None:
    done = run("catalogue", "telemetry.catalogue")

    assert "build_info" in done.stdout
    assert "orders_total" not in done.stdout
