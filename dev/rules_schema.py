"""Writes `riskstream/schemas/rules.json`, by which editors complete and check rule files.

python dev/rules_schema.py            # prints it
python dev/rules_schema.py --write    # writes it

The first line of a rule file may name it for an editor: `#:schema ../riskstream/schemas/rules.json`. What a schema
cannot say (limits that rise) `riskstream rules check` says. A test holds the schema to the parser.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from riskstream.core.measure import AGGREGATES
from riskstream.core.records import SEVERITIES
from riskstream.core.rules.mutes import DAYS
from riskstream.core.rules.rule import SUBJECTS
from riskstream.core.rules.shapes import PARSERS
from riskstream.core.rules.shapes.frequency import OF as FREQUENCY_OF
from riskstream.core.rules.shapes.new import OF as NEW_OF
from riskstream.core.rules.table import SECONDS_MAX

TARGET = Path(__file__).parent.parent / "riskstream" / "schemas" / "rules.json"
Schema = dict[str, Any]


def seconds(description: str, least: float = 0) -> Schema:
    """A duration."""
    return {"description": description, "type": "number", "minimum": least, "maximum": SECONDS_MAX}


def number(description: str, **bounds: float) -> Schema:
    """A number."""
    return {"description": description, "type": "number", **bounds}


def count(description: str) -> Schema:
    """A whole number of at least 1."""
    return {"description": description, "type": "integer", "minimum": 1}


def one_of(description: str, names: Any) -> Schema:
    """One of these names."""
    return {"description": description, "type": "string", "enum": list(names)}


def texts(description: str, among: Any = None) -> Schema:
    """A list of texts that is not empty."""
    item = {"type": "string", "minLength": 1} | ({"enum": list(among)} if among else {})
    return {"description": description, "type": "array", "items": item, "minItems": 1}


def table(properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """A table with these keys and no others."""
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return found | ({"required": list(required)} if required else {})


def by_severity(value: Schema) -> Schema:
    """A table by severity."""
    return table(dict.fromkeys(SEVERITIES, value), minProperties=1)


PROBABILITIES: Schema = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
GATE = {"anyOf": [{"type": "integer", "minimum": 1}, by_severity({"type": "integer", "minimum": 1})]}
RAISE = table({severity: {"type": "integer", "minimum": 2} for severity in SEVERITIES[1:]})
LABELS: Schema = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
MATCH = {
    "kinds": texts("news, social, filing, customer"),
    "sources": texts("names of sources"),
    "langs": texts("en, zh"),
    "entities": texts("ids of the watchlist"),
    "groups": texts("groups of the watchlist"),
    "categories": texts("the strongest risk of the text"),
    "relevance_min": number("how much the text is about the entity", minimum=0, maximum=1),
    "risk_score_min": number("least risk score", minimum=0, maximum=1),
    "weight_min": number("how far its source is trusted", minimum=0, maximum=1),
    "copies_max": {"description": "tellings of a story after the first", "type": "integer", "minimum": 0},
    **dict.fromkeys(("severity", "sentiment", "risk", "topic"), PROBABILITIES),
}
DETAILS = {
    "half_life_s": seconds("decayed_mean: a text so much older than the newest one counts half", 1),
    "percentile": number("percentile: which one", minimum=1, maximum=100),
    "denominator_min": count("ratio: with fewer matched signals it is 0"),
}
CLEAR = {
    "aggregate": one_of("how the end is measured", AGGREGATES),
    "window_s": seconds("over which window", 1),
    "limit": number("below it the alert begins to end", exclusiveMinimum=0),
    **DETAILS,
}
COMMON: Schema = {
    "name": {"description": "the rule's name", "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
    "by": one_of("whom an alert is about", SUBJECTS),
    "shape": one_of("how the number becomes an alert", PARSERS),
    "match": {"$ref": "#/$defs/match"},
    "limit": number("the value from which it fires", exclusiveMinimum=0),
    "severity": one_of("the severity of limit", SEVERITIES),
    "limits": by_severity({"type": "number", "exclusiveMinimum": 0}),
    "for_s": seconds("how long it must trip before it fires"),
    "keep_firing_for_s": seconds("how long it must stay below clear before it ends"),
    "lower_after_s": seconds("how long it must stay below a severity before that falls"),
    "unconfirmed_max": one_of("the highest severity of talk", SEVERITIES),
    "denied_hold_s": seconds("how long after a settled denial nothing counts but what overturns it; 0: not heeded"),
    "cooldown_s": seconds("how long nothing fires after the end"),
    "cooldown_backoff": number("how much longer each cooldown is", minimum=1, maximum=100),
    "cooldown_s_max": seconds("how long a cooldown grows"),
    "alerts_per_minute_max": count("how many alerts it opens within a minute, in each lane"),
    "update_s": seconds("least time between updates that bring no news", 1),
    "labels": LABELS,
    "owner": {"description": "whom to ask", "type": "string", "minLength": 1},
}
GATED: Schema = {
    "documents_min": {"description": "supporting documents that a severity needs", **GATE},
    "sources_min": {"description": "supporting sources that a severity needs", **GATE},
    "sources_raise": {"description": "sources that make a severity by their number", **RAISE},
    "at_least": number("the value from which a signal supports the rule", minimum=0),
    "field": {"description": "the number that is read from each signal", "type": "string", "minLength": 1},
    "window_s": seconds("how far back the rule looks", 1),
}
CLEAR_NUMBER = number("below it an open alert begins to end", exclusiveMinimum=0)
CLEARED: Schema = {"clear": {"anyOf": [CLEAR_NUMBER, {"$ref": "#/$defs/clear"}]}}
AGGREGATE: Schema = {"aggregate": one_of("how the window becomes one number", AGGREGATES), **DETAILS}
WARM: Schema = {"warm_up_s": seconds("how long a lane must have listened")}
OWN: dict[str, tuple[Schema, tuple[str, ...]]] = {
    "threshold": ({**GATED, **CLEARED, **AGGREGATE}, ("aggregate", "window_s")),
    "frequency": ({**GATED, **CLEARED, "of": one_of("what is counted", FREQUENCY_OF)}, ("window_s",)),
    "spike": (
        {
            **GATED,
            **AGGREGATE,
            **WARM,
            "clear": CLEAR_NUMBER,
            "baseline_s": seconds("how far back the baseline goes", 4),
            "baseline_min": number("the least baseline to divide by", minimum=0.001),
            "scale": one_of("times the usual, or deviations above it", ("times", "deviations")),
        },
        ("window_s", "baseline_s"),
    ),
    "new": (
        {
            **GATED,
            **CLEARED,
            **AGGREGATE,
            **WARM,
            "of": one_of("what a kind is", NEW_OF),
            "memory_s": seconds("for how long none was seen", 1),
        },
        ("window_s", "memory_s"),
    ),
    "sequence": (
        {
            **{key: GATED[key] for key in ("documents_min", "sources_min", "sources_raise", "window_s")},
            "clear": CLEAR_NUMBER,
            "steps": {"type": "array", "items": {"$ref": "#/$defs/match"}, "minItems": 2, "maxItems": 8},
        },
        ("window_s", "steps"),
    ),
    "flatline": (
        {
            "window_s": GATED["window_s"],
            "heard_min": count("how often it must have been heard"),
            "forget_s": seconds("after so long it is taken to be gone", 1),
        },
        (),
    ),
}
WHICH = {
    "rules": texts("names of rules"),
    "subjects": texts("ids of subjects"),
    "severities": texts("severities", SEVERITIES),
    "shapes": texts("shapes", PARSERS),
    "labels": LABELS,
}
MOMENT = {"description": "a time with its offset", "type": "string"}
CLOCK = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}


def rule() -> Schema:
    """One [[rule]]: every key of every shape, and by shape which of them it has."""
    properties = dict(COMMON)
    for own, _ in OWN.values():
        for key, value in own.items():
            properties[key] = value if properties.get(key, value) == value else {"description": "see its shape"}
    shapes = []
    for name, (own, required) in OWN.items():
        chosen: Schema = {"properties": {"shape": {"const": name}}}
        if name != "threshold":
            chosen["required"] = ["shape"]
        keys = {**dict.fromkeys(COMMON, True), **own}
        shapes.append({"if": chosen, "then": table(keys, required)})
    return table(properties, ("name",), allOf=shapes)


def schema() -> Schema:
    """The whole schema."""
    match, clear, which = table(MATCH), table(CLEAR, ("limit",)), table(WHICH)
    silence = {"match": which, "from": MOMENT, "until": MOMENT, "comment": {"type": "string", "minLength": 1}}
    zone = {"description": "a name such as Europe/London", "type": "string"}
    quiet = {"match": which, "days": texts("on which they begin", DAYS), "from": CLOCK, "to": CLOCK, "zone": zone}
    sections = {
        "rule": {"type": "array", "items": rule()},
        "silence": {"type": "array", "items": table(silence, ("match", "until", "comment"))},
        "quiet_hours": {"type": "array", "items": table(quiet, ("from", "to", "zone"))},
        "inhibit": {"type": "array", "items": table({"source": which, "target": which}, ("source", "target"))},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:riskstream:schema:rules:1",
        "title": "rules",
        "description": "A rule file of riskstream, as TOML. Written by dev/rules_schema.py.",
        **table(sections),
        "$defs": {"match": match, "clear": clear},
    }


def text() -> str:
    """The file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        TARGET.write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
