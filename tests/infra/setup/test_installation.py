"""Set-up: builds what is missing or outdated, says what is wrong, and leaves nothing half-installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.failure import Failure
from infra.setup import installation
from infra.setup.installation import Build, go_refusal, module_version, prometheus_version

BUILD = "echo $VERSION > out/program; chmod +x out/program"


class Workshop:
    """A set-up whose only program is made by a shell script."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.script = folder, BUILD
        self.input = folder / "go.mod"
        self.input.write_text("v1")
        monkeypatch.setattr(installation, "LOCAL", folder)
        monkeypatch.setattr(installation, "BIN", folder / "bin")
        monkeypatch.setattr(installation, "builds", lambda: [self.build])
        monkeypatch.setattr(installation, "_check_go", lambda: None)

    @property
    def build(self) -> Build:
        command = ("sh", "-c", self.script)
        return Build(
            "Program 1.0", "a second", ("program",), self.folder, (command,), self.folder / "out", (self.input,)
        )

    def program(self) -> str:
        return (self.folder / "bin" / "program").read_text()


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(tmp_path, monkeypatch)


def test_what_is_missing_is_built_and_said(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    installation.set_up()

    said = capsys.readouterr().out
    assert workshop.build.installed()
    assert "[1/1] Program 1.0 (usually a second): done after 0 s" in said
    assert "6 to 11 minutes" in said


def test_nothing_is_built_twice(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    installation.set_up()
    capsys.readouterr()

    installation.set_up()

    assert capsys.readouterr().out == "Everything is set up: nothing to build.\n"


def test_a_changed_input_is_built_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "old")
    installation.set_up()
    workshop.input.write_text("v2")
    monkeypatch.setenv("VERSION", "new")

    installation.set_up()

    assert workshop.program() == "new\n"


def test_a_program_that_was_removed_is_built_again(workshop: Workshop) -> None:
    installation.set_up()
    (workshop.folder / "bin" / "program").unlink()

    installation.set_up()

    assert workshop.build.installed()


def test_a_failed_build_names_its_log_and_leaves_the_old_program_in_place(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION", "old")
    installation.set_up()
    workshop.script = "echo half > out/program; echo no such package >&2; exit 1"

    with pytest.raises(Failure) as failed:
        installation.set_up()

    log = workshop.folder / "setup" / "program.log"
    assert str(failed.value).startswith(f"[1/1] Program 1.0: failed. The whole output is in {log}, and ends with:\n")
    assert "no such package" in str(failed.value)
    assert workshop.program() == "old\n"
    assert not workshop.build.installed()


def test_a_go_that_is_missing_is_said_in_one_sentence() -> None:
    assert go_refusal(None) == (
        "Go 1.26 or newer is needed to build Prometheus, Alertmanager and the collector, and there is no `go` on the "
        "PATH: install it from go.dev/dl (macOS: brew install go) and run the same command again."
    )


def test_a_go_that_is_too_old_is_said_with_its_version() -> None:
    assert "and this is go1.19.8: install it" in go_refusal("go version go1.19.8 linux/amd64")


@pytest.mark.parametrize("version", ["go1.26", "go1.26.8", "go1.27rc1", "go2.0"])
def test_a_go_that_is_new_enough_is_accepted(version: str) -> None:
    assert go_refusal(f"go version {version} linux/amd64") == ""


def test_a_go_that_is_missing_stops_the_set_up_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = installation._check_go
    workshop = Workshop(tmp_path, monkeypatch)
    monkeypatch.setattr(installation, "_check_go", check)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Failure, match="there is no `go` on the PATH"):
        installation.set_up()

    assert not workshop.build.output.exists()


def test_the_version_of_a_module_is_read_from_its_go_mod() -> None:
    go_mod = "module x\nrequire (\n\tgithub.com/a/b v1.2.3 // indirect\n\tgithub.com/a/bc v9.9.9\n)\n"

    assert module_version(go_mod, "github.com/a/b") == "1.2.3"


def test_prometheus_is_3_13_5_where_its_module_is_0_313_5() -> None:
    assert prometheus_version("0.313.5") == "3.13.5"


@pytest.mark.server
@pytest.mark.parametrize(
    ("program", "version"),
    [
        ("prometheus", "prometheus, version 3.13.5 "),
        ("promtool", "promtool, version 3.13.5 "),
        ("alertmanager", "alertmanager, version 0.31.0 "),
        ("amtool", "amtool, version 0.31.0 "),
        ("otelcol", "otelcol version 0.159.0"),
    ],
)
def test_each_program_says_the_version_it_was_built_from(program: str, version: str) -> None:
    said = subprocess.run([installation.BIN / program, "--version"], capture_output=True, text=True, check=True)

    assert said.stdout.startswith(version)
