"""Which documents are given up where more come than can be scored.

    wait    every document is scored, late; lanes pause, and the backlog stays in the feed's topic
    shed    a document that arrived longer ago than `age_ms`, or is of one of `kinds` while the queue is long, is not
            scored: counted, and a dead letter if asked

Rule 1. Age is measured from the arrival: an old text that has just come is news to us.
Rule 2. A kind is shed only while the queue before the model holds `queue_min` pairs; age tells of a backlog by itself.
"""

from __future__ import annotations

import msgspec

from riskstream.core.records import Document


class Shedding(msgspec.Struct, frozen=True):
    """What is shed; without `age_ms` none for its age."""

    kinds: frozenset[str]
    age_ms: int | None
    queue_min: int
    dead_letters: bool = False


def why_shed(policy: Shedding, document: Document, arrived_ms: int, *, now_ms: int, queued: int) -> str:
    """Why a document is given up; empty where it is scored."""
    waited_ms = now_ms - arrived_ms
    if policy.age_ms is not None and waited_ms > policy.age_ms:
        return f"it waited {waited_ms / 1000:.0f} s, {policy.age_ms / 1000:.0f} are allowed"
    if document.kind in policy.kinds and queued >= policy.queue_min:
        return f"{queued} pairs wait for the model, and it is of kind {document.kind}"
    return ""
