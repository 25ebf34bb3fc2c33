"""Where reading cannot go on: what a lane was to read next, and what the broker holds instead.

    expired     offset < begin                         deleted by retention before it was read
    ahead       offset > end                           the partition ends before it: truncated, or made anew
    recreated   another topic id than at the commit    the same name, and other records at the same offsets
    deleted     no topic of that name any more

Rule 1. A gap is never stepped over by itself: nothing is promised for what Kafka no longer holds, and a person says
        where to go on (`riskstream feeds reset`).
Rule 2. The id of the topic is kept beside the committed offset, since an offset alone means nothing in another topic.
        A broker that tells no ids (before 2.8) has `recreated` found as `ahead`, or not at all.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from riskstream.core.records import Partition

GapReason = Literal["expired", "ahead", "recreated", "deleted"]
GAP_REASONS: tuple[GapReason, ...] = ("expired", "ahead", "recreated", "deleted")
_KEPT = "topic="


class Bounds(msgspec.Struct, frozen=True):
    """What the broker holds of a partition: the offsets from `begin` up to `end`, which is the next one."""

    begin: int
    end: int


class Gap(msgspec.Struct, frozen=True):
    """One lane's gap. `offset` is what it was to read next; `detail` says in words what is there instead."""

    partition: Partition
    reason: GapReason
    offset: int
    detail: str

    def __str__(self) -> str:
        at = f"{self.partition.topic}/{self.partition.partition}"
        fix = (
            f"riskstream feeds reset --topic {self.partition.topic} --partition {self.partition.partition} "
            f"--to earliest|latest|TIME|OFFSET"
        )
        return f"{at} cannot go on at offset {self.offset}: {self.detail}. Fix: stop, `{fix}`, start"


def kept(topic_id: str) -> str:
    """What is kept beside a committed offset."""
    return _KEPT + topic_id if topic_id else ""


def topic_of(metadata: str) -> str:
    """The topic id that was kept; empty where none was."""
    return metadata.removeprefix(_KEPT) if metadata.startswith(_KEPT) else ""


def out_of_bounds(partition: Partition, offset: int, there: Bounds) -> Gap | None:
    """The gap of an offset that is not held; None where it is."""
    if offset < there.begin:
        lost = there.begin - offset
        detail = f"the broker holds {there.begin} to {there.end}, so up to {lost} records expired unread"
        return Gap(partition, "expired", offset, detail)
    if offset > there.end:
        detail = f"the broker holds {there.begin} to {there.end}: the topic was truncated or made anew"
        return Gap(partition, "ahead", offset, detail)
    return None


def of_topic(partition: Partition, offset: int, committed_in: str, there: str | None) -> Gap | None:
    """The gap of an offset that was committed in the topic with the id `committed_in`; `there` is the id of the topic
    of that name now, None where there is none, empty where the broker tells no ids."""
    if there is None:
        return Gap(partition, "deleted", offset, "the topic is not on the broker any more")
    if committed_in and there and committed_in != there:
        detail = f"the topic was made anew since (id {there}, it was {committed_in})"
        return Gap(partition, "recreated", offset, detail)
    return None
