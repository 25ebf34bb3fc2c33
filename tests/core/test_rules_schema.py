"""The schema that editors use is held to the parser: the same keys by shape, and no valid file that it refuses."""

import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from riskstream.core.rules.parts import Parts, match
from riskstream.core.rules.shapes import PARSERS
from riskstream.core.rules.table import Table
from tests.core.test_watch_properties import EVERYTHING

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "riskstream" / "schemas" / "rules.json"
SCHEMA: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
RULE = SCHEMA["properties"]["rule"]["items"]
VALID: dict[str, str] = {
    "threshold": 'field = "risk_score"\naggregate = "decayed_mean"\nhalf_life_s = 9\nwindow_s = 60\nlimit = 0.5\n',
    "frequency": "window_s = 60\nlimits = { watch = 3, severe = 9 }\nsources_min = { severe = 2 }\n",
    "spike": "window_s = 60\nbaseline_s = 600\nlimit = 3\n",
    "new": 'window_s = 60\nmemory_s = 600\nof = "topic"\n',
    "sequence": 'window_s = 60\nsteps = [{ kinds = ["social"] }, { risk = { fraud = 0.5 } }]\n',
    "flatline": "limit = 600\n",
}
OTHER_KEYS = {
    "name", "by", "shape", "match", "for_s", "keep_firing_for_s", "lower_after_s", "cooldown_s", "cooldown_backoff",
    "cooldown_s_max", "unconfirmed_max", "denied_hold_s", "alerts_per_minute_max", "update_s", "labels", "owner",
}  # fmt: skip
"""What the rule's own parser reads, whatever the shape."""


def complaints(text: str) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(tomllib.loads(text))]


def test_the_shipped_schema_is_the_one_that_dev_writes() -> None:
    spec = importlib.util.spec_from_file_location("rules_schema", ROOT / "dev" / "rules_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert SHIPPED.read_text(encoding="utf-8") == module.text(), "run: python dev/rules_schema.py --write"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("shape", PARSERS)
def test_it_knows_the_keys_that_the_parser_reads(shape: str) -> None:
    table = Table("rule", tomllib.loads(VALID[shape]), [])
    PARSERS[shape](Parts(table))
    chosen = [one["then"] for one in RULE["allOf"] if one["if"]["properties"]["shape"]["const"] == shape]
    assert [set(one["properties"]) for one in chosen] == [table.asked | OTHER_KEYS]
    assert table.mistakes == []
    assert set(RULE["properties"]) >= table.asked | OTHER_KEYS


def test_it_knows_what_a_match_reads() -> None:
    table = Table("rule", {}, [])
    match(table)
    assert set(SCHEMA["$defs"]["match"]["properties"]) == table.asked


@pytest.mark.parametrize("shape", PARSERS)
def test_it_takes_what_is_right_and_refuses_a_key_of_another_shape(shape: str) -> None:
    rule = f'[[rule]]\nname = "r"\nshape = "{shape}"\n{VALID[shape]}'
    foreign = "heard_min = 3" if shape != "flatline" else 'aggregate = "max"'
    assert complaints(rule) == []
    assert complaints(f"{rule}{foreign}\n") != []


def test_it_takes_the_shipped_rules_and_those_of_the_tests() -> None:
    files = sorted((ROOT / "config").rglob("rules.toml"))
    assert files
    texts = [EVERYTHING, *(file.read_text(encoding="utf-8") for file in files)]
    with_text_times = [text.replace("from = 2026-03-09T00:00:20Z", 'from = "2026"') for text in texts]
    with_text_times = [text.replace("until = 2026-03-09T00:00:45.500Z", 'until = "2026"') for text in with_text_times]
    assert [complaints(text) for text in with_text_times] == [[]] * len(texts)


NO_TOML = {"not-toml", "number-of-five-thousand-digits", "nested-too-deeply"}
BY_RULES_ONLY = {
    "clear-above-limit", "half-life-without-decay", "label-not-a-text", "limit-and-limits", "limit-beyond-the-field",
    "limits-that-fall", "two-rules-of-one-name", "severity-beside-limits", "unknown-field", "window-shorter-than-for",
    "window-not-a-number", "sources-for-a-severity-without-limit", "missing-half-life", "no-rules", "missing-limit",
    "clear-of-zero", "sources-raise-that-fall", *NO_TOML,
}  # fmt: skip
"""What only `rules check` finds."""


def test_most_mistakes_are_seen_while_writing() -> None:
    files = sorted((ROOT / "tests" / "testdata" / "rules").glob("rules.bad.*.toml"))
    assert len(files) >= 40
    unseen = set()
    for file in files:
        name = file.name.removeprefix("rules.bad.").removesuffix(".toml")
        if name in NO_TOML or not complaints(file.read_text(encoding="utf-8")):
            unseen.add(name)
    assert unseen == BY_RULES_ONLY & unseen, "a mistake of form that the schema does not see"
    assert len(unseen) < len(files) / 2
