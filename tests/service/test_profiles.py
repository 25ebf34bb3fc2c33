"""The profiles of config/profiles: each example, replayed with the shipped model, makes the alerts it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskstream.core.contracts import Alert
from riskstream.core.ports import Scorer
from riskstream.core.reading.entities import Matcher
from riskstream.core.watching.desk import Desk
from riskstream.sections import Feed, Models
from riskstream.service import parts
from riskstream.service.commands import replay
from riskstream.service.pipeline import Preparer
from riskstream.service.stages import files
from riskstream.settings import Settings

PROFILES = Path(__file__).parents[2] / "config" / "profiles"
FEED = Feed(name="example", topic="example", age_max_s=7 * 86_400)
EXPECTED: dict[str, tuple[set[tuple[str, str, str]], set[str]]] = {
    "market": (
        {("firm-in-trouble", "HALV", "severe"), ("firm-in-trouble", "CALDER", "material"),
         ("sector-spreads", "banks", "material")},
        {"TARN", "MIRE"},
    ),
    "credit": (
        {("credit-event", "DRYA", "severe"), ("credit-signal", "DRYA", "severe"), ("credit-event", "VOSSL", "severe"),
         ("family", "VOSS", "severe")},
        {"KELL"},
    ),
    "compliance": (
        {("risky-passage", "QUILL", "severe"), ("risky-passage", "SOLM", "material"), ("integrity", "SOLM", "severe"),
         ("risky-passage", "BREN", "severe"), ("integrity", "BREN", "severe")},
        set(),
    ),
    "customer": (
        {("fraud-report", "CARD", "severe"), ("account-takeover", "APP", "severe"), ("complaint-wave", "APP", "watch")},
        {"BANK"},
    ),
    "robo": (
        {("holding-signal", "AURO", "severe"), ("portfolio-risk", "growth", "severe"),
         ("portfolio-risk", "balanced", "severe"), ("holding-signal", "PELI", "material")},
        {"NORD"},
    ),
}  # fmt: skip
"""By profile: (rule, subject, highest severity) that must be there, and subjects about which there must be nothing."""
SEVERITIES = ("watch", "material", "severe")


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The shipped model."""
    return parts.load_scorer(Models())


def replayed(profile: str, scorer: Scorer) -> list[Alert]:
    folder = PROFILES / profile
    rules, watchlist = files.load_rules(folder / "rules.toml"), files.load_watchlist(folder / "watchlist.csv")
    files.check_rules_fit(rules, scorer)
    decoder = files.decoder_of(FEED)
    settings, tally = Settings(), replay.Tally()
    preparer = Preparer({FEED.topic: decoder}, Matcher(tuple(watchlist.values())), scorer, 8)
    lines = (folder / "example.jsonl").read_bytes().splitlines()
    limits = parts.batch_limits(settings.batching)
    signals = replay.signals_of(replay.messages(lines, decoder), preparer, scorer, limits, tally)
    alerts = list(replay.alerts_of(signals, Desk(rules, watchlist), tally))
    assert tally.outcomes["scored"] == len(lines), "every line names somebody"
    return alerts


def test_every_profile_is_whole() -> None:
    found = sorted(path.name for path in PROFILES.iterdir() if path.is_dir())
    assert found == sorted(EXPECTED)
    for profile in found:
        names = {path.name for path in (PROFILES / profile).iterdir()}
        assert names == {"rules.toml", "rules.test.toml", "watchlist.csv", "example.jsonl"}


@pytest.mark.parametrize("profile", EXPECTED)
def test_an_example_makes_the_alerts_that_it_is_there_for(profile: str, scorer: Scorer) -> None:
    there, silent = EXPECTED[profile]
    worst: dict[tuple[str, str], str] = {}
    for alert in replayed(profile, scorer):
        where = (alert.rule, alert.subject.id)
        worst[where] = max(worst.get(where, "watch"), alert.severity, key=SEVERITIES.index)
    told = {(rule, subject, severity) for (rule, subject), severity in worst.items()}
    assert there <= told
    assert {subject for _, subject, _ in told} & silent == set()


def test_a_portfolio_s_alert_names_what_drives_it(scorer: Scorer) -> None:
    alerts = [alert for alert in replayed("robo", scorer) if alert.subject.id == "balanced"]
    assert alerts[0].holdings[0].id == "AURO"
    assert "driven by Aurochs Semiconductors (44%" in alerts[0].summary
