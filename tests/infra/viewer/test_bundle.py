"""The committed bundle: whose code is in it, how large it is, and what of it a dashboard needs."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from infra.viewer.app import BUNDLE

WEB = BUNDLE.parent / "web"
# Each of them lets us hand the code on with our own. The AGPL, which Grafana's server and its panels have, does not.
LICENCES = {
    *("MIT", "Apache-2.0", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "CC0-1.0", "Unlicense", "BlueOak-1.0.0"),
    *("OFL-1.1", "(MPL-2.0 OR Apache-2.0)"),
}
LARGEST = 1_000_000
SCRIPTS = sorted([*BUNDLE.glob("*.js"), *BUNDLE.glob("*.css")])


def packages() -> dict[str, str]:
    """Every package of which something is in the bundle, and its licence."""
    rows = re.findall(r"^\| (\S+) \S+ \| (.+) \|$", (BUNDLE / "THIRD_PARTY.md").read_text(), re.MULTILINE)
    return dict(rows[1:] if rows and rows[0][0] == "package" else rows)


def imported(script: Path, seen: set[Path]) -> set[Path]:
    """A script and all that it loads at once, and not when it is needed."""
    if script in seen:
        return seen
    seen.add(script)
    for name in re.findall(r"(?:from|import)\"\./([\w.-]+\.js)\"", script.read_text()):
        imported(BUNDLE / name, seen)
    return seen


def test_every_package_has_a_licence_that_may_be_handed_on() -> None:
    found = packages()

    assert {"@grafana/ui", "@grafana/data", "react", "uplot", "inter-ui"} <= found.keys()
    assert {name: licence for name, licence in found.items() if licence not in LICENCES} == {}


def test_what_is_under_the_agpl_is_not_even_installed() -> None:
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]

    assert {name: of.get("license") for name, of in locked.items() if "AGPL" in str(of.get("license", ""))} == {}
    assert [name for name in locked if name.endswith(("@grafana/prometheus", "@grafana/runtime"))] == []


def test_the_lock_file_names_no_address() -> None:
    assert re.findall(r"https?://\S+", (WEB / "package-lock.json").read_text()) == []


def test_scripts_and_styles_are_at_most_a_megabyte_compressed() -> None:
    size = sum(len(gzip.compress(script.read_bytes(), 9)) for script in SCRIPTS)

    assert 300_000 < size <= LARGEST


def test_the_editor_of_queries_is_loaded_by_its_own_page_only() -> None:
    with_editor = {script for script in SCRIPTS if "cm-scroller" in script.read_text()}
    dashboards = [script for script in SCRIPTS if "does not draw panels of the type" in script.read_text()]

    assert with_editor
    assert dashboards
    for script in [BUNDLE / "main.js", *dashboards]:
        assert imported(script, set()) & with_editor == set()


def test_the_bundle_asks_no_other_origin_for_anything() -> None:
    page = (BUNDLE / "index.html").read_text()

    assert re.findall(r"(?:src|href)=\"(?!/|data:)", page) == []
    styles = "".join(script.read_text() for script in SCRIPTS if script.suffix == ".css")
    assert re.findall(r"url\((?!data:|/|\./)[\"']?\w+://", styles) == []
