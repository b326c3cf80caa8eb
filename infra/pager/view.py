"""Renders the pages for people: plain HTML, newest first."""

import json
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from infra.pager.pages import Alert, Page

RUNBOOKS = Path(__file__).parents[2] / "docs" / "RUNBOOKS" / "prometheus-alerts.md"
SHOWN = 200
WAS = "Was: "
"""Before what is over, as our template for Slack has it. PagerDuty's alerts are the ones that Prometheus sent."""
STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem }
body { color: #1b1b1b; background: #fff }
header p { margin: .3rem 0 }
article { border: 1px solid #bbb; border-left: .5rem solid #1a7f37; margin: .8rem 0; padding: .5rem .8rem }
article.firing { border-left-color: #b3261e }
h2 { font-size: 1rem; margin: 0 } h3 { font-size: 1rem; margin: .4rem 0 0 }
.status { font-weight: bold } .firing .status { color: #b3261e } .resolved .status { color: #1a7f37 }
.labels, time, .where { color: #555; font-size: .9rem } p { margin: .2rem 0 }
pre { overflow-x: auto; white-space: pre-wrap; background: #f4f4f4; padding: .5rem }
"""


def pages_html(pages: list[Page], last_beat: float | None, beating: bool) -> str:
    watchdog = "Watchdog beats." if beating else "Watchdog does NOT beat: no alert would arrive."
    heard = f" Last beat {_moment(last_beat)}." if last_beat is not None else " No beat since the pager was started."
    hidden = f"<p>The newest {SHOWN} of {len(pages)}; all are at /pages.</p>" if len(pages) > SHOWN else ""
    articles = "".join(_article(page) for page in reversed(pages[-SHOWN:])) or "<p>No pages yet.</p>"
    return _document(
        "Pager",
        f"""<header><h1>Pager</h1>
<p>This page stands in for Slack and PagerDuty. What has a real destination is not shown here.</p>
<p class="{"resolved" if beating else "firing"}"><span class="status">{watchdog}</span>{escape(heard)}</p>
{hidden}</header><main>{articles}</main>""",
        refresh=True,
    )


def runbooks_html() -> str:
    """The runbooks, with the anchor at each heading that the runbook_url of an alert leads to."""
    lines = []
    for line in RUNBOOKS.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            lines.append(f'</pre><h2 id="{escape(line[3:].lower())}">{escape(line[3:])}</h2><pre>')
        else:
            lines.append(escape(line) + "\n")
    return _document("Runbooks", f"<main><pre>{''.join(lines)}</pre></main>", refresh=False)


def _document(title: str, body: str, refresh: bool) -> str:
    meta = '<meta http-equiv="refresh" content="5">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{meta}'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><title>{title}</title>'
        f"<style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def _article(page: Page) -> str:
    alerts = "".join(_alert(alert) for alert in page.alerts) or "<p>Its alerts could not be read: see what arrived.</p>"
    body = escape(json.dumps(page.body, indent=1, ensure_ascii=False))
    return (
        f'<article class="{page.status}"><h2>{_status(page.status)} '
        f'<span class="where">{escape(page.channel)}, receiver {escape(page.receiver)}</span> '
        f"<time>{_moment(page.received_at)}</time></h2>{alerts}"
        f"<details><summary>What arrived</summary><pre>{body}</pre></details></article>"
    )


def _alert(alert: Alert) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in sorted(alert.labels.items()) if key != "alertname")
    links = " ".join(
        f'<a href="{escape(address)}">{text}</a>'
        for text, name in (("Runbook", "runbook_url"), ("Dashboard", "dashboard_url"))
        # Any other address could run a script.
        if (address := alert.annotations.get(name, "")).startswith(("https://", "http://", "/"))
    )
    summary, description = alert.annotations.get("summary", ""), alert.annotations.get("description", "")
    if alert.status == "resolved":
        summary, description = WAS + summary.removeprefix(WAS), ""
    return (
        f'<section class="{alert.status}"><h3>{escape(alert.name)} <span class="labels">{escape(labels)}</span></h3>'
        f"<p>{escape(summary)}</p><p>{escape(description)}</p><p>{links}</p></section>"
    )


def _status(status: str) -> str:
    return f'<span class="status">{"▲ FIRING" if status == "firing" else "✓ resolved"}</span>'


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
