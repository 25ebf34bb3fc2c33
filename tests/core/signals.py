"""Signals and engines for tests: all fields have a plain value, and a test names those that it is about."""

from collections.abc import Mapping
from typing import Any

from riskstream.core.clock import format_ms
from riskstream.core.records import Alert, Mention, Signal, Watched
from riskstream.core.rules.rule import RuleSet
from riskstream.core.rules.rulefile import parse_rules
from riskstream.core.watching.watch import Watch, WatchLimits

START_MS = 1_773_014_400_000
"""2026-03-09T00:00:00Z, on the tick grid."""


WATCHLIST = {"ACME": Watched("ACME", "Acme Corporation", groups=("banks",))}
SHOCK = """
[[rule]]
name = "shock"
field = "risk_score"
aggregate = "max"
window_s = 60
limits = { watch = 0.3, material = 0.6, severe = 0.9 }
clear = 0.2
update_s = 20
"""


def make_signal(
    document: str = "d1",
    *,
    at_s: float = 0,
    entity: str = "ACME",
    text: str = "",
    position: str = "",
    relevance: float = 0.8,
    **fields: Any,
) -> Signal:
    """A signal published `at_s` seconds after START_MS. The same `text` gives the same fingerprint; without one every
    document is a story of its own. `position` tells apart two arrivals of one document."""
    at = format_ms(START_MS + round(at_s * 1000))
    plain: dict[str, Any] = {
        "signal_id": f"{position or document}#{entity}",
        "document_id": document,
        "revision": False,
        "entity": Mention(entity, f"{entity} Corp", entity, relevance),
        "published_at": at,
        "received_at": at,
        "scored_at": at,
        "late": False,
        "clamped": False,
        "source": "wire",
        "kind": "news",
        "lang": "en",
        "title": f"title of {document}",
        "snippet": f"snippet of {document}",
        "url": f"https://example.com/{document}",
        "sentiment": {},
        "severity": {},
        "risk": {},
        "topic": {},
        "risk_score": 0.9,
        "fingerprint": text or f"text of {document}",
        "model": "m@1",
    }
    return Signal(**plain | fields)


def rules(text: str = SHOCK, extra: str = "") -> RuleSet:
    return parse_rules(text + extra, "rules.toml")


def engine(text: str = SHOCK, extra: str = "", **limits: int) -> Watch:
    return Watch(rules(text, extra), WATCHLIST, limits=WatchLimits(**limits))


def replaced(
    watch: Watch, at_ms: int, *, by: RuleSet | None = None, watchlist: Mapping[str, Watched] | None = None
) -> tuple[Alert, ...]:
    """What a lane tells when its rules or its watchlist are replaced at this time."""
    before = watch.on_time(at_ms)
    watch.replace(by or watch.rules, watch.watchlist if watchlist is None else watchlist)
    return (*before, *watch.renew())
