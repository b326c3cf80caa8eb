"""`make setup`: builds the Go programs into .local/bin when they are missing or when their sources have changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.failure import Failure
from infra.setup import progress

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
BIN = LOCAL / "bin"
MODULES = ROOT / "infra" / "setup" / "go"
BUILDER_CONFIGURATION = ROOT / "collector" / "builder.yaml"
OLDEST_GO = (1, 26)


@dataclass(frozen=True)
class Build:
    """The build of one module of `infra/setup/go`, or of the collector: its programs, commands and inputs."""

    title: str
    usually: str
    programs: tuple[str, ...]
    cwd: Path
    commands: tuple[tuple[str, ...], ...]
    output: Path
    inputs: tuple[Path, ...]

    @property
    def stamp(self) -> Path:
        return BIN / f"{self.programs[0]}.stamp"

    def fingerprint(self) -> str:
        """A hash of the inputs, the commands and the kind of machine."""
        commands = str(self.commands).replace(str(ROOT), "")  # so that a checkout can be moved
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {commands}".encode())
        for path in self.inputs:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def installed(self) -> bool:
        there = all(os.access(BIN / program, os.X_OK) for program in self.programs)
        return there and self.stamp.is_file() and self.stamp.read_text().strip() == self.fingerprint()


def module_version(go_mod: str, module: str) -> str:
    """The version that a go.mod requires of a module, without the v."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", go_mod, re.MULTILINE)
    if not found:
        raise Failure(f"{module} is not in its go.mod under {MODULES}")
    return found[1]


def prometheus_version(module: str) -> str:
    """The version of Prometheus. Its Go module has another number: 3.13.5 is published as v0.313.5."""
    _, minor, patch = module.split(".")
    return f"{int(minor) // 100}.{int(minor) % 100}.{patch}"


def builds() -> list[Build]:
    common = "github.com/prometheus/common/version"

    def tools(folder: str, title: str, usually: str, packages: Sequence[str], flags: str, tags: str) -> Build:
        module, output = MODULES / folder, LOCAL / "build" / folder
        command = ("go", "build", "-v", "-tags", tags, "-ldflags", f"-s -w {flags}", "-o", f"{output}/", *packages)
        programs = tuple(package.rsplit("/", 1)[-1] for package in packages)
        inputs = (module / "go.mod", module / "go.sum")
        return Build(title, usually, programs, module, (command,), output, inputs)

    def required(folder: str, module: str) -> str:
        return module_version((MODULES / folder / "go.mod").read_text(), module)

    ocb, prometheus, alertmanager = (
        "go.opentelemetry.io/collector/cmd/builder",
        "github.com/prometheus/prometheus",
        "github.com/prometheus/alertmanager",
    )
    ocb_version = required("builder", ocb)
    prometheus_release = prometheus_version(required("prometheus", prometheus))
    alertmanager_release = required("alertmanager", alertmanager)
    builder_version = f"-X {ocb}/internal.version={ocb_version}"
    builder = tools("builder", f"Collector builder {ocb_version}", "20 s", [ocb], builder_version, "netgo")
    return [
        tools(
            "alertmanager",
            f"Alertmanager {alertmanager_release}",
            "1 min",
            [f"{alertmanager}/cmd/alertmanager", f"{alertmanager}/cmd/amtool"],
            f"-X {common}.Version={alertmanager_release}",
            "netgo",
        ),
        tools(
            "prometheus",
            f"Prometheus {prometheus_release}",
            "2 min",
            [f"{prometheus}/cmd/prometheus", f"{prometheus}/cmd/promtool"],
            f"-X {common}.Version={prometheus_release}",
            # Only files and fixed addresses are used for discovery. That of all clouds would double the build.
            "netgo,remove_all_sd",
        ),
        builder,
        collector(builder),
    ]


def collector(builder: Build) -> Build:
    distribution = yaml.safe_load(BUILDER_CONFIGURATION.read_text())["dist"]
    sources, output = ROOT / distribution["output_path"], LOCAL / "build" / "collector"
    # The builder could also compile, but without any output. Compiled here, the progress can be shown.
    generate = (str(BIN / "builder"), "--skip-compilation", "--config", str(BUILDER_CONFIGURATION))
    compile_ = ("go", "build", "-C", str(sources), "-v", "-tags", distribution["build_tags"], "-ldflags", "-s -w")
    return Build(
        f"Collector {distribution['version']}",
        "2 to 4 min",
        (distribution["name"],),
        ROOT,
        (generate, (*compile_, "-o", f"{output}/", ".")),
        output,
        (BUILDER_CONFIGURATION, *builder.inputs),
    )


def go_refusal(version_line: str | None) -> str:
    """Why this Go cannot be used, and what to do. Empty when it can. `None` means that there is no Go."""
    needed = f"Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer is needed to build Prometheus, Alertmanager and the collector"
    then = "install it from go.dev/dl (macOS: brew install go) and run the same command again."
    if version_line is None:
        return f"{needed}, and there is no `go` on the PATH: {then}"
    found = re.search(r"\bgo(\d+)\.(\d+)\S*", version_line)
    if not found:
        return f"{needed}, and `go version` says {version_line.strip()!r}: {then}"
    if (int(found[1]), int(found[2])) < OLDEST_GO:
        return f"{needed}, and this is {found[0]}: {then}"
    return ""


def go_environment() -> dict[str, str]:
    """Makes builds the same everywhere: versions only from go.mod and go.sum, no C compiler, no user settings."""
    own = {"GOFLAGS": "-mod=readonly -trimpath", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    return {**os.environ, **own}


def set_up() -> None:
    """Builds what is missing. A build that fails or is stopped does not change what is installed."""
    with _one_at_a_time():
        BIN.mkdir(parents=True, exist_ok=True)
        wanted = [build for build in builds() if not build.installed()]
        if not wanted:
            print("Everything is set up: nothing to build.")
            return
        _check_go()
        print(f"Building {len(wanted)} of {len(builds())} with Go; all of them usually take 6 to 11 minutes, once.")
        for number, build in enumerate(wanted, 1):
            _install(build, f"[{number}/{len(wanted)}] ")
        print("Everything is set up.")


def missing_programs() -> list[str]:
    return [program for build in builds() for program in build.programs if not os.access(BIN / program, os.X_OK)]


def _install(build: Build, before: str) -> None:
    shutil.rmtree(build.output, ignore_errors=True)
    build.output.mkdir(parents=True)
    progress.run(
        before + build.title,
        build.usually,
        build.commands,
        log=LOCAL / "setup" / f"{build.programs[0]}.log",
        cwd=build.cwd,
        environment=go_environment(),
        detail=_compiled,
    )
    for program in build.programs:
        (build.output / program).replace(BIN / program)
    build.stamp.write_text(build.fingerprint())
    shutil.rmtree(build.output)


def _compiled(log: Path) -> str:
    with log.open("rb") as lines:
        count = sum(1 for line in lines if b" " not in line.strip())
    return f"{count} packages compiled" if count else "fetching modules"


def _check_go() -> None:
    try:
        version = subprocess.run(["go", "version"], capture_output=True, text=True, env=go_environment(), cwd="/")
    except FileNotFoundError:
        raise Failure(go_refusal(None)) from None
    if reason := go_refusal(version.stdout or version.stderr):
        raise Failure(reason)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Lets only one set-up run, because two would build into the same folders. The second waits."""
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is running: waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
