"""Whom a text goes back to, how far it is trusted, how it stands to its news."""

from __future__ import annotations

import json

import pytest

from riskstream.core.reading.feeds import Decoder, FeedSpec
from riskstream.core.reading.stance import stance
from riskstream.core.reading.telling import tellings, voice
from riskstream.core.records import Document, Message, Position

NOON = 1_773_057_600_000
SPEC = FeedSpec(name="wire", topic="news")


def document(text: str, title: str = "", source: str = "The Ledger", kind: str = "news", author: str = "") -> Document:
    said = {"id": "d", "text": text, "title": title, "source": source, "kind": kind, "author": author}
    value = json.dumps(said | {"published_at": NOON}).encode()
    found = Decoder(SPEC).decode(Message(Position("news", 0, 0), NOON, None, value))
    assert isinstance(found, Document)
    return found


@pytest.mark.parametrize(
    ("text", "title", "expected"),
    [
        ("Acme fell.", "", "the ledger"),
        ("(Reuters) - Acme fell.", "Acme falls", "reuters"),
        ("(Northgate Wire) Acme fell on Tuesday.", "", "northgate wire"),
        ("LONDON, March 9 (Reuters) - Acme fell.", "", "reuters"),
        ("NEW YORK (AP) — Acme fell.", "", "ap"),
        ("Via the wires: Acme fell.", "", "wires"),
        ("据路透社报道,Acme周二下跌。", "", "路透社"),
        ("新华社北京3月9日电 Acme周二下跌。", "", "新华社"),
        ("【来源：港湾财讯】Acme周二下跌。", "", "港湾财讯"),
        ("Acme Corp (ACME) - the shares fell.", "", "the ledger"),
        ("Acme (NYSE: ACME) fell.", "", "the ledger"),
        ("Acme said (see below) - it fell.", "", "the ledger"),
        ("Acme fell, Reuters (London) reports - and rose.", "", "the ledger"),
        ("据公司公告,Acme周二下跌。", "", "the ledger"),
    ],
)
def test_a_reprint_goes_back_to_its_agency(text: str, title: str, expected: str) -> None:
    assert voice(document(text, title)) == expected


@pytest.mark.parametrize(
    ("text", "title", "author", "expected"),
    [
        ("Acme is closed.", "@Ann", "", "ann"),
        ("Acme is closed.", "", "@Ann", "ann"),
        ("RT @Bob: Acme is closed.", "@ann", "", "bob"),
        ("转发@小鹿: Acme关门了。", "@ann", "", "小鹿"),
        ("Acme is closed.", "Acme - is it closed?", "", "chirrup"),
    ],
)
def test_a_post_is_its_authors(text: str, title: str, author: str, expected: str) -> None:
    assert voice(document(text, title, "Chirrup", "social", author)) == expected


def test_a_source_has_the_weight_that_its_feed_gives() -> None:
    spec = FeedSpec(name="mixed", topic="news", weight=0.8, source_weights={"Chirrup": 0.1, "The Ledger": 1.0})
    cases = [("The Ledger", "news"), ("Other", "filing"), ("Other", "social"), ("Chirrup", "social")]
    found = tellings([document("x", "", *case) for case in cases], [spec] * 4)
    assert [one.weight for one in found] == [1.0, 0.8, 0.5, 0.1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme defaults on a bond.", "report"),
        ("Acme sued over unpaid insurance claims.", "report"),
        ("After days of denials Acme confirms the loss.", "report"),
        ("Rumours say that Acme cannot pay.", "unconfirmed"),
        ("The claims could not be verified.", "unconfirmed"),
        ("A short seller's report accuses Acme of fraud.", "unconfirmed"),
        ("网传Acme资金链断裂,公司尚未回应。", "unconfirmed"),
        ("Acme denies that it was breached.", "denial"),
        ("Acme called the talk baseless.", "denial"),
        ("Acme否认资金链断裂的传闻。", "denial"),
        ("Auditor finds no breach at Acme.", "settled"),
        ("The regulator denied that it is looking at Acme.", "settled"),
        ("The paper has retracted its story on Acme and apologised.", "settled"),
        ("Rumour about Acme was a hoax, police say.", "settled"),
        ("警方通报:Acme倒闭系谣言,造谣者已被处罚。", "settled"),
        ("媒体就失实报道致歉,Acme股价回升。", "settled"),
    ],
)
def test_stance(text: str, expected: str) -> None:
    assert stance(text) == expected


def test_a_phrase_within_a_word_is_none() -> None:
    assert stance("The unapologetic brochure on denim, clarified butter aside") == "denial"
    assert stance("The unapologetic brochure on denim") == "report"
