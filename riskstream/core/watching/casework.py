"""Runs a case of a rule test: what was expected and did not come, and what came and was not expected.

case ─► Desk ─► alerts ─┬─ each expectation takes the first record that fits it
                        └─ what is left over on either side is a failure
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from riskstream.core.clock import parse_ms
from riskstream.core.contracts import Alert
from riskstream.core.records import Watched
from riskstream.core.rules.rule import RuleSet
from riskstream.core.watching.cases import Case, Expected
from riskstream.core.watching.desk import Desk


class Outcome(msgspec.Struct, frozen=True):
    """What is wrong, as lines for a person; none where the case holds."""

    case: str
    wrong: tuple[str, ...]


def run_case(case: Case, rules: RuleSet, watchlist: Mapping[str, Watched]) -> Outcome:
    """Feed the signals, let the clock go on, and compare."""
    desk = Desk(rules, watchlist)
    told: list[Alert] = []
    for one in case.signals:
        told += desk.on_signal(one.signal, case.start_ms + one.at_ms).alerts
    told += desk.on_time(case.start_ms + case.until_ms)
    wants_evidence = any(expected.texts.get("reason") == "evidence" for expected in case.alerts)
    left = [alert for alert in told if wants_evidence or alert.reason != "evidence"]
    wrong = []
    for expected in case.alerts:
        fits = next((alert for alert in left if _fits(alert, expected, case.start_ms)), None)
        if fits is None:
            wrong.append(f"did not come: {_described(expected)}")
        else:
            left.remove(fits)
    wrong += [f"not expected: {_told(alert, case.start_ms)}" for alert in left]
    if case.held is not None:
        held = {(rule, str(why)): count for (rule, why), count in desk.held().items()}
        for key in sorted(held.keys() | case.held.keys()):
            if held.get(key, 0) != case.held.get(key, 0):
                wrong.append(f"held back by {key[0]}, {key[1]}: {held.get(key, 0)}, expected {case.held.get(key, 0)}")
    return Outcome(case.name, tuple(wrong))


def run_cases(cases: Sequence[Case], rules: RuleSet, watchlist: Mapping[str, Watched]) -> list[Outcome]:
    """Every case, each from an empty desk."""
    return [run_case(case, rules, watchlist) for case in cases]


def _fits(alert: Alert, expected: Expected, start_ms: int) -> bool:
    there = {
        "rule": alert.rule,
        "reason": alert.reason,
        "severity": alert.severity,
        "subject": alert.subject.id,
        "state": alert.state,
    }
    return (
        (expected.at_ms is None or parse_ms(alert.updated_at) - start_ms == expected.at_ms)
        and all(there[key] == text for key, text in expected.texts.items())
        and all(abs(getattr(alert, key) - number) < 5e-5 for key, number in expected.numbers.items())
    )


def _described(expected: Expected) -> str:
    at = "" if expected.at_ms is None else f"at_s = {expected.at_ms / 1000:g}, "
    texts = [f'{key} = "{text}"' for key, text in expected.texts.items()]
    return at + ", ".join([*texts, *(f"{key} = {number:g}" for key, number in expected.numbers.items())])


def _told(alert: Alert, start_ms: int) -> str:
    at_s = (parse_ms(alert.updated_at) - start_ms) / 1000
    counts = f"{alert.documents} documents, {alert.sources} sources"
    return (
        f'at_s = {at_s:g}, rule = "{alert.rule}", reason = "{alert.reason}", severity = "{alert.severity}", '
        f'subject = "{alert.subject.id}" (value {alert.value:g}, limit {alert.limit:g}, {counts})'
    )
