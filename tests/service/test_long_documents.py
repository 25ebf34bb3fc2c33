"""A contract of many pages, through the whole daemon: its worst passage speaks, and says where it stands."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec

from riskstream.core.records import Alert, Signal
from riskstream.core.watching import codec
from riskstream.sections import Feed
from riskstream.settings import Settings
from tests.service.daemons import Rig
from tests.support.weighing import Weighing

FEED = Feed(name="filings", topic="feeds.filings", kind="filing", start="earliest")
CALM = (
    "The Lender shall send notices to the address that is given in Schedule 2.",
    "Headings are for convenience &amp; have no bearing on the meaning of this Agreement.",
    "Each party bears its own costs of the negotiation of this Agreement.",
    "The Borrower ｆｕｒｎｉｓｈｅｓ audited accounts within 120 days of the end of each year.",
)
RISKY = "Acme has defaulted on the Senior Notes &amp; has not cured the default within the grace period."
SCORER = {"defaulted": 4.0, "cured": 2.0}


def contract(clauses: int, risky_at: int) -> str:
    """Numbered clauses, drawn from a few, with one that matters; Acme is named at the beginning and in that one."""
    drawn = random.Random(7)
    lines = [f"{number}. {drawn.choice(CALM)}" for number in range(2, clauses + 2)]
    lines.insert(0, "1. This Agreement is made between Acme and Bolt Bank.")
    lines.insert(risky_at, f"{risky_at}a. {RISKY}")
    return "\n".join(lines)


def rig(folder: Path, **scoring: object) -> Rig:
    made = Rig(folder, feed=FEED, scorer=Weighing(SCORER, base=-2.0, tokens_max=400))
    sections = Settings(scoring={"window_tokens_max": 0, "window_overlap_tokens": 80, **scoring})  # type: ignore[arg-type]
    made.settings = made.daemon.settings = made.settings.model_copy(update={"scoring": sections.scoring})
    return made


async def signals_of(rig: Rig, text: str, title: str = "") -> dict[str, Signal]:
    document = {"id": "d1", "text": text, "title": title, "source": "registry", "published_at": rig.now_ms}
    async with rig.running():
        await rig.send(json.dumps(document).encode())
        found = [codec.read_signal(message) for message in await rig.read(rig.settings.topics.signals)]
    return {signal.entity.id: signal for signal in found if isinstance(signal, Signal)}


def telling(phrases: list[str]) -> list[str]:
    """The words of each phrase that the scorer knows, where it has at most one other."""
    return [word for phrase in phrases if len(phrase.split()) <= 2 for word in phrase.split() if word in SCORER]


async def test_the_worst_passage_speaks_and_says_where_it_stands(tmp_path: Path) -> None:
    text = contract(300, risky_at=170)
    signals = await signals_of(rig(tmp_path), text, title="Acme: loan agreement")
    acme, bolt = signals["ACME"], signals["BOLT"]
    assert acme.passage is not None and bolt.passage is not None
    assert RISKY in text[acme.passage.start : acme.passage.end]
    assert acme.passage.end - acme.passage.start <= 420
    assert acme.risk_score > 0.8 > 0.2 > bolt.risk_score
    assert "Acme has defaulted on the Senior Notes & has not cured" in acme.snippet
    assert telling([acme.snippet[start:end] for start, end, _ in acme.spans]) == ["defaulted", "cured"]
    assert acme.passage.windows == 5 and bolt.passage.windows == 2


async def test_only_so_many_windows_are_read(tmp_path: Path) -> None:
    text = contract(300, risky_at=170).replace("The Borrower", "Acme")
    signals = await signals_of(rig(tmp_path, windows_max=20), text)
    acme = signals["ACME"].passage
    assert acme is not None
    assert (acme.windows, acme.left_out > 10) == (10, True)


async def test_a_text_that_fits_has_no_passage(tmp_path: Path) -> None:
    signals = await signals_of(rig(tmp_path), "Acme was late. It has defaulted on its notes.", title="Acme in the news")
    assert signals["ACME"].passage is None
    assert signals["ACME"].snippet == "Acme was late. It has defaulted on its notes."
    assert [signals["ACME"].snippet[start:end] for start, end, _ in signals["ACME"].spans] == ["defaulted"]


async def test_evidence_carries_the_words(tmp_path: Path) -> None:
    rigged = rig(tmp_path)
    async with rigged.running():
        document = {"id": "d1", "text": contract(80, 40), "source": "registry", "published_at": rigged.now_ms}
        await rigged.send(json.dumps(document).encode())
        alerts = [msgspec.json.decode(m.value or b"", type=Alert) for m in await rigged.read("riskstream.alerts")]
    (evidence,) = next(alert.evidence for alert in alerts if alert.subject.id == "ACME")
    assert len(evidence.text) <= 500
    assert telling([evidence.text[start:end] for start, end, _ in evidence.spans]) == ["defaulted", "cured"]


async def test_calm_and_disabled_scores_are_not_explained(tmp_path: Path) -> None:
    calm = await signals_of(rig(tmp_path), "Acme is calm")
    assert calm["ACME"].spans == ()
    off = await signals_of(rig(tmp_path, explain_risk_score_min=1.01), "Acme has defaulted")
    assert off["ACME"].spans == () and off["ACME"].risk_score > 0.8
