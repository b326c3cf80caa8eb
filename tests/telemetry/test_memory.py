"""The memory limit: the least of all that hold for the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telemetry.memory import limit_bytes

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
MIB = 2**20


def limited(folder: Path, membership: str, **limits: str) -> int | None:
    """The limit of a process with this membership; `limits` are files below the mounted groups, `/` written as `__`."""
    for name, text in limits.items():
        file = folder / "groups" / name.replace("__", "/").replace("DOT", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "cgroup").write_text(membership)
    return limit_bytes(folder / "cgroup", folder / "groups")


@pytest.mark.parametrize(
    ("membership", "limits"),
    [
        ("0::/a/b\n", {"a__b__memoryDOTmax": f"{64 * MIB}\n", "a__memoryDOTmax": "max\n"}),
        ("0::/a/b\n", {"a__b__memoryDOTmax": f"{90 * MIB}\n", "a__memoryDOTmax": f"{64 * MIB}\n"}),
        ("0::/\n", {"memoryDOTmax": f"{64 * MIB}\n"}),
        ("0::/docker/unseen\n", {"memoryDOTmax": f"{64 * MIB}\n"}),
        (
            "9:name=systemd:/x\n4:memory,cpu:/docker/unseen\n0::/x\n",
            {"memory__memoryDOTlimit_in_bytes": f"{64 * MIB}\n"},
        ),
        ("4:memory:/a:b\n", {"memory__a:b__memoryDOTlimit_in_bytes": f"{64 * MIB}\n"}),
    ],
    ids=["own group", "a group above", "topmost group", "in a container", "version 1", "a colon in the name"],
)
def test_the_least_limit_of_the_control_groups_holds(tmp_path: Path, membership: str, limits: dict[str, str]) -> None:
    assert limited(tmp_path, membership, **limits) == 64 * MIB


@pytest.mark.parametrize(
    ("membership", "limits"),
    [
        ("0::/\n", {}),
        ("0::/\n", {"memoryDOTmax": "max\n"}),
        ("4:memory:/\n", {"memory__memoryDOTlimit_in_bytes": "9223372036854771712\n"}),
        ("3:cpu:/\n", {"memoryDOTmax": f"{64 * MIB}\n"}),
        ("what is this", {}),
    ],
    ids=["no file", "no limit", "no limit in version 1", "another controller", "an unknown form"],
)
def test_without_a_limit_it_is_the_memory_of_the_machine(
    tmp_path: Path, membership: str, limits: dict[str, str]
) -> None:
    assert limited(tmp_path, membership, **limits) == MACHINE


def test_where_there_are_no_control_groups_it_is_the_memory_of_the_machine(tmp_path: Path) -> None:
    assert limit_bytes(tmp_path / "nowhere", tmp_path) == MACHINE


def test_this_process_has_a_limit() -> None:
    assert 0 < (limit_bytes() or 0) <= MACHINE
