"""Alerts in pages: which ones are asked for, and where the next page begins.

    alerts, newest change first ─► Wanted (state, entity, rule, severity) ─► after the cursor ─► limit ─► Page

Rule 1. A cursor names the last alert of a page by its last change and its id, never a place in a list: alerts that
        come or change between two pages make none of the others be told twice or left out.
Rule 2. An alert that changes while somebody turns the pages moves to the front; the next first page has it.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Literal

import msgspec

from riskstream.core.records import Alert, AlertState, Severity

PAGE_MAX = 1_000
State = AlertState | Literal["open", "any"]
Place = tuple[str, str]
"""An alert's `updated_at` and id: they order the alerts."""
_PLACE: msgspec.json.Decoder[Place] = msgspec.json.Decoder(Place)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for. An empty entity, rule or severity means all; `open` is firing or updated."""

    state: State = "open"
    entity: str = ""
    rule: str = ""
    severity: Severity | Literal[""] = ""
    limit: int = 100
    cursor: str = ""

    def takes(self, alert: Alert) -> bool:
        """Whether this alert is one of those that are asked for."""
        return (
            (self.state in ("any", alert.state) or (self.state == "open" and alert.state != "resolved"))
            and self.entity in ("", *entities_of(alert))
            and self.rule in ("", alert.rule)
            and self.severity in ("", alert.severity)
        )


class Page(msgspec.Struct, frozen=True):
    """A page of alerts, newest change first. `total` counts all pages; `next` is the cursor of the one after."""

    alerts: tuple[Alert, ...]
    total: int
    next: str | None = None


def page(alerts: Iterable[Alert], wanted: Wanted, after: Place | None) -> Page:
    """The page that follows `after`, or the first one."""
    found = sorted((alert for alert in alerts if wanted.takes(alert)), key=place, reverse=True)
    rest = [alert for alert in found if after is None or place(alert) < after]
    shown = tuple(rest[: wanted.limit])
    return Page(shown, len(found), cursor(place(shown[-1])) if len(rest) > len(shown) else None)


def place(alert: Alert) -> Place:
    """Where an alert stands among the others."""
    return alert.updated_at, alert.alert_id


def entities_of(alert: Alert) -> set[str]:
    """The ids of the entities that an alert is about; none where it is about a group or another subject."""
    named = {alert.entity.id} if alert.entity is not None else set()
    return named | {alert.subject.id} if alert.subject.by == "entity" else named


def cursor(at: Place) -> str:
    """A place as text that may stand in a URL."""
    return urlsafe_b64encode(msgspec.json.encode(at)).decode().rstrip("=")


def read_cursor(text: str) -> Place | None:
    """The place of a cursor; None where it is none of ours."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return _PLACE.decode(urlsafe_b64decode(padded))
    except (UnicodeError, binascii.Error, msgspec.DecodeError):
        return None
