"""What is thrown at riskstream: good inputs that were damaged, and inputs that were never good.

    good bytes ─► damaged: bytes flipped, cut out, doubled, put in, the end lost ─► bytes
    good JSON  ─► altered: a value somewhere in it replaced by any other ────────► JSON
    nothing    ─► bytes, text, JSON of any kind

`RISKSTREAM_FUZZ=N` (what `make fuzz` sets) tries N of each kind, others every time; without it the same few every time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

ASKED = int(os.environ.get("RISKSTREAM_FUZZ", "0"))
FEW = 60
SECONDS_MAX = 10
"""For one input. What takes longer hangs, also on a machine that is busy otherwise."""
SPITEFUL = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b'"', b"'", b"{", b"[", b"[" * 3000, b"]", b"}", b",", b":",
    b"-1", b"1e999", b"NaN", b"9" * 5000, b"null", b"true", b"\r\n", b"\n[[rule]]\n", b"#", b"|", b"\xef\xbb\xbf", b"=",
    "\u202e".encode(), "\u0130".encode(), "\ufdfa".encode(), b" " * 10_000, b"A" * 70_000, b"*", b"../..", b"%s",
)  # fmt: skip
TIMES = (
    "", "x", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2026-03-09",
    "2026-02-30T00:00:00Z", "٢٠٢٦-٠٣-٠٩T٠٠:٠٠:٠٠Z",
    "2026-03-09T12:00:00", "2026-03-09T12:00:00+99:00", "2026-03-09T12:00:00.0001Z", "\x00", "1773057600000",
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([0, -1, 1, 2**31, 2**63, 1e308, -0.0, "", "\x00", "\ud800", "a" * 100_000, "NaN", "é", "\u202e"])
    | st.text(max_size=40)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def fuzz(
    share: float = 1.0, few: int = FEW, *, shrink: bool = True, seconds_max: float = SECONDS_MAX
) -> Callable[[Any], Any]:
    """So many inputs for a test: `few`, or a share of what was asked for."""
    return settings(
        max_examples=max(few, round(share * ASKED)) if ASKED else few,
        deadline=timedelta(seconds=seconds_max),
        derandomize=not ASKED,
        database=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """Good bytes with one to six of the things that happen to bytes."""
    data = draw(good)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.sampled_from([1, 2, 3, 8, 40, 400])))
        kind = draw(st.sampled_from(["flip", "cut", "double", "put", "end", "bytes"]))
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ draw(st.integers(1, 255))]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[to:]
        elif kind == "double":
            data = data[:to] + data[at:]
        elif kind == "put":
            data = data[:at] + draw(st.sampled_from(SPITEFUL)) + data[at:]
        elif kind == "end":
            data = data[:at]
        elif kind == "bytes":
            data = data[:at] + draw(st.binary(max_size=12)) + data[at:]
    return data


@st.composite
def altered(draw: st.DrawFn, good: Any) -> Any:
    """Good JSON with one to four values, anywhere in it, replaced, left out or joined by another."""
    found = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 4))):
        holder = found
        while True:
            places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            inner = holder[place]
            if isinstance(inner, dict | list) and inner and draw(st.booleans()):
                holder = inner
                continue
            what = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
            if what == "replace":
                holder[place] = draw(ANYTHING)
            elif what == "remove":
                del holder[place]
            elif isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = draw(ANYTHING)
            else:
                holder.append(draw(ANYTHING))
            break
    return found


def as_json(value: Any) -> bytes:
    """As a careless producer writes it: NaN and lone surrogates too."""
    return json.dumps(value).encode("utf-8", "surrogatepass")
