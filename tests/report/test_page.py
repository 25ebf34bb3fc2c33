"""The page: whole, self-contained, and with nothing of a feed taken for markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from riskstream.report import gather
from riskstream.report.chart import Span
from riskstream.report.compare import compare
from riskstream.report.episodes import episodes
from riskstream.report.gather import Gathered
from riskstream.report.markup import link, marked
from riskstream.report.page import Report, page
from riskstream.report.stories import judge, read_stories
from tests.core.signals import make_signal
from tests.report.alerts import START_MS, life
from tests.report.test_figures import STORY

VOID = {"meta", "link", "input"}


class Balance(HTMLParser):
    """Fails where a tag is closed that is not open; `open` is what was never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """`<line/>` opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def gathered(*titles: str) -> Gathered:
    found = Gathered(documents=True)
    for at, title in enumerate(titles):
        found.add(make_signal(f"d{at}", at_s=60 * at, title=title))
    return found


def everything() -> Report:
    mine, stories = (
        episodes([*life("wms.r", evidence=("d0#ACME",)), *life("..m", rule="other")]),
        read_stories(STORY, "s"),
    )
    return Report(
        title="Replay of a <test>",
        gathered=gathered("one", "two"),
        episodes=mine,
        held={("shock", "limit"): 3},
        stories=stories,
        judged=judge(stories, mine, {"d1": START_MS}, {"d0#ACME": "d1"}),
        compared=compare(episodes(life("m")), mine),
    )


def test_the_page_is_sound_and_loads_nothing() -> None:
    text = page(everything())
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert not re.findall(r'(?:src|href)="(?!data:,|https://example\.com/1)', text)
    assert "url(" not in text
    assert "Replay of a &lt;test&gt;" in text
    for shown in ("Stories", "Compared", "Timelines", "Alerts", "Held back", "ACME Corp"):
        assert shown in text


def test_equal_reports_give_equal_bytes() -> None:
    assert page(everything()) == page(everything())


def test_nothing_of_a_feed_is_markup() -> None:
    evil = '</title><script>alert("x")</script>'
    report = msgspec.structs.replace(everything(), gathered=gathered(evil))
    assert "<script>alert" not in page(report)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//example.com", "", "ftp://example.com"])
def test_only_addresses_of_the_web_are_links(url: str) -> None:
    assert link(url, "a <b>") == "a &lt;b&gt;"


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ((), "a <b> c"),
        (((0, 1, 0.4),), "[a] <b> c"),
        (((2, 5, 0.4), (0, 1, -0.2)), "a [<b>] c"),
        (((0, 3, 0.4), (2, 5, 0.1)), "[a <][b>] c"),
        (((5, 99, 0.4),), "a <b>[ c]"),
        (((9, 99, 0.4),), "a <b> c"),
    ],
)
def test_words_that_raised_the_score_are_marked(spans: tuple[tuple[int, int, float], ...], expected: str) -> None:
    shown = re.sub(r"<mark[^>]*>", "[", marked("a <b> c", spans)).replace("</mark>", "]")
    assert shown.replace("&lt;", "<").replace("&gt;", ">") == expected


def test_the_highest_scores_of_an_entity_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "DOTS_MAX", 3)
    found = Gathered()
    for at, score in enumerate((0.1, 0.9, 0.2, 0.8, 0.7)):
        found.add(make_signal(f"d{at}", risk_score=score))
    assert sorted(dot.risk_score for dot in found.dots["ACME"]) == [0.7, 0.8, 0.9]
    assert (found.signals, found.left_out) == (5, 2)


def test_a_moment_outside_lies_on_the_edge() -> None:
    span = Span(0, 100)
    assert span.x(-50) == span.x(0) < span.x(50) < span.x(100) == span.x(500)
    assert Span(5, 5).x(5) == span.x(0)
