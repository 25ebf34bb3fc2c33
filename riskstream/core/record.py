"""One record of an alert's life, made of what the gauge shows, what is new about it and the record before."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from riskstream.core.cellstate import Cause
from riskstream.core.clock import format_ms
from riskstream.core.evidence import EVIDENCE_MAX, evidence_of, summary
from riskstream.core.records import Alert, AlertReason, AlertState, Severity, SubjectRef
from riskstream.core.rules import Taker
from riskstream.core.shapes import Gauge


class News(NamedTuple):
    """What a record says that the one before it did not. `what` is the value in words."""

    state: AlertState
    reason: AlertReason
    severity: Severity
    value: float
    limit: float
    what: str
    sequence: int
    now_ms: int


def make_alert(
    taker: Taker, subject: SubjectRef, gauge: Gauge, news: News, opening: Cause, opening_ms: int, last: Alert | None
) -> Alert:
    """The record. Without a `last` one it is the first of an alert that `opening` opened at `opening_ms`."""
    rule, counts, first, newest = taker.rule, gauge.counts(), gauge.first(), gauge.last()
    opened_at, now_at = format_ms(opening.event_ms), format_ms(news.now_ms)
    evidence = evidence_of(gauge.best(EVIDENCE_MAX)) or (last.evidence if last else ())
    seen = [last.first_seen_at] if last else []
    seen += [format_ms(first.event_ms)] if first else []
    standing = f"resolved ({news.reason.replace('_', ' ')})" if news.state == "resolved" else news.severity
    told = summary(
        subject.name,
        standing,
        news.what,
        limit=news.limit,
        counts=(counts.documents, counts.stories, counts.sources),
        best=evidence[0] if evidence else None,
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
        first_seen_at=min(seen, default=opened_at),
        sources=counts.sources,
        documents=counts.documents,
        stories=counts.stories,
        summary=told,
        labels=rule.labels,
        evidence=evidence,
        model=newest.signal.model if newest else last.model if last else "",
        holdings=gauge.drivers() or (last.holdings if last else ()),
    )


def alert_id(taker: Taker, subject: SubjectRef, opening: Cause, opening_ms: int) -> str:
    """The same for every replay: the rule, what it decides by, the subject, and what opened the alert when."""
    parts = (taker.rule.name, taker.condition_hash, subject.by, subject.id, str(opening_ms), opening.id)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
