"""The load of the watch benches: 50 rules of which 5 take a signal, and signals of about 1 kB over any entities.

five       max, mean, count, decayed mean, sum, over one to six hours; a few per cent of the entities have an alert
forty-five other groups (15), other kinds of document (15), a probability that nothing reaches (15)
"""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from collections.abc import Iterator

from riskstream.core.clock import format_ms
from riskstream.core.records import Mention, Message, Position, Signal, Watched
from riskstream.core.rules.rule import RuleSet
from riskstream.core.rules.rulefile import parse_rules
from riskstream.core.watching import codec

TOPIC = "riskstream.signals"
START_MS = 1_773_014_400_000
RISKS = [
    "credit",
    "liquidity",
    "market",
    "operational",
    "legal",
    "regulatory",
    "cyber",
    "fraud",
    "governance",
    "environmental",
    "supply",
    "reputation",
]
FIVE = """
field = "risk_score"
aggregate = "max"
window_s = 3600
limits = { watch = 0.9, material = 0.95, severe = 0.99 }
---
field = "risk.credit"
aggregate = "mean"
window_s = 21600
limits = { watch = 0.8 }
clear = 0.5
---
aggregate = "count"
at_least = 0.6
window_s = 3600
limits = { material = 8 }
for_s = 60
---
field = "sentiment.negative"
aggregate = "decayed_mean"
half_life_s = 3600
window_s = 21600
limits = { watch = 0.85 }
clear = 0.4
---
field = "severity"
aggregate = "sum"
window_s = 7200
limits = { severe = 20 }
"""


def rules() -> RuleSet:
    """The fifty."""
    return parse_rules(rules_text(), "bench")


def rules_text() -> str:
    """The fifty, as a file."""
    plain = 'field = "risk_score"\naggregate = "max"\nwindow_s = 3600\nlimit = 0.8'
    parts = [f"[[rule]]\nname = 'five-{i}'\n{body}" for i, body in enumerate(FIVE.split("---"))]
    for i in range(15):
        risk = RISKS[i % len(RISKS)]
        parts.append(f"[[rule]]\nname = 'group-{i}'\nmatch = {{ groups = ['g{i}'] }}\n{plain}")
        parts.append(f"[[rule]]\nname = 'kind-{i}'\nmatch = {{ kinds = ['filing', 'customer'] }}\n{plain}")
        parts.append(f"[[rule]]\nname = 'least-{i}'\nmatch = {{ risk = {{ {risk} = 0.97 }} }}\n{plain}")
    return "\n".join(parts)


def entity(number: int) -> str:
    """The id of an entity."""
    return f"E{number:06d}"


def watchlist(entities: int) -> dict[str, Watched]:
    """All of them, in one group."""
    return {entity(i): Watched(entity(i), f"{entity(i)} Corporation", groups=("all",)) for i in range(entities)}


def signals(count: int, entities: int, *, per_s: float = 200, seed: int = 1, evenly: bool = False) -> Iterator[Message]:
    """Signals as they lie in the topic, drawn over the entities or `evenly` one by one, so many a second."""
    draw = random.Random(seed)
    for i in range(count):
        now_ms = START_MS + int(i * 1000 / per_s)
        who = entity(i % entities if evenly else draw.randrange(entities))
        at, score = format_ms(now_ms), round(draw.betavariate(1, 6), 4)
        signal = Signal(
            signal_id=f"news/{i % 12}/{i}#{who}",
            document_id=f"doc-{i:08d}",
            revision=False,
            entity=Mention(who, f"{who} Corporation", who, 0.8),
            published_at=at,
            received_at=at,
            scored_at=at,
            late=False,
            clamped=False,
            source=(source := f"wire-{draw.randrange(20)}"),
            kind="news",
            lang="en",
            title=f"{who} Corporation tells of number {i} in its quarterly report",
            snippet="The company said on Tuesday that its results would be in line with what it told in spring.",
            url=f"https://example.com/news/{i}",
            sentiment={"negative": round(score * 0.9, 4), "neutral": 0.4, "positive": 0.1},
            severity={"none": round(1 - score, 4), "watch": 0.1, "material": round(score / 2, 4), "severe": 0.0},
            risk={risk: round(draw.random() * 0.3, 4) for risk in RISKS},
            topic={"Legal | Regulation": 0.7},
            risk_score=score,
            fingerprint=f"{draw.getrandbits(64):016x}",
            model="finrisk@3",
            calibration="sha256:6ed2842b308767eb",
            voice=source,
            sketch=urlsafe_b64encode(draw.randbytes(32))[:-1].decode(),
        )
        yield Message(Position(TOPIC, 0, i), now_ms, who.encode(), codec.encode(signal))
