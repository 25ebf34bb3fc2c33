"""Named parts of the labelled rows: by file, language, source, kind, length, entity, draw; and those that goals name.

plain_slices(examples) ──► all, files, languages            what a manifest and a gate look at
full_slices(examples)  ──► these and every other cut        what a report shows
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from riskstream.trainer.data.examples import Example

REAL, WRITTEN = "annotated", ("test.en", "test.zh")
LENGTHS = (0, 40, 80, 160, 400)
"""Lower ends of the length buckets, in characters; a Chinese character carries about as much as three English ones."""
HARD_DRAWS = ("rare", "uncertain")
"""Draws of real rows that were sought because a model found them hard or their kind is rare."""

Places = dict[str, list[int]]


def plain_slices(examples: Sequence[Example]) -> Places:
    """All rows, each file's and each language's, as places in `examples`."""
    parts = sorted({part for example in examples for part in example.parts})
    slices: Places = {"all": list(range(len(examples)))}
    slices |= {part: [place for place, e in enumerate(examples) if part in e.parts] for part in parts}
    return slices | _by(examples, "lang", lambda e: e.lang)


def full_slices(examples: Sequence[Example]) -> Places:
    """The plain ones, and rows by source, kind, length, entity given or not, and how a real row was drawn."""
    slices = plain_slices(examples)
    slices |= _by(examples, "source", lambda e: e.source)
    slices |= _by(examples, "kind", lambda e: e.kind)
    slices |= _by(examples, "chars", lambda e: bucket(len(e.text)))
    slices |= _by(examples, "entity", lambda e: "given" if e.entity else "none")
    slices |= _by(examples, "picked", lambda e: e.picked)
    slices |= {name: where(examples, rule) for name, rule in GOAL_SLICES.items()}
    return {name: places for name, places in slices.items() if places}


def bucket(length: int) -> str:
    """The length bucket of a text: `40-79`, `400-`."""
    at = max(place for place, low in enumerate(LENGTHS) if length >= low)
    return f"{LENGTHS[at]}-" + (str(LENGTHS[at + 1] - 1) if at + 1 < len(LENGTHS) else "")


GOAL_SLICES: dict[str, Callable[[Example], bool]] = {
    "real": lambda e: REAL in e.parts,
    "real random": lambda e: REAL in e.parts and e.picked == "random",
    "real plain": lambda e: REAL in e.parts and e.picked not in HARD_DRAWS,
    "real hard": lambda e: REAL in e.parts and e.picked in HARD_DRAWS,
    "written": lambda e: any(part in e.parts for part in WRITTEN),
    "authored": lambda e: any(part.startswith("authored.") for part in e.parts),
    "pairs": lambda e: any(p == "sentfin" or p in WRITTEN or p.startswith("authored.") for p in e.parts),
}
"""What the goals name. Hard negatives: the severity 0 rows of `real hard` and of `written`."""


def where(examples: Sequence[Example], rule: Callable[[Example], bool]) -> list[int]:
    """The places of the rows that a rule takes."""
    return [place for place, example in enumerate(examples) if rule(example)]


def _by(examples: Sequence[Example], name: str, key: Callable[[Example], str]) -> Places:
    """A slice `name:value` for every value that is told."""
    found: Places = {}
    for place, example in enumerate(examples):
        if key(example):
            found.setdefault(f"{name}:{key(example)}", []).append(place)
    return dict(sorted(found.items()))
