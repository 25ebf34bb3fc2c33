"""What supports a rule: counting along equals looking afresh, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.rules.denial import confirms
from riskstream.core.rules.event import Event
from riskstream.core.rules.novelty import Placed
from riskstream.core.rules.support import Support
from tests.core.signals import make_signal

EVENTS = st.builds(
    lambda ms, amount, story, voice, kind, stance: (ms, amount * 1_000, story, voice, kind, stance),
    st.integers(0, 5),
    st.integers(0, 3),
    st.sampled_from("abc"),
    st.sampled_from(["", "wire", "paper"]),
    st.sampled_from(["news", "filing", "social"]),
    st.sampled_from(["report", "unconfirmed", "denial"]),
)


def event(sequence: int, ms: int, amount: int, story: str, voice: str, kind: str, stance: str) -> Event:
    signal = make_signal(f"d{sequence}", at_s=ms, kind=kind, stance=stance, risk_score=amount / 10_000)
    return Event(ms, sequence, amount, signal, Placed(story, ms, voice), voice)


def afresh(held: list[Event], count_max: int) -> list[Event]:
    ranked = sorted(held, key=lambda one: (-one.amount, -one.signal.risk_score, -one.event_ms, -one.sequence))
    first = {one.placed.story: one for one in reversed(ranked)}
    return sorted(first.values(), key=ranked.index)[:count_max]


@given(st.lists(st.tuples(EVENTS, st.booleans(), st.booleans(), st.integers(0, 99)), max_size=40))
def test_counting_along_equals_looking_afresh(
    steps: list[tuple[tuple[int, int, str, str, str, str], bool, bool, int]],
) -> None:
    support, held = Support(), list[Event]()
    for sequence, (parts, goes, looks, which) in enumerate(steps):
        if goes and held:
            support.count(held.pop(which % len(held)), -1)
        else:
            held.append(event(sequence, *parts))
            support.count(held[-1], 1)
        facts = [one for one in held if confirms(one.signal)]
        assert support.events == len(held)
        assert set(support.stories) == {one.placed.story for one in held}
        assert set(support.sources) == {one.voice for one in held if one.voice}
        assert set(support.documents) == {one.signal.document_id for one in held}
        kinds = {one.signal.kind for one in facts}
        behind = ("official" if "filing" in kinds else "reported") if facts else "unconfirmed" if held else None
        assert support.confirmation() == behind
        for least in (0, 1_000, 3_000):
            assert support.confirmed(least, iter(held)) == any(one.amount >= least for one in facts)
        if looks:
            assert [support.best(count, iter(held)) for count in (1, 2, 5)] == [afresh(held, n) for n in (1, 2, 5)]
