"""Tests of rules: what a case file may say, when a case holds, and how it says that it does not."""

import pytest

from riskstream.core.watching.cases import Case, check_cases
from riskstream.core.watching.casework import run_case
from tests.core.signals import rules

RULES = rules(
    """
[[rule]]
name = "shock"
field = "risk_score"
aggregate = "max"
window_s = 60
limits = { watch = 0.3, severe = 0.9 }
[[silence]]
match = { subjects = ["QUIET"] }
until = 2026-02-01T00:00:00Z
comment = "for the tests"
"""
)
SIGNALS = 'signals = [{ at_s = 5, risk_score = 0.5 }, { at_s = 20, risk_score = 0.95, source = "blog" }]\n'
FIRED = '{ at_s = 5, rule = "shock", reason = "fired", severity = "watch", value = 0.5, sources = 1 }'
RAISED = '{ at_s = 20, reason = "raised", severity = "severe", sources = 2, sequence = 2, state = "updated" }'


def case(text: str) -> Case:
    found, mistakes = check_cases(f'rules = "r"\n[[case]]\nname = "c"\nentity = "ACME"\n{text}', "c.test.toml")
    assert mistakes == []
    return found.cases[0]


def wrong(text: str) -> tuple[str, ...]:
    return run_case(case(text), RULES, {}).wrong


HOLDS = [
    (f"{SIGNALS}alerts = [{FIRED}, {RAISED}]", "all that came was expected"),
    (f'{SIGNALS}until_s = 80\nalerts = [{FIRED}, {RAISED}, {{ at_s = 80, reason = "expired" }}]', "time goes on"),
    ("signals = [{ at_s = 5, risk_score = 0.1 }]", "nothing was expected, nothing came"),
    (
        'signals = [{ at_s = 5, risk_score = 0.5, repeat = 3, every_s = 10 }]\nalerts = [{ reason = "fired" }]',
        "more of the same is mere evidence",
    ),
    (
        "signals = [{ at_s = 5, risk_score = 0.5, repeat = 2, every_s = 10 }]\n"
        'alerts = [{ reason = "fired" }, { at_s = 15, reason = "evidence", documents = 2 }]',
        "unless evidence is asked for",
    ),
    ("signals = [{ at_s = 90, published_s = 0, risk_score = 0.9 }]", "a text that was published long ago"),
    (
        'signals = [{ at_s = 5, risk_score = 0.5, entity = "QUIET" }]\n'
        'held = [{ rule = "shock", reason = "silenced", count = 1 }]',
        "what was held back",
    ),
    (
        'start = 2026-02-01T00:00:00Z\nsignals = [{ at_s = 5, risk_score = 0.5, entity = "QUIET" }]\n'
        'alerts = [{ subject = "QUIET" }]\nheld = []',
        "at another time nothing is",
    ),
]


@pytest.mark.parametrize(("text", "says"), HOLDS, ids=[case[1] for case in HOLDS])
def test_a_case_that_holds(text: str, says: str) -> None:
    assert wrong(text) == (), says


FAILS = [
    (SIGNALS, 'not expected: at_s = 5, rule = "shock", reason = "fired", severity = "watch", subject = "ACME"'),
    (f"{SIGNALS}alerts = [{FIRED}]", 'not expected: at_s = 20, rule = "shock", reason = "raised"'),
    ('alerts = [{ at_s = 5, rule = "shock" }]', 'did not come: at_s = 5, rule = "shock"'),
    (
        "signals = [{ at_s = 5, risk_score = 0.5 }]\nalerts = [{ at_s = 5, value = 0.6 }]",
        "did not come: at_s = 5, value = 0.6",
    ),
    (
        'signals = [{ at_s = 5, risk_score = 0.5, entity = "QUIET" }]\nheld = []',
        "held back by shock, silenced: 1, expected 0",
    ),
]


@pytest.mark.parametrize(("text", "says"), FAILS, ids=[case[1][:40] for case in FAILS])
def test_a_case_that_fails_says_what_is_wrong(text: str, says: str) -> None:
    assert any(line.startswith(says) for line in wrong(text)), wrong(text)


MISTAKES = [
    ("[[case]]\nname = 'c'\n", "rules = None: is missing"),
    ("rules = 'r'\n", "case = None: is not there"),
    ("rules = 'r'\n[[case]]\n", "case number 1: name = None: is missing"),
    ("rules = 'r'\n[[case]]\nname = 'c'\nsignals = [{ at_s = 1 }]\n", "signals[1].entity = None: is missing"),
    (
        "rules = 'r'\n[[case]]\nname = 'c'\nsignals = [{ at_s = 1, entity = 'A', risk = { credit = 2 } }]\n",
        "from 0 to 1",
    ),
    ("rules = 'r'\n[[case]]\nname = 'c'\nalerts = [{ severity = 'bad' }]\n", "alerts[1].severity = 'bad'"),
    ("rules = 'r'\n[[case]]\nname = 'c'\nexpect = []\n", "expect = []: is not a key"),
    ("rules =", "is not TOML"),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=[case[1] for case in MISTAKES])
def test_mistakes_of_a_case_file(text: str, says: str) -> None:
    _, mistakes = check_cases(text, "c.test.toml")
    assert any(says in str(mistake) for mistake in mistakes), [str(mistake) for mistake in mistakes]
