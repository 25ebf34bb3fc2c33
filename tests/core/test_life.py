"""The life of a rule on a subject, judged once a minute: what is seen, and what it becomes.

In a story `x` is held and `-` is not; in a life `.` is idle, `p` pending, `F` firing, `c` cooling.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.records import Life
from riskstream.core.rules.life import IDLE, Hold, due_ms, step

MINUTE = 60_000
LETTER = {"idle": ".", "pending": "p", "firing": "F", "cooling": "c"}

NOTHING = Hold()
WAITS = Hold(for_ms=2 * MINUTE)
KEEPS = Hold(keep_ms=2 * MINUTE)
COOLS = Hold(cooldown_ms=3 * MINUTE)
ALL = Hold(2 * MINUTE, 2 * MINUTE, 2 * MINUTE)

CASES = [
    (NOTHING, "-x-x--", ".F.F..", "with no durations it follows what is seen"),
    (WAITS, "xxxx--", "ppFF..", "fires once held for two minutes, resolved at once"),
    (WAITS, "xx-xxx", "pp.ppF", "a gap while pending starts the wait again"),
    (WAITS, "x-x-x-", "p.p.p.", "what never lasts never fires"),
    (KEEPS, "x-----", "FFF...", "resolved two minutes after the first minute without"),
    (KEEPS, "x-x-x-", "FFFFFF", "a gap shorter than keep resolves nothing"),
    (KEEPS, "x-x---", "FFFFF.", "each gap is counted from its own beginning"),
    (COOLS, "x-xxxx", "FcccFF", "nothing fires within three minutes after the end, then at once"),
    (COOLS, "x-----", "Fccc..", "cooling ends by itself"),
    (ALL, "xxxx-----xxxx", "ppFFFFcc.ppFF", "all three together: wait, keep, cool, and again"),
    (ALL, "xxx---xxxxx", "ppFFFccppFF", "held while cooling: pending as soon as that ends"),
]


def live(hold: Hold, story: str) -> str:
    life, lived = IDLE, ""
    for minute, seen in enumerate(story):
        life = step(life, hold, held=seen == "x", now_ms=minute * MINUTE)
        lived += LETTER[life.phase]
    return lived


@pytest.mark.parametrize(("hold", "story", "lived", "says"), CASES, ids=[case[3] for case in CASES])
def test_life(hold: Hold, story: str, lived: str, says: str) -> None:
    assert live(hold, story) == lived, says


def test_a_life_says_when_it_wants_to_be_judged() -> None:
    assert due_ms(IDLE, ALL) is None
    assert due_ms(Life("pending", 1000), ALL) == 1000 + ALL.for_ms
    assert due_ms(Life("firing", 1000), ALL) is None
    assert due_ms(Life("firing", 1000, 5000), ALL) == 5000 + ALL.keep_ms
    assert due_ms(Life("cooling", 1000), ALL) == 1000 + ALL.cooldown_ms


HOLDS = st.builds(Hold, *[st.sampled_from([0, 1, 2, 5])] * 3)


@given(HOLDS, st.lists(st.booleans(), max_size=40))
def test_judging_twice_at_a_time_changes_nothing(hold: Hold, seen: list[bool]) -> None:
    life = IDLE
    for now_ms, held in enumerate(seen):
        life = step(life, hold, held=held, now_ms=now_ms)
        assert step(life, hold, held=held, now_ms=now_ms) == life


@given(HOLDS, st.lists(st.booleans(), max_size=40))
def test_between_its_due_times_a_life_does_not_move(hold: Hold, seen: list[bool]) -> None:
    life = IDLE
    for change, held in enumerate(seen):
        life = step(life, hold, held=held, now_ms=change * 7)
        for now_ms in range(change * 7 + 1, change * 7 + 7):
            due = due_ms(life, hold)
            after = step(life, hold, held=held, now_ms=now_ms)
            assert after == life or (due is not None and now_ms >= due)
            life = after
