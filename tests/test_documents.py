"""The documents are true: their commands run, their links lead somewhere, their tables agree with the code."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

import apps.execution_gateway.settings
import apps.market_data_service.settings
import apps.orchestrator.settings
import apps.signal_service.settings
from infra.local.addresses import PORTS
from infra.local.replay_settings import DEFAULT_START
from tests.documents import DOCUMENTS, ROOT, anchors, blocks, commands, fenced, name, prose, spans

README = ROOT / "README.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETTINGS: list[type[BaseSettings]] = [
    apps.execution_gateway.settings.Settings,
    apps.market_data_service.settings.Settings,
    apps.orchestrator.settings.Settings,
    apps.signal_service.settings.Settings,
]
GUIDE = ROOT / "docs" / "IMPLEMENTATION_GUIDES" / "p1.3t1-monitoring-alerting.md"
ADDING_A_METRIC = ROOT / "docs" / "adding-a-metric.md"
ADDING_AN_ALERT = ROOT / "docs" / "adding-an-alert.md"
# Each is run by a test, but not as it stands there.
RUN = {
    ".venv/bin/python -m telemetry catalogue --markdown > docs/metrics.md",
    ".local/bin/promtool test rules --run OutcomeUnknown tests/infra/prometheus/rules/desk.yml",
    ".venv/bin/pytest -q tests/infra/prometheus",
}
# Which blocks are run or compared, by this file and by test_guide, test_examples, test_document_names,
# telemetry/test_from_prometheus_client and drills/test_stranger.
READ = {
    "CONTRIBUTING.md": {"sh"},
    "README.md": {"python", "sh"},
    "docs/CONCEPTS/prometheus-metrics.md": {"promql"},
    "docs/IMPLEMENTATION_GUIDES/p1.3t1-monitoring-alerting.md": {"json", "python", "sh", "text", "yaml"},
    "docs/RUNBOOKS/prometheus-alerts.md": {"sh"},
    "docs/adding-a-metric.md": {"python", "sh"},
    "docs/adding-an-alert.md": {"markdown", "sh", "yaml"},
    "docs/from-prometheus-client.md": {"python"},
    "telemetry/README.md": {"python"},
}
GONE = {"make lint"}
# No Docker runs where the tests run. tests/infra/docker holds the file that it starts.
DOCKER = ["GRAFANA_PASSWORD='one of your own' docker compose up --build"]
GRAFANA = 3000
JAEGER = 16686
POST_OFFICE = 8005
FOLDERS = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))

COLUMNS = 140
GENERATED = {
    "docs/drills.md": ("-m", "tests.drills"),
    "docs/metrics.md": ("-m", "telemetry", "catalogue", "--markdown"),
    "docs/one-cause-one-page.md": ("-m", "infra.alertmanager"),
}
KINDS = {".json", ".md", ".py", ".toml", ".yaml", ".yml"}
WRITTEN = [
    file
    for place in ROOT.iterdir()
    if not place.name.startswith(".")
    for file in ([place] if place.is_file() else sorted(place.rglob("*")))
    if file.suffix in KINDS and "node_modules" not in file.parts
]

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name)


def make_targets() -> list[tuple[str, list[str]]]:
    """What stands before each `make`, and its arguments."""
    lines = [shlex.split(command) for document in DOCUMENTS for command in commands(document)]
    places = [(words, words.index("make")) for words in lines if "make" in words]
    return [(" ".join(words[:place]), words[place + 1 :]) for words, place in places]


def defaults() -> dict[str, object]:
    return {field.upper(): about.default for settings in SETTINGS for field, about in settings.model_fields.items()}


def run(*arguments: str | Path, environment: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """A Python of its own, which finds the library."""
    environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def table() -> dict[str, str]:
    """The README's settings and what they are unless set."""
    section = README.read_text().partition("## Settings")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.MULTILINE))


def test_the_readmes_first_screen_holds_both_commands_and_the_library_in_eight_lines() -> None:
    screen = README.read_text().splitlines()[:40]
    [example] = blocks(README, "python")

    assert [line for line in screen if line in ("make up", "make test")] == ["make up", "make test"]
    assert example in "\n".join([*screen, ""])
    assert len([line for line in example.splitlines() if line]) <= 8


@each_document
def test_a_command_is_one_that_some_test_runs(document: Path) -> None:
    for command in commands(document):
        words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
        known = words[0] in ("make", "curl") or command in DOCKER or command in RUN
        assert known or document == GUIDE, command  # tests/test_guide.py runs them all


def made_within_lines() -> list[list[str]]:
    """The arguments of each `make` in the text."""
    texts = {span for document in DOCUMENTS for span in spans(document) if re.match(r"make [a-z]", span)}
    return [shlex.split(text.replace("...", "x"))[1:] for text in sorted(texts - GONE)]


@pytest.mark.parametrize(
    "arguments", [*(arguments for _, arguments in make_targets()), *made_within_lines()], ids=" ".join
)
def test_make_knows_the_target(arguments: list[str]) -> None:
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@each_document
def test_a_block_is_in_a_language_that_a_test_of_this_document_reads(document: Path) -> None:
    languages = {language for language, _ in fenced(document)}

    assert languages <= READ.get(name(document), set()), "run the new blocks in a test, and list them above"


def test_a_variable_before_make_is_one_that_a_service_reads() -> None:
    names = re.findall(r"([A-Z_]+)=", " ".join(variables for variables, _ in make_targets()))

    assert names != []
    assert set(names) <= defaults().keys() | {"DASHBOARDS"}  # of the viewer


def test_continuous_integration_runs_the_readmes_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    run = [line for line in lines if line and not line.startswith("#")]

    assert [command for command in commands(README) if "test" in command] == ["make test"]
    assert run == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]
    assert lines[0] == "#!/usr/bin/env bash"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@each_document
def test_no_line_is_too_long_to_read(document: Path) -> None:
    lines = document.read_text().splitlines()
    if name(document) in GENERATED:
        lines = [line for line in lines if not line.startswith("| ")]  # a row of a table is one line

    assert [line for line in lines if len(line) > COLUMNS] == []


@pytest.mark.parametrize(("document", "arguments"), GENERATED.items())
def test_a_generated_document_says_so_in_its_first_line_and_is_what_its_command_prints(
    document: str, arguments: tuple[str, ...]
) -> None:
    text = (ROOT / document).read_text()
    command = f"python {' '.join(arguments)}"
    done = run(*arguments)

    assert text.splitlines()[0] == f"<!-- Generated by `{command}`: do not edit it here. -->"
    assert done.returncode == 0, done.stderr
    assert text == done.stdout, f"it is out of date: .venv/bin/{command} > {document}"


def test_the_editor_is_told_what_the_checks_hold() -> None:
    told = configparser.ConfigParser()
    told.read_string("[every file]\n" + (ROOT / ".editorconfig").read_text())

    assert dict(told["*"]).items() >= {"charset": "utf-8", "end_of_line": "lf", "insert_final_newline": "true"}.items()
    assert told["*"]["trim_trailing_whitespace"] == "true"
    assert told["*.py"]["max_line_length"] == str(PROJECT["tool"]["ruff"]["line-length"])
    assert told["*.md"]["max_line_length"] == str(COLUMNS)


def test_the_files_are_as_the_editor_is_told() -> None:
    texts = {name(file): file.read_bytes().decode("utf-8") for file in WRITTEN}

    assert {"README.md", "pyproject.toml", "infra/prometheus/alerts.yml"} <= texts.keys()
    assert [file for file, text in texts.items() if text and not text.endswith("\n")] == []
    assert [file for file, text in texts.items() if "\r" in text or re.search(r"[ \t]$", text, re.MULTILINE)] == []


@each_document
def test_a_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue  # on this machine: see the test of addresses
        file = document.parent / path if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_document_is_reached_from_the_readme() -> None:
    reached, left = set(), {README}
    while left:
        document = left.pop()
        reached.add(document)
        targets = re.findall(r"\]\(([^)#\s]+\.md)", prose(document))
        left |= {(document.parent / target).resolve() for target in targets} - reached

    assert [name(document) for document in DOCUMENTS if document.resolve() not in reached] == []


@each_document
def test_a_file_that_is_named_is_there(document: Path) -> None:
    text = document.read_text()
    for path in re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*\w", text):
        assert (ROOT / path).exists() or (document.parent / path).exists(), path


DECISIONS = sorted((ROOT / "docs" / "ADRs").glob("*.md"))
OVERVIEW = ROOT / "docs" / "ADRs" / "0012-monitoring-stack.md"


@pytest.mark.parametrize("document", [file for file in DECISIONS if file != OVERVIEW], ids=name)
def test_a_decision_has_its_reason_price_and_way_out_and_the_tests_that_hold_it(document: Path) -> None:
    text = document.read_text()
    parts = ["Why", "Decision", "What it costs", "Exit", "What would change our mind", "What holds it"]

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == parts
    assert len(text.splitlines()) <= (75 if document.name.startswith("0013-") else 50)  # one screen, but for the desk
    assert "`tests/" in text.partition("## What holds it")[2]


@pytest.mark.parametrize("document", [file for file in DECISIONS if file != OVERVIEW], ids=name)
def test_a_decision_is_numbered_and_listed_in_the_overview_and_the_tests_that_it_names_are_there(
    document: Path,
) -> None:
    tests = {file.name for file in (ROOT / "tests").rglob("test_*.py")}

    assert re.match(rf"# ADR-{document.name[:4]}: \w", document.read_text())
    assert f"]({document.name})" in OVERVIEW.read_text()
    assert set(re.findall(r"test_\w+\.py", document.read_text())) <= tests


def test_no_two_decisions_have_one_number() -> None:
    numbers = [int(file.name[:4]) for file in DECISIONS]

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@each_document
def test_an_address_is_of_this_machine_and_its_port_is_in_use(document: Path) -> None:
    known = {*map(str, PORTS.values()), str(GRAFANA), str(JAEGER), str(POST_OFFICE)}
    for host, port in re.findall(r"https?://([\w.-]+)(?::(\d+))?", document.read_text()):
        if not host.endswith(".example"):  # a name that belongs to nobody
            assert (host, port in known) == ("127.0.0.1", True), f"{host}:{port}"


def test_the_settings_are_those_that_the_services_read() -> None:
    set_by_make_up = {"DATABASE_URL", "REDIS_URL", "EXECUTION_GATEWAY_URL", "SIGNAL_SERVICE_URL", "MARKET_DATA_URL"}

    assert table().keys() - {"ALERTMANAGER_SECRETS", "LOG_LEVEL", "LOG_FORMAT"} == defaults().keys() - set_by_make_up
    assert [variable for variable in set_by_make_up if f"`{variable}`" not in README.read_text()] == []


@pytest.mark.parametrize(("variable", "default"), [pair for pair in defaults().items() if pair[0] in table()])
def test_a_setting_is_what_the_readme_says_unless_set(variable: str, default: object) -> None:
    said = table()[variable]
    if variable == "REPLAY_START":
        assert said == DEFAULT_START
    elif default is None:
        assert said == "the last row's"
    elif isinstance(default, bool):
        assert said == str(default).lower()
    elif isinstance(default, int | float | Decimal):
        assert Decimal(said) == Decimal(str(default))
    else:
        assert said == str(default)


def test_logging_is_what_the_readme_says_unless_set() -> None:
    program = """
import logging, telemetry
telemetry.set_up_logging("post_office")
logging.getLogger("counter").debug("nobody is there")
logging.getLogger("counter").info("somebody is there")
"""
    said = {variable: table()[variable] for variable in ("LOG_LEVEL", "LOG_FORMAT")}
    unset = dict.fromkeys(said, "")

    for variables in (unset, said):
        done = run("-c", program, environment=variables)
        assert re.fullmatch(r"\S+Z INFO post-office counter: somebody is there\n", done.stderr)
    as_json = json.loads(run("-c", program, environment=unset | {"LOG_FORMAT": "json"}).stderr)
    assert as_json["message"] == "somebody is there"


def test_how_to_add_a_metric_is_said_with_one_that_is_there() -> None:
    files = [
        "apps/labels.py",
        "apps/catalogue.py",
        "apps/signal_service/signals.py",
        "tests/apps/signal_service/test_signals.py",
        "infra/grafana/service_health.py",
    ]

    for example, file in zip(blocks(ADDING_A_METRIC, "python"), files, strict=True):
        assert f"`{file}`" in ADDING_A_METRIC.read_text()
        assert stripped(example) in stripped((ROOT / file).read_text()), file


def test_how_to_add_an_alert_is_said_with_one_that_is_there() -> None:
    rule, test = blocks(ADDING_AN_ALERT, "yaml")
    [runbook] = blocks(ADDING_AN_ALERT, "markdown")
    rules = "".join(file.read_text() for file in sorted((ROOT / "infra" / "prometheus").rglob("*.yml")))
    tests = "".join(file.read_text() for file in sorted((ROOT / "tests/infra/prometheus/rules").glob("*.yml")))
    parts = re.compile(r"^\*\*.+?\.\*\*", re.MULTILINE)
    runbooks = (ROOT / "docs" / "RUNBOOKS" / "prometheus-alerts.md").read_text()

    assert stripped(rule) in stripped(rules)
    assert stripped(test) in stripped(tests)
    assert parts.findall(runbook) == parts.findall(runbooks.partition(runbook.splitlines()[0])[2].partition("\n## ")[0])


@pytest.mark.parametrize("document", [ADDING_A_METRIC, ADDING_AN_ALERT], ids=name)
def test_a_check_that_is_promised_is_there(document: Path) -> None:
    tests = "".join(file.read_text() for file in (ROOT / "tests").rglob("*.py"))
    promised = re.findall(r"`(test_\w+)(?:\.\.\.)?`", document.read_text())

    assert [one for one in promised if f"def {one}" not in tests] == []


def stripped(text: str) -> str:
    """However far a line is indented."""
    return "\n".join(line.strip() for line in text.splitlines())


def test_contributing_says_how_to_check_to_mark_and_to_commit() -> None:
    contributing = ROOT / "CONTRIBUTING.md"
    text = contributing.read_text()
    marks = {mark.partition(":")[0] for mark in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}

    assert commands(contributing) == ["make setup", "make check", "make test", "make drill"]
    for page in (ADDING_A_METRIC, ADDING_AN_ALERT):
        assert f"]({name(page)})" in text
    assert [mark for mark in marks if f"`{mark}`" not in text] == []
    for heading in ("Add a metric or an alert", "How the code looks", "How to commit"):
        assert f"\n## {heading}\n" in text
    assert len(text.splitlines()) <= 90


def test_the_licence_is_the_one_that_the_package_and_the_readme_name() -> None:
    text = (ROOT / "LICENSE").read_text()
    package = PROJECT["project"]

    assert text.split()[:5] == ["Apache", "License", "Version", "2.0,", "January"]
    assert "END OF TERMS AND CONDITIONS" in text
    assert (package["license"], package["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert "[Apache-2.0](LICENSE)" in README.read_text()


def test_the_librarys_page_names_every_extra_and_no_other() -> None:
    [section] = re.findall(r"^## Extras\n\n(.+?) install", (ROOT / "telemetry" / "README.md").read_text(), re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", section)) == PROJECT["project"]["optional-dependencies"].keys()


def test_the_example_of_a_service_runs_and_shows_its_metric(tmp_path: Path) -> None:
    [example] = blocks(README, "python")
    asked = """
import asyncio, httpx

async def ask():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://post-office") as client:
        assert (await client.post("/letters")).status_code == 200
        print((await client.get("/metrics")).text)

asyncio.run(ask())
"""
    file = tmp_path / "post_office.py"
    file.write_text(example + asked)
    done = run(file)

    assert done.returncode == 0, done.stderr
    assert "letters_total 1\n" in done.stdout
    for promised in ("heartbeat_timestamp_seconds ", "http_server_request_duration_seconds_count{"):
        assert f"\n{promised}" in done.stdout
