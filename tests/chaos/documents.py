"""The documents of a chaos run: seeded, and each says in a header what must come of it.

    number ──► Entry(id, entities, kind) ──► value (what riskstream reads) + header `chaos` (what the checker reads)

Kinds: `plain` (a signal per entity), `nan` and `kill` (the model yields no number, or ends the process: a dead letter),
`malformed` (no JSON: a dead letter), `unwatched` (nothing). Some plain ones come a second time, as after a producer's
retry: they are scored again, and no alert may count them twice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Literal

import msgspec

Kind = Literal["plain", "nan", "kill", "malformed", "unwatched"]
HEADER = "chaos"
NAN, KILL = "Quibble", "Zounds"
"""Words that the model of these runs stumbles over."""
SYLLABLES = ["ban", "kel", "dor", "vex", "mur", "tan", "pol", "rix", "gal", "hum"]
DOCUMENTS_EACH = 250
"""An alert says what its whole window holds, so a run in which every entity has thousands would measure that alone."""


def _name(number: int) -> str:
    return "".join(SYLLABLES[int(digit)] for digit in f"{number:02}").capitalize() + "co"


WATCHLIST = {f"E{n:02}": _name(n) for n in range(400)}
"""Id → name: one word each, so that none is part of another."""


def watched(documents: int) -> list[str]:
    """The entities that a run of so many documents is about."""
    return list(WATCHLIST)[: max(40, documents // DOCUMENTS_EACH)]


class Entry(msgspec.Struct, frozen=True):
    """What the checker knows of a document."""

    id: str
    entities: tuple[str, ...]
    kind: Kind
    text: str = ""


class Mix(msgspec.Struct, frozen=True):
    """How often something other than a plain document comes: shares of all, and how many that kill."""

    kills: int = 1
    nan: float = 0.001
    malformed: float = 0.002
    unwatched: float = 0.02
    repeated: float = 0.02


def entries(seed: int, count: int, mix: Mix) -> Iterator[Entry]:
    """`count` documents, the same for the same seed. Those that kill lie apart, none in the first tenth."""
    rng = random.Random(f"documents-{seed}")
    kills = {count // 10 + (2 * k + 1) * (count - count // 10) // (2 * mix.kills) for k in range(mix.kills)}
    entities, last = watched(count), None
    for number in range(count):
        draw = rng.random()
        if last is not None and draw < mix.repeated and number not in kills:
            yield last
            continue
        kind = "kill" if number in kills else _kind(rng.random(), mix)
        named = tuple(sorted(rng.sample(entities, rng.choice((1, 1, 1, 2)))))
        entry = Entry(f"d-{number}", () if kind in ("malformed", "unwatched") else named, kind, "")
        entry = msgspec.structs.replace(entry, text=_text(entry, number))
        last = entry if kind == "plain" else last
        yield entry


def _kind(draw: float, mix: Mix) -> Kind:
    for kind in ("nan", "malformed", "unwatched"):
        share: float = getattr(mix, kind)
        if draw < share:
            return kind  # type: ignore[return-value]
        draw -= share
    return "plain"


def _text(entry: Entry, number: int) -> str:
    names = " and ".join(WATCHLIST[entity] for entity in entry.entities) or "Somebody"
    word = {"nan": f" {NAN}", "kill": f" {KILL}"}.get(entry.kind, "")
    return f"{names} told of item {number}{word} today."


def value(entry: Entry, published_ms: int) -> bytes:
    """What the feed carries."""
    if entry.kind == "malformed":
        return b'{"id": "' + entry.id.encode()
    document = {"id": entry.id, "text": entry.text, "source": "wire", "published_at": published_ms, "lang": "en"}
    return json.dumps(document).encode()


def headers(entry: Entry) -> tuple[tuple[str, bytes], ...]:
    """What the checker reads."""
    return ((HEADER, msgspec.json.encode(entry)),)


def watchlist_csv() -> str:
    """The watchlist file."""
    return "id,name,aliases,groups\n" + "".join(f"{id_},{name},,\n" for id_, name in WATCHLIST.items())


def rules_toml(limits: tuple[int, int, int]) -> str:
    """One rule whose alerts follow from how many different documents an entity has had, and from nothing else."""
    watch, material, severe = limits
    return f"""
[[rule]]
name = "counted"
aggregate = "count"
window_s = 86400
update_s = 86400
limits = {{ watch = {watch}, material = {material}, severe = {severe} }}
"""


def limits_for(documents: int) -> tuple[int, int, int]:
    """Limits of which every entity reaches the second, and most the third, late in the run."""
    mean = documents * 1.25 / len(watched(documents))
    return 1, max(2, int(0.4 * mean)), max(3, int(0.8 * mean))
