"""Every metric of the platform is recorded by a service, and a test sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import apps.catalogue
from telemetry.instrument import Instrument

ROOT = Path(__file__).parents[2]
METRICS = [name for name, value in vars(apps.catalogue).items() if isinstance(value, Instrument)]


def words(folder: str, *apart_from: Path) -> set[str]:
    files = [file for file in (ROOT / folder).rglob("*.py") if file not in apart_from]
    return {word for file in files for word in re.findall(r"\w+", file.read_text())}


IN_SERVICES = words("apps", ROOT / "apps" / "catalogue.py")
IN_TESTS = words("tests")


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_the_name_of_its_variable_is_recorded_by_a_service_and_seen_by_a_test(name: str) -> None:
    assert getattr(apps.catalogue, name).name == name
    assert name in IN_SERVICES, f"nothing in apps/ records {name}"
    assert name in IN_TESTS, f"no test sees {name}: use the fixture `recorded`"
