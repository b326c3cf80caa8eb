"""The endpoints of the pager: those that the channels send to, and those that people and programs read."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import BeforeValidator, Field, ValidationError

from apps.guard import guarded
from apps.hosts import OWN_HOSTS
from apps.inputs import plain_number
from infra.pager import pagerduty, slack, view, webhook
from infra.pager.deadman import DeadMansSwitch
from infra.pager.journal import Journal, Unreadable
from infra.pager.pages import Notification, Page

logger = logging.getLogger(__name__)
Body = dict[str, Any]
Since = Annotated[float, BeforeValidator(plain_number), Field(ge=0, allow_inf_nan=False)]

# PagerDuty's limit. Alertmanager sends up to it, and a page that is refused for its size is lost.
BODY_BYTES = 512 * 1024
NESTED = "the body is nested too deeply"


class Pager:
    """Answers the requests to each endpoint."""

    def __init__(self, journal: Journal, switch: DeadMansSwitch) -> None:
        self._journal = journal
        self._switch = switch

    def take_slack(self, body: Body) -> PlainTextResponse:
        self._keep(_read(slack.read, body))
        return PlainTextResponse("ok")  # as Slack answers: Alertmanager takes anything else for an error

    def take_pagerduty(self, body: Body) -> dict[str, str]:
        self._keep(_read(pagerduty.read, body))
        return {"status": "success", "message": "Event processed", "dedup_key": str(body.get("dedup_key", ""))}

    def take_webhook(self, body: Body) -> dict[str, str]:
        self._keep(_read(webhook.read, body))
        return {"status": "ok"}

    def take_watchdog(self, body: Body) -> dict[str, str]:
        # A resolved Watchdog is no beat: Alertmanager resolves it when Prometheus no longer sends it.
        if _read(webhook.read, body).status == "firing":
            self._switch.beat()
        return {"status": "ok"}

    def watchdog(self) -> dict[str, float | bool | None]:
        return {"last_beat": self._switch.last_beat, "beating": self._switch.beating}

    def pages(self, since: Since = 0.0) -> list[Page]:
        return self._journal.since(since)

    def health(self) -> dict[str, str]:
        return {"status": "ok"}

    def shown(self) -> str:
        return view.pages_html(self._journal.since(), self._switch.last_beat, self._switch.beating)

    def runbooks(self) -> str:
        return view.runbooks_html()

    def _keep(self, notification: Notification) -> None:
        try:
            self._journal.add(notification)
        except Unreadable:
            raise _refusal("nesting", NESTED) from None


def create(
    folder: Path,
    now: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    hosts: Sequence[str] = OWN_HOSTS,
) -> FastAPI:
    journal = Journal(folder, now)
    switch = DeadMansSwitch(journal, now, steady)
    pager = Pager(journal, switch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with closing(journal):
            watching = asyncio.create_task(_watch(switch))
            try:
                yield
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching

    app = guarded("pager", lifespan, hosts, BODY_BYTES)
    app.post("/slack")(pager.take_slack)
    app.post("/pagerduty", status_code=202)(pager.take_pagerduty)
    app.post("/webhook")(pager.take_webhook)
    app.post("/watchdog")(pager.take_watchdog)
    app.get("/watchdog")(pager.watchdog)
    app.get("/pages")(pager.pages)
    app.get("/health")(pager.health)
    app.get("/", response_class=HTMLResponse)(pager.shown)
    app.get("/runbooks", response_class=HTMLResponse)(pager.runbooks)
    return app


def _read(read: Callable[[Body], Notification], body: Body) -> Notification:
    """Reads a notification. Raises `RequestValidationError`, which becomes a 422 that names the field."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # JSON can contain half of a surrogate pair, which no file and no answer can hold.
        raise _refusal("unicode", "text is not valid Unicode") from None
    except RecursionError:
        raise _refusal("nesting", NESTED) from None
    try:
        return read(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        logger.warning("refused what cannot be read: %d problems, the first: %s", len(problems), problems[0])
        raise RequestValidationError([{**problem, "loc": ("body", *problem["loc"])} for problem in problems]) from error


def _refusal(kind: str, sentence: str) -> RequestValidationError:
    logger.warning("refused what cannot be kept: %s", sentence)
    return RequestValidationError([{"type": kind, "loc": ("body",), "msg": sentence}])


async def _watch(switch: DeadMansSwitch) -> None:
    failing = False
    while True:
        try:
            await asyncio.to_thread(switch.check)
            failing = False
        except Exception:
            # Whatever it is: a switch that has ended would be silent, and its silence looks like health.
            if not failing:  # only once, not at every try
                logger.exception("the dead man's switch cannot do its check, and tries on")
            failing = True
        await asyncio.sleep(1)
