"""Tests of rules, in the language of the rules: signals in at given times, alerts expected out.

    rules = "rules.toml"                                     # the file or directory that is tested, beside this one
    [[case]]
    name = "one wire is enough"
    signals = [{ at_s = 0, entity = "ACME", severity = { severe = 0.9 }, risk_score = 0.95 }]
    alerts = [{ at_s = 0, rule = "entity-risk", reason = "fired", severity = "severe" }]

Rule 1. `alerts` is all that is told, but for records that bring mere evidence: one too many is as wrong as one too few.
Rule 2. What an expectation does not say is not compared; a case without `alerts` expects none.
Rule 3. The clock starts on a full second and goes on for `until_s`, or as far as the last line says.
"""

from __future__ import annotations

import math
import tomllib
from typing import Any, get_args

import msgspec

from riskstream.core.clock import format_ms
from riskstream.core.contracts import SEVERITIES, Mention, Signal, Stance
from riskstream.core.errors import OperatorError
from riskstream.core.reading.sketch import sketches
from riskstream.core.reading.stance import stance
from riskstream.core.reading.telling import KIND_WEIGHTS
from riskstream.core.rules.table import SECONDS_MAX, Table

START_MS = 1_767_571_200_000
"""2026-01-05T00:00:00Z, a Monday, where a case does not say another time."""
HEADS = ("sentiment", "severity", "risk", "topic")
NUMBERS = ("value", "limit", "sources", "documents", "stories", "sequence")
TEXTS = ("rule", "reason", "severity", "subject", "state")


class CaseSignal(msgspec.Struct, frozen=True):
    """A signal and when it comes, in milliseconds from the start of the case."""

    at_ms: int
    signal: Signal


class Expected(msgspec.Struct, frozen=True):
    """An alert record as far as a case describes it: texts and numbers by the name of their field."""

    at_ms: int | None
    texts: dict[str, str]
    numbers: dict[str, float]


class Case(msgspec.Struct, frozen=True):
    """One case. `held` is how often a rule holds back for a reason, by (rule, reason), where it is told."""

    name: str
    start_ms: int
    until_ms: int
    signals: tuple[CaseSignal, ...]
    alerts: tuple[Expected, ...]
    held: dict[tuple[str, str], int] | None = None


class CaseFile(msgspec.Struct, frozen=True):
    """The cases of a file, and the rules and watchlist that it names."""

    rules: str
    watchlist: str
    cases: tuple[Case, ...]


def check_cases(text: str, origin: str) -> tuple[CaseFile, list[OperatorError]]:
    """The cases of a file's text, and all mistakes in it."""
    mistakes: list[OperatorError] = []
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        mistakes.append(OperatorError(origin, str(error), "is not TOML", "mend the line that the value names"))
        return CaseFile("", "", ()), mistakes
    top = Table(origin, values, mistakes)
    rules, watchlist = top.text("rules"), top.text("watchlist", "")
    cases = tuple(_case(table) for table in top.sections("case"))
    if not cases:
        top.wrong("case", "is not there", "add at least one [[case]]")
    top.finish()
    return CaseFile(rules, watchlist, cases), mistakes


def _case(table: Table) -> Case:
    name, entity = table.text("name"), table.text("entity", "")
    start_ms = table.moment("start") if table.has("start") else START_MS
    signals = [
        one
        for number, line in enumerate(_lines(table, "signals"), start=1)
        for one in _signals(line, f"d{number}", entity, start_ms)
    ]
    alerts = tuple(_expected(line) for line in _lines(table, "alerts"))
    held: dict[tuple[str, str], int] | None = {} if table.has("held") else None
    for line in _lines(table, "held"):
        assert held is not None
        held[line.text("rule"), line.text("reason")] = line.count("count", 1)
        line.finish()
    signals.sort(key=lambda one: one.at_ms)
    ends = [one.at_ms for one in signals] + [alert.at_ms for alert in alerts if alert.at_ms is not None]
    until_ms = table.seconds("until_s", math.ceil(max(ends, default=0) / 1000))
    table.finish()
    return Case(name, start_ms, until_ms, tuple(signals), alerts, held)


def _lines(table: Table, key: str) -> list[Table]:
    return table.tables(key, least=0, most=100_000) if table.has(key) else []


def _signals(line: Table, document: str, entity: str, start_ms: int) -> list[CaseSignal]:
    """One line: a signal, or `repeat` of them, `every_s` apart, each a document of its own."""
    at_ms = line.seconds("at_s")
    repeat, every_ms = line.count("repeat", 1), line.seconds("every_s", 60)
    published_ms = round(line.number("published_s", at_ms / 1000, least=-SECONDS_MAX, most=SECONDS_MAX) * 1000)
    document, entity_id = line.text("document", document), line.text("entity", entity or None)
    plain = _plain(line, Mention(entity_id, entity_id, entity_id, line.number("relevance", 1.0, least=0, most=1)))
    line.finish()
    found = []
    for number in range(repeat):
        at, name = format_ms(start_ms + at_ms + number * every_ms), f"{document}.{number}" if number else document
        signal = Signal(
            signal_id=f"{name}@{at_ms}#{entity_id}",
            document_id=name,
            published_at=format_ms(start_ms + published_ms + number * every_ms),
            received_at=at,
            scored_at=at,
            **{"fingerprint": f"text of {name}", **plain},
        )
        found.append(CaseSignal(at_ms + number * every_ms, signal))
    return found


def _plain(line: Table, mention: Mention) -> dict[str, Any]:
    """What all signals of a line have in common. A `text` tells its stance and wording, as the score stage would."""
    kind, source, text = line.text("kind", "news"), line.text("source", "wire"), line.text("text", "")
    said: dict[str, Any] = {"fingerprint": text, "sketch": sketches([text])[0]} if text else {}
    return said | {
        "entity": mention,
        "revision": False,
        "late": False,
        "clamped": False,
        "source": source,
        "kind": kind,
        "lang": line.text("lang", "en"),
        "title": line.text("title", ""),
        "snippet": text,
        "url": "",
        **{head: _probabilities(line, head) for head in HEADS},
        "risk_score": line.number("risk_score", 0.0, least=0, most=1),
        "model": line.text("model", "model@1"),
        "voice": line.text("voice", source.casefold()),
        "weight": line.number("weight", KIND_WEIGHTS.get(kind, 1.0), least=0, most=1),
        "stance": line.text("stance", stance(text) if text else "report", get_args(Stance)),
    }


def _probabilities(line: Table, head: str) -> dict[str, float]:
    inner = line.table(head)
    found = {label: inner.number(label, least=0, most=1) for label in inner.values}
    inner.finish()
    return found


def _expected(line: Table) -> Expected:
    at_ms = line.seconds("at_s") if line.has("at_s") else None
    texts: dict[str, Any] = {key: line.text(key) for key in TEXTS if key != "severity" and line.has(key)}
    if line.has("severity"):
        texts["severity"] = line.text("severity", None, SEVERITIES)
    numbers = {key: line.number(key, least=0) for key in NUMBERS if line.has(key)}
    line.finish()
    return Expected(at_ms, texts, numbers)
