"""Pages, notifications and alerts, in one form for all channels."""

from typing import Any, Literal

from pydantic import BaseModel

Status = Literal["firing", "resolved"]
Channel = Literal["pagerduty", "slack", "webhook", "deadman"]


class Alert(BaseModel):
    """One alert of a notification, as far as the channel describes it."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    status: Status


class Notification(BaseModel):
    """What a channel sent."""

    channel: Channel
    receiver: str
    status: Status
    alerts: list[Alert]
    body: dict[str, Any]


class Page(Notification):
    """A notification with the time of its writing, in unix seconds."""

    received_at: float
