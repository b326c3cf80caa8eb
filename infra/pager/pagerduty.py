"""Reads PagerDuty's events (v2) with the details that our template in infra/alertmanager/config.yml gives them."""

import json
import logging
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from infra.pager.pages import Alert, Notification
from infra.pager.webhook import AlertmanagerAlert

logger = logging.getLogger(__name__)
ALERTS = TypeAdapter(list[AlertmanagerAlert])


class Payload(BaseModel):
    """The payload of an event. The template of the sender decides what the details are."""

    custom_details: Any = None


class Event(BaseModel):
    """The fields of an event that PagerDuty demands, and the fields that are read here."""

    routing_key: str
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str = ""
    payload: Payload = Payload()


def read(body: dict[str, Any]) -> Notification:
    event = Event.model_validate(body)
    details = event.payload.custom_details
    return Notification(
        channel="pagerduty",
        receiver=str(details.get("receiver", "pagerduty")) if isinstance(details, dict) else "pagerduty",
        status="resolved" if event.event_action == "resolve" else "firing",
        alerts=_alerts(details),
        # The key is a secret, and somebody may test a real key against this pager.
        body={**body, "routing_key": "(left out)"},
    )


def _alerts(details: object) -> list[Alert]:
    """The alerts, which the template writes as JSON in a JSON string. Empty for an event in another shape."""
    try:
        if not isinstance(details, dict):
            raise TypeError("custom_details is no object")
        return [alert.page_alert() for alert in ALERTS.validate_json(json.loads(details["alerts"]))]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        logger.warning("A PagerDuty event whose alerts cannot be read is kept without them: %r", error)
        return []
