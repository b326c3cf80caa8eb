"""What the make targets do, by `make -n`: the quick check builds nothing, and the full one includes all checks."""

from __future__ import annotations

import subprocess

from tests.documents import ROOT


def steps(target: str, *settings: str) -> list[str]:
    done = subprocess.run(["make", "-n", target, *settings], cwd=ROOT, capture_output=True, text=True, check=True)
    return [line.removeprefix(".venv/bin/") for line in done.stdout.splitlines() if line.startswith(".venv/bin/")]


def test_check_needs_python_alone() -> None:
    assert steps("check") == [
        "ruff format --check",
        "ruff check",
        "mypy",
        "lint-imports",
        'pytest -m "not server" -n auto --dist worksteal',
    ]


BROWSER = ("tests/infra/viewer", "tests/test_browser.py", "tests/test_guide.py")


def test_test_is_set_up_check_other_pythons_and_what_starts_servers_in_this_order() -> None:
    assert steps("test") == [
        *steps("setup"),
        *steps("check"),
        *steps("pythons"),
        'pytest -m "server and not drill" -n 4 --dist loadfile '
        + " ".join(f"--ignore {one}" for one in ("tests/drills", *BROWSER)),
        'pytest -m "server and not drill" -n 2 --dist loadfile ' + " ".join(BROWSER),
        'pytest -m "server and not drill" tests/drills',
    ]


def test_a_browser_is_set_up_for_tests_only() -> None:
    assert steps("setup") == ["python -m infra.setup", "python -m infra.setup.browser"]
    assert steps("up") == ["python -m infra.setup", "python -m infra.local up "]


def test_a_drill_is_every_test_that_breaks_the_running_stack_or_the_one_that_is_named() -> None:
    assert steps("drill") == [*steps("setup"), "pytest tests/drills"]
    assert steps("drill", "NAME=quiet")[-1] == "pytest tests/drills -k quiet"
