"""When talk about a subject is settled as false, and what counts after that.

    alert open ─► harmless texts that deny or clear ─► as many voices as reported that it was so? ─► settled
                                                                                                       │
        texts before: out of the windows       for `hold_ms` after: nothing enters, until it is overturned ◄┘

Rule 1. A text is heard for a denial if the model finds no bad news in it (`HARMLESS` on the scale 0 to 3) and its words
        deny the talk: that counts half, and whole where they say what was found or taken back (`settled`).
        So a company's bare denial, which the model takes for a sign of trouble, settles nothing.
Rule 2. A report counts for the talk if it is no post, tells it as a fact (`report`) and is bad enough (`ADVERSE`).
        A filing counts twice. What denied it before a report comes does not count against it.
Rule 3. Talk is settled when the voices that deny weigh 1, and as much as the reports: two papers that reported it take
        two that clear it. One of them at least must be no post. Each voice counts once, copies not at all.
Rule 4. After that, what came before is no longer looked at, and for a while neither is what comes: it tells again what
        is settled. It takes two new reports of something bad, or a filing, to overturn it; then all that came since
        counts. One report is not enough: papers that look back on a rumour sound like it.

One honest doubt: that a denial is about the talk, and not about something else that was said of the same subject at the
same time, is not checked. The weight of what was reported guards that a confirmed matter is not denied away.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from riskstream.core.records import Signal
from riskstream.core.rules.fields import severity_level

HARMLESS, ADVERSE = 0.5, 1.5
OVERTURNING = 2.0
"""The weight of two papers, or of a filing."""
POSTS = ("social", "customer")
DENYING = ("denial", "settled")
"""The stances of a text that is no source of the trouble."""


class Settled(msgspec.Struct, frozen=True):
    """What came up to this arrival is settled, since `at_ms`; `signal_id` settled it. `overturned`: what came after it
    has shown that something is wrong all the same, or something else."""

    sequence: int
    at_ms: int
    signal_id: str
    overturned: bool = False


class Heard(NamedTuple):
    """A remembered text: the voice that speaks in it, and whether it is the first telling of its story."""

    signal: Signal
    voice: str
    first: bool


def may_settle(signal: Signal) -> bool:
    """Whether a text can be a denial that is heard."""
    return signal.stance in DENYING and severity_level(signal) < HARMLESS


def confirms(signal: Signal) -> bool:
    """Whether a text tells something as a fact, and not on a wall where everybody writes."""
    return signal.stance == "report" and signal.kind not in POSTS


def is_settled(texts: Iterable[Heard]) -> bool:
    """Whether the talk in these texts, in the order in which they came, is settled as false."""
    reported: dict[str, float] = {}
    denied: dict[str, float] = {}
    published = False
    for text in texts:
        signal = text.signal
        if text.first and may_settle(signal):
            weight = signal.weight * (1.0 if signal.stance == "settled" else 0.5)
            denied[text.voice] = max(weight, denied.get(text.voice, 0.0))
            published = published or signal.kind not in POSTS
        elif _report(text, reported):
            denied, published = {}, False
    return published and sum(denied.values()) >= max(1.0, sum(reported.values()))


def is_overturned(texts: Iterable[Heard]) -> bool:
    """Whether these texts, which came after a denial had settled, show that something is wrong all the same."""
    reported: dict[str, float] = {}
    for text in texts:
        _report(text, reported)
    return sum(reported.values()) >= OVERTURNING


def _report(text: Heard, reported: dict[str, float]) -> bool:
    """Note the weight of a report of something bad; False where the text is none."""
    signal = text.signal
    if not text.first or not confirms(signal) or severity_level(signal) < ADVERSE:
        return False
    weight = signal.weight * (2.0 if signal.kind == "filing" else 1.0)
    reported[text.voice] = max(weight, reported.get(text.voice, 0.0))
    return True
