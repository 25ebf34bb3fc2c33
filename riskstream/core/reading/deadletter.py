"""A refused message as a dead letter: what it was, where it lay, why it was refused.

    key, value, headers of the original  ──►  value: the original, cut at `bytes_max`
                                              headers: riskstream-*, then the original's own
                                              key: the original's

Rule 1. A dead letter always fits: a broker takes 1 MiB a record by default, the value takes at most `bytes_max` of it,
        and key and headers have bounds of their own. What does not fit is cut (value) or left out (key, header).
Rule 2. `riskstream-bytes` and `riskstream-sha256` speak of the whole original value, so that the original can be known
        again where only a part of it, or nothing, is kept. `riskstream-truncated` is `true` where anything is gone.
Rule 3. The headers come in a fixed order, ours first: a reader that takes the first of a name gets ours.
"""

from __future__ import annotations

import hashlib

from riskstream.core.records import Headers, Message, Output, Rejected

BYTES_MAX = 900_000
KEY_BYTES_MAX = 16_384
HEADERS_BYTES_MAX = 65_536
"""Key and own headers together stay under 80 KiB: with 900 kB of value the record is well below the broker's 1 MiB."""
HEADER_OVERHEAD_BYTES = 10
"""What the broker's format adds to a header at most: two lengths."""
DETAIL_CHARS_MAX = 200

PREFIX = "riskstream-"


def dead_letter(
    message: Message, rejected: Rejected, topic: str, bytes_max: int = BYTES_MAX, *, body: bool = True
) -> Output:
    """The record for the dead-letter topic. Without `body` only the hash speaks of the value: for a feed whose texts
    must not be kept, and for a dead letter that could not be written with it."""
    value = message.value
    kept = None if value is None or not body else value[:bytes_max]
    key = message.key if message.key is None or len(message.key) <= KEY_BYTES_MAX else None
    headers = _fitting(message.headers)
    whole = kept == value and key == message.key and len(headers) == len(message.headers)
    position = rejected.position
    ours = {
        "reason": rejected.reason.value,
        "detail": rejected.detail[:DETAIL_CHARS_MAX],
        "topic": position.topic,
        "partition": str(position.partition),
        "offset": str(position.offset),
        "timestamp": str(message.timestamp_ms),
        "bytes": str(len(value or b"")),
        "sha256": hashlib.sha256(value or b"").hexdigest(),
        "truncated": "false" if whole else "true",
    }
    own = tuple((PREFIX + name, text.encode("utf-8", "backslashreplace")) for name, text in ours.items())
    return Output(topic=topic, key=key, value=kept, headers=own + headers)


def _fitting(headers: Headers) -> Headers:
    """The headers, in order, that fit into the bound; one that is too large does not push out those after it."""
    kept: list[tuple[str, bytes]] = []
    room = HEADERS_BYTES_MAX
    for name, value in headers:
        size = len(name.encode("utf-8", "backslashreplace")) + len(value or b"") + HEADER_OVERHEAD_BYTES
        if size <= room:
            kept.append((name, value))
            room -= size
    return tuple(kept)
