"""The endpoints of the viewer: its pages, the dashboards, and what it asks Prometheus and the pager for a browser.

It only reads. What is not listed here is not passed on, and Prometheus and the pager see nothing of the browser's
request but its query or form.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.guard import guarded
from apps.hosts import OWN_HOSTS
from infra.viewer import bundle_files, dashboards
from infra.viewer.upstream import Upstream

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "infra" / "viewer" / "bundle"
DASHBOARDS = ROOT / "infra" / "grafana" / "dashboards"
RUNBOOKS = ROOT / "docs" / "RUNBOOKS" / "prometheus-alerts.md"

PAGES = ("/", "/d/{uid}", "/alerts", "/runbooks", "/explore")
# Of Prometheus's API. Long queries come as a form.
WITH_FORM = ("query", "query_range", "series", "labels")
WITHOUT = ("metadata", "rules", "alerts", "status/buildinfo")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # also one that is not, in Prometheus's own escaping: U__a_2e_b

SECONDS = 10.0
NOT_BUILT = "The viewer has no pages: its bundle is missing. Make it with: make viewer"
HEADERS = {
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Viewer:
    """Answers the requests to each endpoint."""

    def __init__(self, prometheus: Upstream, pager: Upstream, bundle: Path, boards: Sequence[Path]) -> None:
        self._prometheus = prometheus
        self._pager = pager
        self._bundle = bundle
        self._boards = boards

    def page(self, request: Request) -> Response:
        answer = bundle_files.answer(request, self._bundle, "index.html")
        return PlainTextResponse(NOT_BUILT, 503) if answer.status_code == 404 else answer

    def asset(self, request: Request, path: str) -> Response:
        return bundle_files.answer(request, self._bundle, path)

    def public(self, request: Request, path: str) -> Response:
        return bundle_files.answer(request, self._bundle / "public", path)

    def dashboards(self) -> Response:
        return JSONResponse(dashboards.listed(*self._boards), headers={"cache-control": "no-store"})

    def dashboard(self, uid: str) -> Response:
        text = dashboards.text(uid, *self._boards)
        if text is None:
            return JSONResponse({"detail": "there is no such dashboard"}, 404)
        return Response(text, media_type="application/json", headers={"cache-control": "no-store"})

    def runbooks(self) -> Response:
        return Response(RUNBOOKS.read_text(encoding="utf-8"), media_type="text/markdown")

    async def label_values(self, request: Request, name: str) -> Response:
        if not _LABEL.fullmatch(name):
            return JSONResponse({"detail": "this is not the name of a label"}, 404)
        return await self._prometheus.answer(request, f"/api/v1/label/{name}/values")

    async def prometheus(self, request: Request) -> Response:
        return await self._prometheus.answer(request, request.scope["path"].removeprefix("/api/prometheus"))

    async def pager(self, request: Request) -> Response:
        return await self._pager.answer(request, request.scope["path"].removeprefix("/api/pager"))

    def health(self) -> dict[str, str]:
        return {"status": "ok"}


def create(
    prometheus_url: str,
    pager_url: str,
    hosts: Sequence[str] = OWN_HOSTS,
    bundle: Path = BUNDLE,
    boards: Sequence[Path] = (DASHBOARDS,),
    seconds: float = SECONDS,
) -> FastAPI:
    """The application. `seconds` is how long Prometheus and the pager may take to answer."""
    prometheus = Upstream(
        "Prometheus",
        prometheus_url,
        "If it was just started, it answers soon. Else its log says why: make logs SERVICE=prometheus",
        lambda sentence: {"status": "error", "errorType": "unavailable", "error": sentence},
        seconds,
    )
    pager = Upstream(
        "The pager",
        pager_url,
        "If it was just started, it answers soon. Else its log says why: make logs SERVICE=pager",
        lambda sentence: {"detail": sentence},
        seconds,
    )
    viewer = Viewer(prometheus, pager, bundle, boards)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await prometheus.close()
            await pager.close()

    app = guarded("viewer", lifespan, hosts)
    app.router.routes.clear()  # /docs, which loads its scripts from another origin
    app.add_middleware(_Headers)
    for page in PAGES:
        app.get(page)(viewer.page)
    app.get("/assets/{path:path}")(viewer.asset)
    app.get("/public/{path:path}")(viewer.public)
    app.get("/api/dashboards")(viewer.dashboards)
    app.get("/api/dashboards/{uid}")(viewer.dashboard)
    app.get("/api/runbooks")(viewer.runbooks)
    for asked in WITH_FORM:
        app.api_route(f"/api/prometheus/api/v1/{asked}", methods=["GET", "POST"])(viewer.prometheus)
    for asked in WITHOUT:
        app.get(f"/api/prometheus/api/v1/{asked}")(viewer.prometheus)
    app.get("/api/prometheus/api/v1/label/{name}/values")(viewer.label_values)
    app.get("/api/pager/pages")(viewer.pager)
    app.get("/api/pager/watchdog")(viewer.pager)
    app.get("/health")(viewer.health)
    return app


class _Headers:
    """Has the browser load only what the viewer itself serves, whatever the answer is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
