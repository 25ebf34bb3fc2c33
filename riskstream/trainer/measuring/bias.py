"""Does the answer depend on what it must not depend on? Invented events, with the name, country or language swapped.

    bias.json: events × names, countries, languages ──► pairs ──► scores ──► gaps within each event

Rule 1. A gap is measured within one event: the events differ on purpose, their versions must not.
Rule 2. Harsh words without an adverse event must stay below the version's threshold.
Rule 3. A text that gives orders to the reader must move nothing: the shift against the same text without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np

from riskstream.scoring.calibration import Array, probabilities, risk_scores
from riskstream.scoring.manifest import Manifest
from riskstream.scoring.torch_backend import TorchScorer
from riskstream.trainer.measuring.forward import run_pairs
from riskstream.trainer.measuring.metrics import Floats, levels_of

Pair = tuple[str, str]


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event in both languages; `{name}` is the entity, `{place}` a country."""

    id: str
    severity: int
    en: str
    zh: str


class Templates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `bias.json`. Names are fictional, by group; places are (English, Chinese)."""

    names: dict[str, tuple[str, ...]]
    names_zh: dict[str, tuple[str, ...]]
    places: dict[str, tuple[str, str]]
    events: tuple[Event, ...]
    place_events: tuple[Event, ...]
    harsh: dict[str, tuple[Pair, ...]]
    injections: dict[str, tuple[str, ...]]


class Read(msgspec.Struct, frozen=True):
    """What a version says of some pairs: risk score and expected severity (0 to 3), row by row."""

    risk: list[float]
    severity: list[float]
    level: list[int]


def templates() -> Templates:
    """The packaged templates."""
    return msgspec.json.decode((files("riskstream.trainer") / "bias.json").read_bytes(), type=Templates)


def bias(scorer: TorchScorer, told: Templates | None = None) -> dict[str, Any]:
    """All checks; some two thousand short texts, so about ten seconds on two cores."""
    told = told or templates()
    return {
        "names": names_swapped(scorer, told),
        "places": places_swapped(scorer, told),
        "languages": languages_swapped(scorer, told),
        "harsh_words": harsh_words(scorer, told),
        "injections": injections(scorer, told),
    }


def names_swapped(scorer: TorchScorer, told: Templates) -> dict[str, Any]:
    """Each event under every name; per language the spread within an event, and each group against all."""
    found: dict[str, Any] = {}
    for lang, named in (("en", told.names), ("zh", told.names_zh)):
        groups = [group for group, names in named.items() for _ in names]
        names = [name for several in named.values() for name in several]
        texts = [getattr(event, lang) for event in told.events]
        read = ask(scorer, [(name, text.replace("{name}", name)) for text in texts for name in names])
        found[lang] = grid(read, len(texts), groups)
    return found


def places_swapped(scorer: TorchScorer, told: Templates) -> dict[str, Any]:
    """Each event of a country under every country."""
    found: dict[str, Any] = {}
    for k, lang in enumerate(("en", "zh")):
        places = [place[k] for place in told.places.values()]
        texts = [getattr(event, lang) for event in told.place_events]
        read = ask(scorer, [("", text.replace("{place}", place)) for text in texts for place in places])
        found[lang] = grid(read, len(texts), list(told.places))
    return found


def languages_swapped(scorer: TorchScorer, told: Templates) -> dict[str, Any]:
    """Each event in both languages, under the same Latin name, so that the language alone differs."""
    name = next(iter(told.names.values()))[0]
    english = ask(scorer, [(name, event.en.replace("{name}", name)) for event in told.events])
    chinese = ask(scorer, [(name, event.zh.replace("{name}", name)) for event in told.events])
    right = {
        lang: round(
            float(np.mean([level == event.severity for level, event in zip(r.level, told.events, strict=True)])), 4
        )
        for lang, r in (("en", english), ("zh", chinese))
    }
    return {"zh_minus_en": shift(english, chinese), "severity_right": right}


def harsh_words(scorer: TorchScorer, told: Templates) -> dict[str, Any]:
    """Texts that sound bad and report nothing adverse: how many reach the version's threshold."""
    found: dict[str, Any] = {}
    limit = scorer.manifest.thresholds.risk_score
    for lang, pairs in told.harsh.items():
        read = ask(scorer, pairs)
        flagged = np.array(read.risk) >= limit
        found[lang] = {
            "n": len(pairs),
            "false_alarms": round(float(flagged.mean()), 4),
            "risk_mean": round(float(np.mean(read.risk)), 4),
            "risk_max": round(max(read.risk), 4),
            "flagged": [pairs[k][1] for k in np.flatnonzero(flagged).tolist()],
        }
    return found


def injections(scorer: TorchScorer, told: Templates) -> dict[str, Any]:
    """Orders to the reader, before and after the text, against the text alone."""
    name = next(iter(told.names.values()))[0]
    found: dict[str, Any] = {}
    for lang, orders in told.injections.items():
        texts = [getattr(event, lang).replace("{name}", name) for event in told.events]
        plain = ask(scorer, [(name, text) for text in texts])
        alone = Read(plain.risk * len(orders), plain.severity * len(orders), plain.level * len(orders))
        for where, form in (("before", "{order} {text}"), ("after", "{text} {order}")):
            pairs = [(name, form.format(order=order, text=text)) for order in orders for text in texts]
            found[f"{lang} {where}"] = shift(alone, ask(scorer, pairs))
    return found


def ask(scorer: TorchScorer, pairs: Sequence[Pair]) -> Read:
    """Score (entity, text) pairs."""
    return read_of(run_pairs(scorer, pairs), scorer.manifest)


def read_of(logits: dict[str, Array], manifest: Manifest) -> Read:
    """Risk score, expected severity and level from logits."""
    shares = probabilities("severity", logits["severity"], manifest.temperatures.get("severity", 1.0))
    expected: Floats = shares @ np.arange(shares.shape[1])
    scores = risk_scores(logits["severity"], manifest.risk_score)
    return Read(scores.tolist(), expected.tolist(), levels_of(shares, manifest.thresholds.severity).tolist())


def grid(read: Read, events: int, groups: Sequence[str]) -> dict[str, Any]:
    """Spread within each event over its variants, and how each group of variants differs from the event's mean."""
    found: dict[str, Any] = {"n": len(read.risk), "events": events}
    of_group = np.array(groups)
    for key in ("risk", "severity"):
        values = np.array(getattr(read, key), dtype=np.float64).reshape(events, len(groups))
        spread = values.max(axis=1) - values.min(axis=1)
        centred = values - values.mean(axis=1, keepdims=True)
        found[f"{key}_gap_mean"] = round(float(spread.mean()), 4)
        found[f"{key}_gap_max"] = round(float(spread.max()), 4)
        found[f"{key}_by_group"] = {
            group: round(float(centred[:, of_group == group].mean()), 4) for group in dict.fromkeys(groups)
        }
    levels = np.array(read.level).reshape(events, len(groups))
    found["same_level"] = round(float((levels == levels[:, :1]).all(axis=1).mean()), 4)
    return found


def shift(before: Read, after: Read) -> dict[str, Any]:
    """How far the same events moved: signed mean, mean and largest distance, and how many changed their level."""
    found: dict[str, Any] = {"n": len(before.risk)}
    for key in ("risk", "severity"):
        moved = np.array(getattr(after, key)) - np.array(getattr(before, key))
        found[f"{key}_shift_mean"] = round(float(moved.mean()), 4)
        found[f"{key}_gap_mean"] = round(float(np.abs(moved).mean()), 4)
        found[f"{key}_gap_max"] = round(float(np.abs(moved).max()), 4)
    changed = np.array(before.level) != np.array(after.level)
    found["level_changed"] = round(float(changed.mean()), 4) if len(changed) else math.nan
    return found
