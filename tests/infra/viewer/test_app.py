"""What the viewer itself serves, and what it refuses, over real connections."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from infra.grafana.panels import TITLES
from infra.viewer import dashboards, main
from infra.viewer.app import PAGES, create
from tests.documents import ROOT
from tests.infra.viewer.conftest import Viewing


@pytest.mark.parametrize("page", [path.replace("{uid}", "slo") for path in PAGES])
def test_every_page_is_the_one_file_of_the_bundle_and_loads_nothing_from_elsewhere(viewing: Viewing, page: str) -> None:
    answer = viewing.http.get(page)

    assert (answer.status_code, answer.text) == (200, "<!doctype html><title>Viewer</title>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'self'", "style-src 'self' 'unsafe-inline'"]
    assert {"img-src 'self' data:", "font-src 'self' data:", "frame-ancestors 'none'"} <= set(policy)


def test_without_a_bundle_it_says_how_to_make_one_and_is_well(viewing: Viewing) -> None:
    (viewing.bundle / "index.html").unlink()

    answer = viewing.http.get("/")

    assert (answer.status_code, answer.text) == (
        503,
        "The viewer has no pages: its bundle is missing. Make it with: make viewer",
    )
    assert viewing.http.get("/health").json() == {"status": "ok"}


# --- files


def test_a_script_is_compressed_when_asked_for_and_not_sent_again_to_a_browser_that_has_it(viewing: Viewing) -> None:
    script = (viewing.bundle / "main.js").read_bytes()

    with viewing.http.stream("GET", "/assets/main.js", headers={"accept-encoding": "br, gzip"}) as compressed:
        body = b"".join(compressed.iter_raw())
    plain = viewing.http.get("/assets/main.js", headers={"accept-encoding": "identity"})
    again = viewing.http.get("/assets/main.js", headers={"if-none-match": plain.headers["etag"]})

    assert (compressed.headers["content-encoding"], gzip.decompress(body)) == ("gzip", script)
    assert len(body) < len(script) / 10
    assert ("content-encoding" in plain.headers, plain.content) == (False, script)
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("accepted", ["gzip;q=0", "gzip; q=0.0", "identity", "x-gzip-like", ""])
def test_nothing_is_compressed_for_who_does_not_take_it(viewing: Viewing, accepted: str) -> None:
    answer = viewing.http.get("/assets/main.js", headers={"accept-encoding": accepted})

    assert "content-encoding" not in answer.headers


def test_a_new_bundle_is_served_at_once(viewing: Viewing) -> None:
    before = viewing.http.get("/assets/main.js").headers["etag"]
    (viewing.bundle / "main.js").write_text("export default 1;")

    after = viewing.http.get("/assets/main.js", headers={"if-none-match": before})

    assert (after.status_code, after.text) == (200, "export default 1;")


def test_only_a_chunk_with_a_hash_in_its_name_is_kept_without_asking(viewing: Viewing) -> None:
    kept = viewing.http.get("/assets/chunk-JX5GXWTR.js").headers["cache-control"]

    assert kept == "public, max-age=31536000, immutable"
    assert viewing.http.get("/assets/main.js").headers["cache-control"] == "no-cache"


def test_fonts_and_icons_are_where_grafanas_components_ask_for_them(viewing: Viewing) -> None:
    answer = viewing.http.get("/public/fonts/Inter.woff2", headers={"accept-encoding": "gzip"})

    assert (answer.content, answer.headers["content-type"]) == (b"wOF2", "font/woff2")
    assert "content-encoding" not in answer.headers


def raw(viewing: Viewing, path: str) -> bytes:
    """The answer to a path that a client would tidy up."""
    address = urlsplit(str(viewing.http.base_url))
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/%2e%2e%2fsecret.txt",
        "/assets/public/../../secret.txt",
        "/assets/%252e%252e/secret.txt",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/link.txt",
        "/public/../../secret.txt",
        "/public/..%2f..%2fsecret.txt",
        "/public/..%2findex.html",
        "/public/fonts",
        "/assets/",
        "/assets/public",
        "/assets/main.js%00.css",
        "/assets/" + "x" * 5000,
        "/assets/nothing.js",
    ],
)
def test_no_path_leads_out_of_the_bundle(viewing: Viewing, path: str) -> None:
    (viewing.bundle / "link.txt").symlink_to(viewing.bundle.parent / "secret.txt")

    answer = raw(viewing, path)

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2]


# --- dashboards and runbooks


def test_the_dashboards_are_listed_in_the_order_of_their_links_and_others_after_them(
    viewing: Viewing, tmp_path: Path
) -> None:
    listed = viewing.http.get("/api/dashboards").json()

    assert [each["uid"] for each in listed] == list(TITLES) == list(dashboards.ORDER)
    assert [each["title"] for each in listed] == list(TITLES.values())
    assert listed[0].keys() == {"uid", "title", "description", "tags"}
    for uid, title in (("b", "Nodes"), ("slo", "Objectives"), ("a", "Disks")):
        (tmp_path / f"{uid}.json").write_text(json.dumps({"uid": uid, "title": title}))
    assert [each["title"] for each in dashboards.listed(tmp_path)] == ["Objectives", "Disks", "Nodes"]


def test_a_dashboard_is_its_file_as_it_is(viewing: Viewing) -> None:
    answer = viewing.http.get("/api/dashboards/risk-monitoring")

    assert answer.content == (ROOT / "infra/grafana/dashboards/risk-monitoring.json").read_bytes()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("uid", ["nothing", "slo.json", "..%2fdashboards%2fslo", "%2e%2e", "provider"])
def test_a_dashboard_that_is_not_there_is_a_404(viewing: Viewing, uid: str) -> None:
    assert raw(viewing, f"/api/dashboards/{uid}").startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("broken", ["{", "[]", "{}", '{"uid": "a"}', "null"])
def test_a_file_that_is_no_dashboard_is_left_out_and_named_in_the_log(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "half.json").write_text(broken)
    (tmp_path / "whole.json").write_text('{"uid": "whole", "title": "Whole"}')

    assert dashboards.listed(tmp_path) == [{"uid": "whole", "title": "Whole", "description": "", "tags": []}]
    assert dashboards.text("whole", tmp_path) == '{"uid": "whole", "title": "Whole"}'
    assert "half.json is left out" in caplog.text


def test_the_runbooks_are_markdown_with_a_heading_for_each_alert(viewing: Viewing) -> None:
    answer = viewing.http.get("/api/runbooks")

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "\n## ServiceDown\n" in answer.text


# --- who may ask


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/api/dashboards", "/api/prometheus/api/v1/query?query=up", "/assets/main.js"])
def test_a_foreign_host_name_is_refused(viewing: Viewing, host: str, path: str) -> None:
    assert viewing.http.get(path, headers={"host": host}).status_code == 400
    assert viewing.prometheus.asked == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_query_of_a_page_of_another_origin_is_refused(viewing: Viewing, origin: str) -> None:
    answer = viewing.http.post("/api/prometheus/api/v1/query", data={"query": "up"}, headers={"origin": origin})

    assert answer.status_code == 403
    assert viewing.prometheus.asked == []


def test_a_large_body_is_refused(viewing: Viewing) -> None:
    answer = viewing.http.post("/api/prometheus/api/v1/query", data={"query": "x" * 70_000})

    assert answer.status_code == 413
    assert viewing.prometheus.asked == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PROMETHEUS_URL": "127.0.0.1:9090"}, "PROMETHEUS_URL: is not an address like http://127.0.0.1:9090"),
        ({"PROMETHEUS_URL": "http://me:secret@:x"}, "PROMETHEUS_URL: is not an address like http://127.0.0.1:9090"),
        ({"PAGER_URL": "http://999.1.1.1:80"}, "PAGER_URL: is not an address like http://127.0.0.1:9099"),
        ({"PAGER_URL": "ftp://pager"}, "PAGER_URL: is not an address like http://127.0.0.1:9099"),
    ],
)
def test_an_address_that_is_none_ends_it_with_a_sentence_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    monkeypatch.setattr(main, "set_up_logging", lambda _: None)  # of this process
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        main.app()

    assert str(ended.value) == sentence


async def test_it_answers_to_its_allowed_hosts_and_asks_the_addresses_that_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(main, "set_up_logging", lambda _: None)  # of this process
    monkeypatch.setenv("ALLOWED_HOSTS", "viewer")
    monkeypatch.delenv("PROMETHEUS_URL", raising=False)
    transport = httpx.ASGITransport(main.app())

    async with httpx.AsyncClient(transport=transport, base_url="http://viewer:3000") as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/health", headers={"host": "127.0.0.1"})).status_code == 400


def test_what_is_committed_is_what_is_served_unless_told_otherwise() -> None:
    paths = {getattr(route, "path", "") for route in create("http://127.0.0.1:1", "http://127.0.0.1:1").routes}

    assert not {"/docs", "/redoc", "/openapi.json"} & paths


async def test_dashboards_of_ones_own_are_shown_after_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(main, "set_up_logging", lambda _: None)  # of this process
    monkeypatch.setenv("DASHBOARDS", str(tmp_path))
    (tmp_path / "post.json").write_text('{"uid": "post-office", "title": "Post office"}')
    transport = httpx.ASGITransport(main.app())

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        listed = [each["uid"] for each in (await client.get("/api/dashboards")).json()]
        shown = (await client.get("/api/dashboards/post-office")).json()

    assert listed == [*dashboards.ORDER, "post-office"]
    assert shown["title"] == "Post office"


def test_a_folder_of_dashboards_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(main, "set_up_logging", lambda _: None)  # of this process
    monkeypatch.setenv("DASHBOARDS", str(tmp_path / "typo"))

    with pytest.raises(SystemExit, match=r"DASHBOARDS: .*typo is not a folder"):
        main.app()
