"""Chromium for the tests: what is there is used, what can be installed is, and else it is said how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra.failure import Failure
from infra.setup import browser

# Notes what it is asked to do. Installs only once it has an up-to-date list, if there is a file `old`.
APT = """#!/bin/sh
echo "$1 $DEBIAN_FRONTEND" >> {place}/asked
if [ $1 = update ]; then rm -f {place}/old; exit; fi
if [ -f {place}/old ]; then echo 'E: Unable to locate package chromium'; exit 100; fi
printf 'Setting up libnss3 ...\\nSetting up chromium ...\\n'
{install}
"""
INSTALLS = "printf '#!/bin/sh\\n' > {place}/chromium; chmod +x {place}/chromium"


class Machine:
    """A system whose only programs are in one folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def add(self, program: str, text: str = "#!/bin/sh\n") -> None:
        file = self.place / program
        file.write_text(text)
        file.chmod(0o755)

    def add_apt(self, install: str = INSTALLS) -> None:
        self.add("apt-get", APT.format(place=self.place, install=install.format(place=self.place)))

    def asked(self) -> list[str]:
        return (self.place / "asked").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    place = tmp_path / "bin"
    place.mkdir()
    for program in ("sh", "rm", "chmod"):
        (place / program).symlink_to(f"/bin/{program}")
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setattr(browser, "LOCAL", tmp_path)
    monkeypatch.setattr(browser, "MAC", tmp_path / "nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return Machine(place)


@pytest.mark.parametrize("program", browser.PROGRAMS)
def test_one_that_is_there_is_taken_and_nothing_is_said(
    machine: Machine, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add(program)
    machine.add_apt()

    assert browser.main() == 0
    assert browser.found() == str(machine.place / program)
    assert not (machine.place / "asked").exists()
    assert capsys.readouterr().out == ""


def test_debians_package_is_installed_without_questions(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.add_apt()

    assert browser.main() == 0
    assert browser.found() == str(machine.place / "chromium")
    assert machine.asked() == ["install noninteractive"]
    assert "Chromium, for the tests of the viewer (usually 1 min): done after 0 s" in capsys.readouterr().out


def test_the_list_of_packages_is_updated_when_it_is_missing_or_old(machine: Machine) -> None:
    machine.add_apt()
    (machine.place / "old").touch()

    assert browser.main() == 0
    assert [asked.split()[0] for asked in machine.asked()] == ["install", "update", "install"]


def test_a_package_that_brings_no_browser_is_said(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.add_apt(install="true")

    assert browser.main() == 1
    assert "snap install chromium" in capsys.readouterr().err


def test_a_package_that_cannot_be_installed_is_said_with_its_log(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add_apt(install="echo 'E: no space left'; exit 100")

    assert browser.main() == 1
    said = capsys.readouterr().err
    assert "setup/chromium.log, and ends with:" in said
    assert "E: no space left" in said


@pytest.mark.parametrize(("user", "apt"), [(1000, True), (0, False)])
def test_who_may_not_or_cannot_install_it_is_told_how_to_get_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, apt: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if apt:
        machine.add_apt()

    assert browser.main() == 0
    assert capsys.readouterr().out == (
        "Note: The tests of the viewer need Chromium or Chrome, and there is none on the PATH: install it (Debian: apt "
        "install chromium; Ubuntu: snap install chromium; macOS: brew install --cask google-chrome).\n"
    )
    assert not (machine.place / "asked").exists()


def test_a_failure_is_one_that_the_other_steps_of_the_set_up_also_raise(machine: Machine) -> None:
    machine.add_apt(install="exit 1")

    with pytest.raises(Failure):
        browser.set_up()
