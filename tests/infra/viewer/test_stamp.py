"""The committed bundle is what the committed sources make, and nobody needs Node to see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.failure import Failure
from infra.viewer import stamp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A viewer of three files, with its stamp."""
    for name in ("web/src/page.tsx", "web/node_modules/react/index.js", "bundle/main.js", "bundle/index.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    stamp.write(tmp_path)
    return tmp_path


def test_the_bundle_is_current() -> None:
    stamp.check()


def test_a_bundle_with_its_stamp_is_taken_and_a_second_stamp_changes_nothing(folder: Path) -> None:
    before = (folder / "bundle/main.js").read_text()

    stamp.check(folder)
    stamp.write(folder)

    assert (folder / "bundle/main.js").read_text() == before
    assert before.splitlines()[1:] == ["bundle/main.js"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("web/src/page.tsx", "The sources of the viewer were changed"),
        ("web/src/another.tsx", "The sources of the viewer were changed"),
        ("bundle/index.html", "was changed by hand"),
        ("bundle/another.js", "was changed by hand"),
    ],
)
def test_a_change_on_one_side_alone_is_found(folder: Path, name: str, sentence: str) -> None:
    with (folder / name).open("a") as file:
        file.write("changed")

    with pytest.raises(Failure, match=f"{sentence}.*make viewer"):
        stamp.check(folder)


def test_a_main_script_that_was_changed_by_hand_is_found(folder: Path) -> None:
    with (folder / "bundle/main.js").open("a") as file:
        file.write("changed")

    with pytest.raises(Failure, match="was changed by hand"):
        stamp.check(folder)


def test_what_npm_installs_counts_for_nothing(folder: Path) -> None:
    (folder / "web/node_modules/react/index.js").write_text("another release")

    stamp.check(folder)


def test_a_file_that_is_gone_is_found(folder: Path) -> None:
    (folder / "bundle/index.html").unlink()

    with pytest.raises(Failure, match="was changed by hand"):
        stamp.check(folder)


@pytest.mark.parametrize("text", ["", "no stamp\n"])
def test_a_bundle_without_its_stamp_is_named(folder: Path, text: str) -> None:
    (folder / "bundle/main.js").write_text(text)

    with pytest.raises(Failure, match=r"is missing, or main\.js has lost its first line"):
        stamp.check(folder)
