"""Reads what Alertmanager sends to Slack, in the form of our template in infra/alertmanager/config.yml."""

import logging
import re
from typing import Any, cast

from pydantic import BaseModel, model_validator

from infra.pager.pages import Alert, Notification, Status

logger = logging.getLogger(__name__)
HEADER = re.compile(r"^\*\[(FIRING|RESOLVED)\] ([A-Za-z_]\w*)\* ?(.*)$", re.MULTILINE)
LINKS = re.compile(r"^<([^|>]+)\|Runbook>(?: <([^|>]+)\|Dashboard>)?$", re.MULTILINE)


class Attachment(BaseModel):
    """An attachment. Alertmanager puts the whole message into one."""

    title: str = ""
    text: str = ""
    callback_id: str = ""


class Message(BaseModel):
    """A message to an incoming webhook."""

    text: str = ""
    attachments: list[Attachment] = []

    @model_validator(mode="after")
    def says_something(self) -> "Message":
        if not self.text and not self.attachments:
            raise ValueError("neither text nor attachments")
        return self


def read(body: dict[str, Any]) -> Notification:
    message = Message.model_validate(body)
    text = "\n".join([message.text, *(attachment.text for attachment in message.attachments)])
    alerts = _alerts(text)
    if not alerts:
        logger.warning("A Slack message that names no alert is kept without alerts.")
    receivers = [attachment.callback_id for attachment in message.attachments if attachment.callback_id]
    return Notification(
        channel="slack",
        receiver=receivers[0] if receivers else "slack",
        # A message that cannot be read counts as firing, so that somebody looks at it.
        status="resolved" if alerts and all(alert.status == "resolved" for alert in alerts) else "firing",
        alerts=alerts,
        body=body,
    )


def _alerts(text: str) -> list[Alert]:
    alerts = []
    headers = list(HEADER.finditer(text))
    for number, header in enumerate(headers, start=1):
        end = headers[number].start() if number < len(headers) else len(text)
        rest = text[header.end() : end]
        links = LINKS.search(rest)
        annotations = {
            "summary": _plain(header[3]),
            "description": _plain(rest[: links.start()] if links else rest),
            "runbook_url": links[1] if links else "",
            "dashboard_url": (links[2] or "") if links else "",
        }
        said = {name: text for name, text in annotations.items() if text}
        status = cast(Status, header[1].lower())
        alerts.append(Alert(name=header[2], labels={"alertname": header[2]}, annotations=said, status=status))
    return alerts


def _plain(text: str) -> str:
    """A text as people see it: Slack escapes these three."""
    return text.strip().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
