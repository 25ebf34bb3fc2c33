"""One record of an alert's life, made of what the gauge shows, what is new about it and the record before."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from riskstream.core.clock import format_ms, parse_ms
from riskstream.core.phrases import ordinal, plural, span
from riskstream.core.records import (
    Alert,
    AlertReason,
    AlertState,
    Confirmation,
    Severity,
    SubjectRef,
    WindowView,
)
from riskstream.core.rules.event import Event
from riskstream.core.rules.rule import Condition, Taker
from riskstream.core.rules.shapes import Gauge
from riskstream.core.watching.cellstate import Cause
from riskstream.core.watching.evidence import EVIDENCE_MAX, Said, evidence_of, quoted, summary


class News(NamedTuple):
    """What a record says that the one before it did not. `what` is the value in words, `came` the text that made it."""

    state: AlertState
    reason: AlertReason
    severity: Severity
    value: float
    limit: float
    what: str
    sequence: int
    now_ms: int
    came: Event | None = None


def make_alert(
    taker: Taker, subject: SubjectRef, gauge: Gauge, news: News, opening: Cause, opening_ms: int, last: Alert | None
) -> Alert:
    """The record. Without a `last` one it is the first of an alert that `opening` opened at `opening_ms`."""
    rule, counts, first, newest = taker.rule, gauge.counts(), gauge.first(), gauge.last()
    opened_at, now_at = format_ms(opening.event_ms), format_ms(news.now_ms)
    denial = [news.came] if news.came and news.reason == "denied" else []
    evidence = evidence_of(denial + gauge.best(EVIDENCE_MAX)) or (last.evidence if last else ())
    first_ms = min(
        ([parse_ms(last.first_seen_at)] if last else []) + ([first.event_ms] if first else []), default=opening.event_ms
    )
    confirmation = gauge.confirmation() or (last.confirmation if last else "unconfirmed")
    why = because(news, confirmation, counts, last, rule.condition)
    said = Said(
        subject.name,
        f"resolved ({news.reason.replace('_', ' ')})" if news.state == "resolved" else news.severity,
        news.what,
        news.limit,
        (counts.documents, counts.stories, counts.sources),
        confirmation,
        first_ms,
        news.now_ms,
        None if denial else next(iter(evidence), None),
    )
    entity = None
    if subject.by == "entity":
        entity = newest.signal.entity if newest else last.entity if last else None
    return Alert(
        alert_id=last.alert_id if last else alert_id(taker, subject, opening, opening_ms),
        sequence=news.sequence,
        rule=rule.name,
        rule_version=taker.version,
        subject=subject,
        entity=entity,
        state=news.state,
        severity=news.severity,
        shape=rule.shape_name,
        reason=news.reason,
        value=news.value,
        limit=news.limit,
        starts_at=last.starts_at if last else opened_at,
        updated_at=now_at,
        ends_at=now_at if news.state == "resolved" else None,
        first_seen_at=format_ms(first_ms),
        sources=counts.sources,
        documents=counts.documents,
        stories=counts.stories,
        summary=summary(said, why),
        labels=rule.labels,
        evidence=evidence,
        model=newest.signal.model if newest else last.model if last else "",
        holdings=gauge.drivers() or (last.holdings if last else ()),
        calibration=newest.signal.calibration if newest else last.calibration if last else "",
        confirmation=confirmation,
        why=why,
    )


def because(news: News, confirmation: Confirmation, view: WindowView, last: Alert | None, condition: Condition) -> str:
    """What made this record, in words."""
    came = news.came.signal if news.came else None
    by = f"by {quoted(came.title, came.snippet, came.source)}" if came else "as time passed"
    match news.reason:
        case "denied":
            return f"settled as false {by}"
        case "lowered":
            return f"nothing reached {last.severity if last else news.severity} for {span(condition.lower_after_ms)}"
        case "cleared":
            return f"below the clear limit for {span(condition.hold.keep_ms)}"
        case "expired":
            return "no text is left in the window"
        case "rule_changed" | "rule_removed" | "entity_removed":
            return news.reason.replace("_", " ")
        case "raised" if news.value < news.limit:
            return f"raised since {plural(view.sources, 'independent source')} tell it, the last one {by}"
        case "raised" if last is not None and last.confirmation == "unconfirmed" and confirmation != "unconfirmed":
            return f"raised since it is {confirmation} now, {by}"
        case "raised":
            return f"raised {by}"
        case "fired":
            return f"fired {by}" + (f", the {ordinal(view.sources)} independent source" if view.sources > 1 else "")
        case "evidence":
            return f"told also {by}" if came else "the picture has changed"


def alert_id(taker: Taker, subject: SubjectRef, opening: Cause, opening_ms: int) -> str:
    """The same for every replay: the rule, what it decides by, the subject, and what opened the alert when."""
    parts = (taker.rule.name, taker.condition_hash, subject.by, subject.id, str(opening_ms), opening.id)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
