"""The pager over HTTP, as Alertmanager, tests and people see it."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.pager import main, pagerduty
from infra.pager.app import create
from infra.pager.deadman import DeadMansSwitch
from infra.pager.journal import Journal
from tests.infra.pager import payloads
from tests.waiting import until


class Clock:
    """Wall and steady clock in one: it goes when it is told to."""

    moment = 1_800_000_000.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(tmp_path: Path, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    app = create(tmp_path, clock, clock)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9099") as client,
    ):
        yield client


async def pages(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/pages{query}")
    assert answer.status_code == 200
    listed: list[dict[str, Any]] = answer.json()
    return listed


async def test_a_pagerduty_event_is_answered_as_pagerduty_does_and_listed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/pagerduty", json=payloads.pagerduty())

    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "d0ef13"}
    [page] = await pages(client)
    assert page.keys() == {"received_at", "channel", "receiver", "status", "alerts", "body"}
    assert (page["received_at"], page["channel"], page["status"]) == (1_800_000_000.0, "pagerduty", "firing")
    assert page["alerts"] == [
        {"name": "ServiceDown", "labels": payloads.LABELS, "annotations": payloads.ANNOTATIONS, "status": "firing"}
    ]
    assert page["body"]["payload"] == payloads.pagerduty()["payload"]


async def test_a_slack_message_is_answered_as_slack_does(client: httpx.AsyncClient) -> None:
    answer = await client.post("/slack", json=payloads.slack("*[FIRING] ServiceDown* down"))

    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "ok", "text/plain; charset=utf-8")
    assert [page["channel"] for page in await pages(client)] == ["slack"]


async def test_pages_since_a_fraction_of_a_second_are_only_the_later_ones(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await client.post("/webhook", json=payloads.webhook("firing"))
    clock.moment += 0.25
    await client.post("/webhook", json=payloads.webhook("resolved"))

    assert [page["status"] for page in await pages(client)] == ["firing", "resolved"]
    assert [page["status"] for page in await pages(client, "?since=1800000000.1")] == ["resolved"]


async def test_watchdogs_beats_are_not_among_the_pages(client: httpx.AsyncClient) -> None:
    assert (await client.get("/watchdog")).json() == {"last_beat": None, "beating": False}

    await client.post("/watchdog", json=payloads.webhook("firing", receiver="watchdog"))

    assert (await client.get("/watchdog")).json() == {"last_beat": 1_800_000_000.0, "beating": True}
    assert await pages(client) == []


async def test_a_resolved_watchdog_is_no_beat(client: httpx.AsyncClient) -> None:
    await client.post("/watchdog", json=payloads.webhook("resolved", receiver="watchdog"))

    assert (await client.get("/watchdog")).json() == {"last_beat": None, "beating": False}


async def test_the_dead_mans_switch_pages_without_anybody_asking(client: httpx.AsyncClient, clock: Clock) -> None:
    clock.moment += 46
    async with asyncio.timeout(10):
        while not (listed := await pages(client)):  # noqa: ASYNC110 - the pager is asked, as others ask it
            await asyncio.sleep(0.05)

    assert [(page["channel"], page["status"], page["alerts"][0]["name"]) for page in listed] == [
        ("deadman", "firing", "DeadMansSwitch")
    ]


@pytest.mark.parametrize(
    ("address", "body", "field"),
    [
        ("/pagerduty", {**payloads.pagerduty(), "event_action": "explode"}, ["body", "event_action"]),
        ("/slack", {"attachments": "none"}, ["body", "attachments"]),
        ("/webhook", {**payloads.webhook(), "alerts": None}, ["body", "alerts"]),
        ("/watchdog", {**payloads.webhook(), "status": "?"}, ["body", "status"]),
        ("/webhook", [1, 2], ["body"]),
    ],
)
async def test_what_cannot_be_read_is_answered_with_a_422_that_names_the_field(
    client: httpx.AsyncClient, address: str, body: object, field: list[str]
) -> None:
    answer = await client.post(address, json=body)

    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [field]
    assert await pages(client) == []


async def test_a_body_that_is_no_json_and_a_since_that_is_no_number_are_422(client: httpx.AsyncClient) -> None:
    answer = await client.post("/slack", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"][0]) == (422, "body")

    for since in ("yesterday", "1_0", "%201", "nan", "inf", "-1", "%EF%BC%95", "1e999"):
        answer = await client.get(f"/pages?since={since}")
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "since"])


async def test_the_page_for_people_escapes_what_arrived_and_shows_the_newest_first(client: httpx.AsyncClient) -> None:
    evil = payloads.webhook("firing")
    evil["alerts"][0]["annotations"] = {"summary": "<script>alert(1)</script>", "runbook_url": "javascript:alert(1)"}
    await client.post("/webhook", json=evil)
    await client.post("/webhook", json=payloads.webhook("resolved"))

    html = (await client.get("/")).text
    assert "<script>" not in html
    assert 'href="javascript' not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert html.index("✓ resolved") < html.index("▲ FIRING")
    assert '<a href="https://runbooks.example#servicedown">Runbook</a>' in html
    assert "stands in for Slack and PagerDuty" in html
    assert '<meta http-equiv="refresh"' in html


async def test_the_page_for_people_tells_what_is_over_as_what_was(client: httpx.AsyncClient) -> None:
    over = payloads.webhook("resolved")
    over["alerts"][0]["annotations"] = {"summary": "The book has lost 6%.", "description": "Orders are refused."}
    await client.post("/webhook", json=over)

    said, _, arrived = (await client.get("/")).text.partition("What arrived")
    assert "<p>Was: The book has lost 6%.</p>" in said
    assert "Orders are refused." not in said
    assert "Orders are refused." in arrived


async def test_runbooks_have_the_anchors_that_alerts_lead_to(client: httpx.AsyncClient) -> None:
    html = (await client.get("/runbooks")).text

    assert '<h2 id="servicedown">ServiceDown</h2>' in html


async def test_it_says_that_it_is_well(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_text_that_is_not_unicode_is_refused_and_the_pages_stay(client: httpx.AsyncClient) -> None:
    await client.post("/webhook", json=payloads.webhook())
    body = json.dumps({**payloads.webhook(), "receiver": "\ud800"})

    answer = await client.post("/webhook", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"] == "text is not valid Unicode"
    assert len(await pages(client)) == 1


def nested(depth: int) -> str:
    """A body for every channel, as text: `json.dumps` could not write the deepest."""
    body = {**payloads.pagerduty(), **payloads.webhook(), "text": "it burns"}
    return json.dumps({**body, "deep": "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)


@pytest.mark.parametrize("address", ["/slack", "/pagerduty", "/webhook"])
async def test_what_is_nested_a_hundred_levels_deep_is_kept_and_read_at_the_next_start(
    client: httpx.AsyncClient, tmp_path: Path, address: str
) -> None:
    answer = await client.post(address, content=nested(100), headers={"content-type": "application/json"})

    assert answer.is_success
    assert len(await pages(client)) == len(Journal(tmp_path).since()) == 1


@pytest.mark.parametrize("address", ["/slack", "/pagerduty", "/webhook"])
@pytest.mark.parametrize("depth", [250, 260, 500])
async def test_what_is_nested_too_deeply_to_be_read_at_the_next_start_is_refused(
    client: httpx.AsyncClient, tmp_path: Path, address: str, depth: int
) -> None:
    answer = await client.post(address, content=nested(depth), headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"] == [{"type": "nesting", "loc": ["body"], "msg": "the body is nested too deeply"}]
    assert await pages(client) == []
    assert (tmp_path / "pages.jsonl").read_bytes() == b""


@pytest.mark.parametrize("address", ["/slack", "/pagerduty", "/webhook", "/watchdog"])
@pytest.mark.parametrize("depth", [970, 1000, 100_000])
async def test_no_depth_is_an_error_of_the_pager(client: httpx.AsyncClient, address: str, depth: int) -> None:
    answer = await client.post(address, content=nested(depth), headers={"content-type": "application/json"})

    # FastAPI answers a 400 to what Python cannot read. A heartbeat is not kept, so that its depth does not matter.
    assert answer.status_code in ((200, 400, 422) if address == "/watchdog" else (400, 422))
    assert await pages(client) == []


def test_importing_it_starts_nothing_and_what_is_called_keeps_its_pages_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER_DATA", str(tmp_path / "pager"))

    importlib.reload(main)
    monkeypatch.setattr(main, "set_up_logging", lambda _: None)  # of this process
    assert not (tmp_path / "pager").exists()

    main.app()
    assert (tmp_path / "pager" / "pages.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "host", "status"),
    [
        ("pager, other", "pager", 200),
        ("pager, other", "127.0.0.1", 400),
        ("", "127.0.0.1", 200),
        (" , ", "127.0.0.1", 200),
        (" , ", "pager", 400),
    ],
)
async def test_it_answers_to_its_allowed_hosts_or_to_those_of_this_machine_if_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, host: str, status: int
) -> None:
    monkeypatch.setenv("PAGER_DATA", str(tmp_path))
    monkeypatch.setenv("ALLOWED_HOSTS", text)
    monkeypatch.setattr(main, "set_up_logging", lambda _: None)  # of this process

    async with httpx.AsyncClient(transport=httpx.ASGITransport(main.app()), base_url=f"http://{host}:9099") as client:
        assert (await client.get("/health")).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"host": "evil.example"}, 400), ({"origin": "http://evil.example"}, 403), ({"origin": "null"}, 403)],
)
async def test_a_page_of_a_browser_can_bring_no_page(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/pagerduty", json=payloads.pagerduty(), headers=headers)

    assert answer.status_code == status
    assert await pages(client) == []


async def test_a_notification_is_taken_up_to_pagerdutys_own_limit(client: httpx.AsyncClient) -> None:
    taken = await client.post("/slack", json={"text": "x" * 500_000})
    refused = await client.post("/slack", json={"text": "x" * 530_000})

    assert (taken.status_code, refused.status_code) == (200, 413)
    assert len(await pages(client)) == 1


async def test_what_cannot_be_read_is_logged_briefly(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.post("/webhook", json={"receiver": "x", "status": "firing", "alerts": [{}] * 1000})

    assert answer.status_code == 422
    [said] = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert said.startswith("refused what cannot be read: 2000 problems, the first: ")
    assert len(said) < 300
    assert len(answer.content) <= 4096


def test_a_page_is_logged_with_the_names_of_its_alerts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    journal = Journal(tmp_path)

    journal.add(pagerduty.read(payloads.pagerduty()))

    assert [record.getMessage() for record in caplog.records] == [
        f"0 pages are in {tmp_path / 'pages.jsonl'}",
        "page 1 by pagerduty, firing: ServiceDown",
    ]
    journal.close()


@pytest.mark.parametrize("fault", [OSError("no space left"), RuntimeError("can't start new thread")])
async def test_a_dead_mans_switch_that_fails_tries_on_and_that_is_said_once(
    tmp_path: Path,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    checks: list[float] = []

    def fail(_: DeadMansSwitch) -> None:
        checks.append(clock())
        raise fault

    monkeypatch.setattr(DeadMansSwitch, "check", fail)
    app = create(tmp_path, clock, clock)
    async with app.router.lifespan_context(app):
        await until(lambda: len(checks) >= 2, "two checks")

    assert caplog.text.count("cannot do its check") == 1
    assert str(fault) in caplog.text


async def test_a_dead_mans_switch_that_fails_again_after_a_good_check_says_it_again(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([RuntimeError("first"), None, RuntimeError("second")])

    def sometimes(_: DeadMansSwitch) -> None:
        if fault := next(faults, None):
            raise fault

    monkeypatch.setattr(DeadMansSwitch, "check", sometimes)
    app = create(tmp_path, clock, clock)
    async with app.router.lifespan_context(app):
        await until(lambda: caplog.text.count("cannot do its check") == 2, "said twice")


async def test_the_journal_is_closed_at_the_end_whatever_happened(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Journal] = []
    close = Journal.close

    def noted(journal: Journal) -> None:
        closed.append(journal)
        close(journal)

    monkeypatch.setattr(Journal, "close", noted)
    app = create(tmp_path, clock, clock)
    with pytest.raises(RuntimeError, match="it burns"):
        async with app.router.lifespan_context(app):
            raise RuntimeError("it burns")

    assert len(closed) == 1
