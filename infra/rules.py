"""The rules of Prometheus, as infra/prometheus/prometheus.yml names their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "prometheus"


def files() -> list[Path]:
    """The files, in the order in which Prometheus reads them."""
    return [FOLDER / name for name in yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))["rule_files"]]


def groups() -> list[dict[str, Any]]:
    """Every group of rules."""
    return [group for file in files() for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule."""
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]
