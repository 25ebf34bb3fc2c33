"""Alert records for tests: a line of letters is an alert's life, one letter a minute.

w m s  watch, material, severe from here on      .  nothing      r  resolved
"""

from __future__ import annotations

from riskstream.core.clock import format_ms
from riskstream.core.contracts import Alert, AlertReason, AlertState, Evidence, Severity, SubjectRef

START_MS = 1_773_014_400_000
MINUTE_MS = 60_000
_LETTERS: dict[str, Severity] = {"w": "watch", "m": "material", "s": "severe"}


def life(letters: str, *, rule: str = "shock", subject: str = "ACME", evidence: tuple[str, ...] = ()) -> list[Alert]:
    """The records of one alert. Its id is made of its rule, subject and first minute."""
    records: list[Alert] = []
    for minute, letter in enumerate(letters):
        if letter == ".":
            continue
        severity = records[-1].severity if letter == "r" else _LETTERS[letter]
        reason: AlertReason = "cleared" if letter == "r" else "raised" if records else "fired"
        state: AlertState = "resolved" if letter == "r" else "updated" if records else "firing"
        name = records[0].alert_id if records else f"{rule}-{subject}-{minute}"
        records.append(_record(name, len(records) + 1, rule, subject, minute, severity, state, reason, evidence))
    return records


def _record(
    name: str,
    sequence: int,
    rule: str,
    subject: str,
    minute: int,
    severity: Severity,
    state: AlertState,
    reason: AlertReason,
    evidence: tuple[str, ...],
) -> Alert:
    at = format_ms(START_MS + minute * MINUTE_MS)
    shown = tuple(
        Evidence(signal, f"title of {signal}", "text", "wire", "https://example.com/1", at, 0.9) for signal in evidence
    )
    return Alert(
        alert_id=name,
        sequence=sequence,
        rule=rule,
        rule_version="sha256:1",
        subject=SubjectRef("entity", subject, f"{subject} Corp"),
        entity=None,
        state=state,
        severity=severity,
        shape="threshold",
        reason=reason,
        value=0.9,
        limit=0.5,
        starts_at=at,
        updated_at=at,
        ends_at=at if state == "resolved" else None,
        first_seen_at=at,
        sources=1,
        documents=1,
        stories=1,
        summary=f"{subject} Corp: {severity}.",
        labels={},
        evidence=shown,
        model="m@1",
    )
