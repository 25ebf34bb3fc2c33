"""`docs/records.md`: every field of what riskstream reads and writes, from the JSON Schemas that ship with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from riskstream.core.records import Reason

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "riskstream" / "schemas"
Schema = dict[str, Any]

HEAD = """\
# Records

What stands in the topics, for programs that read or write them. Written by `make docs` from the JSON Schemas in
[riskstream/schemas](../riskstream/schemas), which are part of the package; a test holds the two together, and others
hold the schemas to what the daemon writes.

All records are JSON. A time is ISO 8601 in UTC with milliseconds; a probability has four decimals. Fields are only
added: pass over those that you do not know.

**Reading alerts.** Read with `isolation.level=read_committed`, or you see results of transactions that are taken back.
The key is the alert's id and the last record of a key is the truth: keep a table by id, and take a record only if its
`sequence` is greater than that of the one you have; then it does no harm to read one twice. An alert is over with
`state = "resolved"`. A record without a value says that an alert is forgotten; only a person writes one so far.

```sh
kafka-console-consumer.sh --bootstrap-server kafka:9092 --topic riskstream.alerts \\
  --isolation-level read_committed --from-beginning
```
"""
DEAD_LETTERS = """
## Dead letters

Topic `riskstream.dead-letters`. The value is the original's, cut to `dead_letters.bytes_max`; key and headers are the
original's, unless they are very large. Of a feed that masks personal data, and of what cannot be written, the value is
empty.

| header | what it says |
|---|---|
| `riskstream-reason` | why: one word of a closed set, the same as in `riskstream_rejected_total{reason}` |
| `riskstream-detail` | which field, and what is wrong with it; never the text |
| `riskstream-topic`, `-partition`, `-offset`, `-timestamp` | where the original stands |
| `riskstream-bytes`, `-sha256` | of the whole original |
| `riskstream-truncated` | `true` where value, key or headers are not the whole original's |

Reasons: """
PARTS = (
    ("document", "Feeds", "What a producer sends, one document a message."),
    ("signal", "Signals", "Topic `riskstream.signals`, key: the entity's id."),
    ("alert", "Alerts", "Topic `riskstream.alerts`, compacted, key: the alert's id."),
    (
        "label",
        "Reviews and labels",
        "Topics `riskstream.reviews` and `riskstream.labels`, key: the signal's id ([companion](companion.md)).",
    ),
)


def text() -> str:
    """The whole page."""
    reasons = ", ".join(f"`{reason}`" for reason in Reason)
    return HEAD + "".join(_part(*part) for part in PARTS) + DEAD_LETTERS + reasons + ".\n"


def _part(name: str, title: str, told: str) -> str:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    rows = [f"| `{path}` | {kind} | {says} |" for path, kind, says in fields(schema)]
    required = schema.get("required", [])
    always = ", ".join(f"`{field}`" for field in required)
    must = "Every field is always there." if len(required) == len(schema["properties"]) else f"Always there: {always}."
    return "\n".join(
        [f"\n## {title}\n", f"{told} {must}\n", "| field | type | what it says |", "|---|---|---|", *rows, ""]
    )


def fields(schema: Schema, root: Schema | None = None, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, type and description of every field, those of a record inside after it."""
    root = root or schema
    for name, field in schema.get("properties", {}).items():
        inner, nullable = _meant(field, root)
        many = inner.get("type") == "array" and "items" in inner and inner["items"] is not False
        element = _meant(inner["items"], root)[0] if many and inner["items"] else {}
        path = f"{prefix}{name}"
        yield path, _kind(inner, element) + (" or null" if nullable else ""), str(field.get("description", ""))
        record = element if many else inner
        yield from fields(record, root, f"{path}[]." if many else f"{path}.")


def _meant(field: Schema, root: Schema) -> tuple[Schema, bool]:
    """The schema behind a reference or a choice with null, and whether null is one."""
    if "$ref" in field:
        return root["$defs"][field["$ref"].rpartition("/")[2]], False
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        return _meant(choices[0], root)[0], True
    return field, False


def _kind(field: Schema, element: Schema) -> str:
    """A type as people say it."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if choices := field.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(choice, {}) for choice in choices))
    if "pattern" in field and "T" in field["pattern"]:
        return "time"
    kinds = field.get("type", "object")
    names = {"array": f"list of {_kind(element, {})}s" if element.get("type") == "string" else "list", "string": "text"}
    return " or ".join(names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))
