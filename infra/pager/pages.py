"""What a page is, whichever channel brought it."""

from typing import Any, Literal

from pydantic import BaseModel

Status = Literal["firing", "resolved"]
Channel = Literal["pagerduty", "slack", "webhook", "deadman"]


class Alert(BaseModel):
    """One alert of a notification, with what the channel says of it."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    status: Status


class Notification(BaseModel):
    """What a channel brought."""

    channel: Channel
    receiver: str
    status: Status
    alerts: list[Alert]
    body: dict[str, Any]


class Page(Notification):
    """A notification with the moment, in unix seconds, at which it was written down."""

    received_at: float
