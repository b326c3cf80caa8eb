"""What is passed on to Prometheus and to the pager: questions, and nothing else. And what is said without an answer."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.types import Message

from infra.viewer.app import WITH_FORM, WITHOUT, create
from tests.infra.viewer.conftest import Viewing
from tests.infra.viewer.serving import nobody, serving, silent, trickling
from tests.infra.viewer.test_app import raw

API = "/api/prometheus/api/v1"
ADVICE = "If it was just started, it answers soon. Else its log says why: make logs SERVICE="


def write(body: bytes) -> Any:
    return lambda handler: handler.wfile.write(body)


@pytest.mark.parametrize("path", [*WITH_FORM, *WITHOUT, "label/job/values", "label/U__a_2e_b/values"])
def test_a_question_arrives_as_it_was_asked_and_its_answer_as_it_was_given(viewing: Viewing, path: str) -> None:
    viewing.prometheus.body = write(b'{"status":"success"}')
    query = "query=sum%20by%20(job)%20(up%7Ba=~%22x|%2B%22%7D)&match[]=up&match[]=a%26b&start=1.5"

    answer = viewing.http.get(f"{API}/{path}?{query}")

    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    assert answer.headers["cache-control"] == "no-store"
    [asked] = viewing.prometheus.asked
    assert (asked.method, asked.path.partition("?")[0]) == ("GET", f"/api/v1/{path}")
    assert httpx.QueryParams(asked.path.partition("?")[2]) == httpx.QueryParams(query)


@pytest.mark.parametrize("path", WITH_FORM)
def test_a_long_query_is_passed_on_as_a_form(viewing: Viewing, path: str) -> None:
    viewing.http.post(f"{API}/{path}", data={"query": "up or " * 5000 + "up", "time": "1"})

    [asked] = viewing.prometheus.asked
    assert (asked.method, asked.path) == ("POST", f"/api/v1/{path}")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert httpx.QueryParams(asked.body.decode())["query"] == "up or " * 5000 + "up"


def test_a_body_that_is_no_form_is_refused(viewing: Viewing) -> None:
    answer = viewing.http.post(f"{API}/query", json={"query": "up"})

    assert (answer.status_code, answer.json()["status"]) == (415, "error")
    assert viewing.prometheus.asked == []


def test_of_the_clients_headers_only_what_it_can_decompress_is_passed_on(viewing: Viewing) -> None:
    viewing.http.get(
        f"{API}/query?query=up",
        headers={
            "accept-encoding": "gzip", "authorization": "Bearer secret", "cookie": "a=secret", "origin": "http://x",
            "x-forwarded-for": "10.0.0.1", "user-agent": "secret", "accept-language": "de", "referer": "http://secret",
        },
    )  # fmt: skip
    raw(viewing, f"{API}/query?query=up")

    first, second = viewing.prometheus.asked
    assert first.headers.keys() == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert first.headers["accept-encoding"] == "gzip"
    assert first.headers["host"] == viewing.prometheus.url.removeprefix("http://")
    assert "secret" not in str(first.headers)
    assert second.headers["accept-encoding"] == "identity"


def test_of_the_answers_headers_only_what_describes_its_body_is_handed_on(viewing: Viewing) -> None:
    body = gzip.compress(b'{"status":"success"}')
    viewing.prometheus.headers = {
        "Content-Type": "application/json", "Content-Encoding": "gzip", "Content-Length": str(len(body)),
        "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*", "Location": "http://evil.example",
    }  # fmt: skip
    viewing.prometheus.body = write(body)

    for _ in range(2):
        answer = viewing.http.get(f"{API}/query?query=up", headers={"accept-encoding": "gzip"})

    assert answer.json() == {"status": "success"}
    assert answer.headers["content-length"] == str(len(body))
    assert not {"set-cookie", "access-control-allow-origin", "location"} & answer.headers.keys()
    assert "cookie" not in viewing.prometheus.asked[1].headers


@pytest.mark.parametrize("status", [302, 400, 422, 503])
def test_what_prometheus_refuses_comes_through_with_its_reason(viewing: Viewing, status: int) -> None:
    viewing.prometheus.status = status
    viewing.prometheus.body = write(b'{"status":"error","errorType":"bad_data","error":"parse error"}')

    answer = viewing.http.get(f"{API}/query?query=(")

    assert (answer.status_code, answer.json()["error"]) == (status, "parse error")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/prometheus/api/v1/admin/tsdb/snapshot"),
        ("POST", "/api/prometheus/api/v1/admin/tsdb/delete_series"),
        ("POST", "/api/prometheus/-/reload"),
        ("POST", "/api/prometheus/-/quit"),
        ("GET", "/api/prometheus/api/v1/status/config"),
        ("GET", "/api/prometheus/api/v1/targets"),
        ("GET", "/api/prometheus/federate"),
        ("POST", "/api/prometheus/api/v1/otlp/v1/metrics"),
        ("POST", "/api/prometheus/api/v1/write"),
        ("POST", "/api/prometheus/api/v1/rules"),
        ("POST", "/api/prometheus/api/v1/label/job/values"),
        ("DELETE", "/api/prometheus/api/v1/series"),
        ("PUT", "/api/prometheus/api/v1/query"),
        ("POST", "/api/pager/pages"),
        ("POST", "/api/pager/watchdog"),
        ("POST", "/api/pager/slack"),
        ("GET", "/api/pager/health"),
        ("POST", "/api/dashboards"),
        ("DELETE", "/api/dashboards/slo"),
        ("GET", "/api"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
    ],
)
def test_what_is_not_a_question_is_not_passed_on(viewing: Viewing, method: str, path: str) -> None:
    answer = viewing.http.request(method, path, data={"a": "b"} if method == "POST" else None)

    assert answer.status_code in (404, 405)
    assert viewing.prometheus.asked == viewing.pager.asked == []


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/label/../admin/values",
        f"{API}/label/%2e%2e/values",
        f"{API}/label/a%2fb/values",
        f"{API}/label/..%2f..%2fadmin/values",
        f"{API}/label/a%3fb/values",
        f"{API}/label/a%0d%0ab/values",
        f"{API}/query/../admin/tsdb/snapshot",
        f"{API}/query%2f..%2fadmin",
        "/api/prometheus//api/v1/query",
        "/api/prometheus/http:%2f%2fevil.example/api/v1/query",
    ],
)
def test_no_path_leads_to_another_question(viewing: Viewing, path: str) -> None:
    assert raw(viewing, path).startswith(b"HTTP/1.1 404 ")
    assert viewing.prometheus.asked == []


def test_the_pages_and_the_watchdog_come_from_the_pager(viewing: Viewing) -> None:
    viewing.pager.body = write(b"[]")

    assert viewing.http.get("/api/pager/pages?since=1.5").json() == []
    assert viewing.http.get("/api/pager/watchdog").json() == []
    assert [asked.path for asked in viewing.pager.asked] == ["/pages?since=1.5", "/watchdog"]


# --- no answer


def test_who_is_away_is_named_with_what_to_do(bundle: Path) -> None:
    with serving(create(nobody(), nobody(), bundle=bundle)) as url, httpx.Client(base_url=url) as http:
        prometheus, pager = http.get(f"{API}/query?query=up"), http.get("/api/pager/pages")

    assert (prometheus.status_code, pager.status_code) == (502, 502)
    assert prometheus.json() == {
        "status": "error",
        "errorType": "unavailable",
        "error": f"Prometheus does not answer. {ADVICE}prometheus",
    }
    assert pager.json() == {"detail": f"The pager does not answer. {ADVICE}pager"}


def test_who_does_not_answer_in_time_is_named_and_the_viewer_answers_others_meanwhile(bundle: Path) -> None:
    with (
        silent() as late,
        serving(create(late, late, bundle=bundle, seconds=0.5)) as url,
        httpx.Client(base_url=url) as http,
        ThreadPoolExecutor() as threads,
    ):
        began = time.monotonic()
        waiting = [threads.submit(http.get, f"{API}/query?query=up") for _ in range(20)]
        assert http.get("/health").status_code == 200
        answers = [each.result() for each in waiting]
        took = time.monotonic() - began
        pager = http.get("/api/pager/watchdog")

    assert {each.status_code for each in answers} == {504}
    assert answers[0].json()["error"] == f"Prometheus has not answered within 0.5 s. {ADVICE}prometheus"
    assert (pager.status_code, pager.json()["detail"].partition(" within")[0]) == (504, "The pager has not answered")
    assert took < 5


def test_no_proxy_comes_between(bundle: Path, viewing: Viewing, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, nobody())
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable)
    app = create(viewing.prometheus.url, viewing.pager.url, bundle=bundle)

    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert http.get(f"{API}/query?query=up").status_code == 200


def test_it_recovers_with_prometheus(viewing: Viewing) -> None:
    viewing.prometheus.status = 503
    assert viewing.http.get(f"{API}/query?query=up").status_code == 503

    viewing.prometheus.status = 200
    assert viewing.http.get(f"{API}/query?query=up").status_code == 200


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(
    viewing: Viewing, caplog: pytest.LogCaptureFixture
) -> None:
    viewing.prometheus.headers["Content-Length"] = "1000"
    viewing.prometheus.body = write(b'{"status":')

    with pytest.raises(httpx.RemoteProtocolError):
        viewing.http.get(f"{API}/query?query=up")

    assert "the answer of Prometheus broke off: RemoteProtocolError" in caplog.text
    assert "Traceback" not in caplog.text


def test_an_answer_that_pauses_for_too_long_is_broken_off(viewing: Viewing, bundle: Path) -> None:
    go_on = threading.Event()

    def body(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b'{"status":')
        go_on.wait(10)

    viewing.prometheus.body = body
    app = create(viewing.prometheus.url, viewing.pager.url, bundle=bundle, seconds=0.5)
    with serving(app) as url, httpx.Client(base_url=url) as http, pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{API}/query?query=up")
    go_on.set()


def test_an_answer_that_never_quite_begins_is_late(bundle: Path) -> None:
    with (
        trickling() as late,
        serving(create(late, late, bundle=bundle, seconds=0.5)) as url,
        httpx.Client(base_url=url) as http,
    ):
        assert http.get(f"{API}/query?query=up").status_code == 504


# --- large answers, many at once


def test_a_large_answer_is_streamed_and_never_held_as_a_whole(viewing: Viewing) -> None:
    part, parts = b"x" * 1_000_000, 200
    sent = threading.Event()

    def body(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(parts):
            handler.wfile.write(part)
        sent.set()

    viewing.prometheus.body = body
    before = psutil.Process().memory_info().rss
    with viewing.http.stream("GET", f"{API}/query_range?query=up") as answer:
        received = iter(answer.iter_raw(65536))
        begin = len(next(received))
        assert not sent.wait(0.5), "it was read before anybody took it"
        held = psutil.Process().memory_info().rss - before
        total = begin + sum(len(each) for each in received)

    assert total == len(part) * parts
    assert held < 50_000_000


class Endless:
    """Writes a body without an end, until nobody is there to take it."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        try:
            while not self.left.is_set():
                handler.wfile.write(b"x" * 100_000)
        except OSError:
            self.left.set()


def test_a_browser_that_leaves_frees_its_connection_to_prometheus(viewing: Viewing) -> None:
    viewing.prometheus.body = endless = Endless()

    with viewing.http.stream("GET", f"{API}/query_range?query=up") as answer:
        next(iter(answer.iter_raw()))

    assert endless.left.wait(5)


async def test_so_does_one_that_has_left_before_the_first_byte(bundle: Path, viewing: Viewing) -> None:
    viewing.prometheus.body = endless = Endless()
    app = create(viewing.prometheus.url, viewing.pager.url, bundle=bundle)
    scope = {
        "type": "http", "method": "GET", "path": f"{API}/query", "query_string": b"query=up", "root_path": "",
        "scheme": "http", "headers": [(b"host", b"127.0.0.1")],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        await asyncio.Event().wait()  # as long as the browser takes nothing

    await app(scope, receive, send)

    assert endless.left.wait(5)


def test_forty_questions_at_once_are_asked_at_once_and_each_gets_its_own_answer(viewing: Viewing) -> None:
    together = threading.Barrier(40, timeout=10)

    def body(handler: BaseHTTPRequestHandler) -> None:
        together.wait()
        handler.wfile.write(handler.path.partition("=")[2].encode())

    viewing.prometheus.body = body
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda n: viewing.http.get(f"{API}/query?query={n}").text, range(40)))

    assert answers == [str(n) for n in range(40)]
