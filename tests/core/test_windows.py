"""Windows: what is inside, what it adds up to, and that counting along equals counting afresh."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskstream.core.measure import AGGREGATES, UNIT, Aggregate, Measure
from riskstream.core.records import Mention, Signal
from riskstream.core.rules.event import Event
from riskstream.core.rules.novelty import Placed
from riskstream.core.rules.windows import Window

WINDOW_MS = 10_000


def signal(name: str, source: str = "wire", story: str = "", risk_score: float = 0.5) -> Signal:
    at = "2026-03-09T00:00:00.000Z"
    return Signal(
        signal_id=f"{name}#ACME",
        document_id=name,
        revision=False,
        entity=Mention("ACME", "Acme Corp", "Acme", 0.8),
        published_at=at,
        received_at=at,
        scored_at=at,
        late=False,
        clamped=False,
        source=source,
        kind="news",
        lang="en",
        title=name,
        snippet=name,
        url="",
        sentiment={},
        severity={},
        risk={},
        topic={},
        risk_score=risk_score,
        fingerprint=story or name,
        model="m@1",
    )


def event(ms: int, amount: float, sequence: int = 0, source: str = "wire", story: str = "") -> Event:
    return told(ms, sequence, round(amount * UNIT), signal(f"d{ms}-{sequence}", source, story))


def told(ms: int, sequence: int, amount: int, signal: Signal) -> Event:
    """An event whose story is its fingerprint and whose voice its source."""
    return Event(ms, sequence, amount, signal, Placed(signal.fingerprint, ms, signal.source), signal.source)


def window(aggregate: Aggregate, at_least: float = 0.0, half_life_ms: int | None = None, **details: int) -> Window:
    return Window(Measure("risk_score", aggregate, WINDOW_MS, at_least, half_life_ms, **details))


NEEDS: dict[str, dict[str, int]] = {
    "decayed_mean": {"half_life_ms": 4_000},
    "percentile": {"percentile": 60},
    "ratio": {"denominator_min": 2},
}
"""What an aggregate must be told beside its window."""


VALUES: list[tuple[Aggregate, list[tuple[int, float]], float, str]] = [
    ("max", [], 0.0, "an empty window is 0"),
    ("max", [(1, 0.2), (2, 0.9), (3, 0.4)], 0.9, "the greatest"),
    ("mean", [(1, 0.2), (2, 0.9), (3, 0.4)], 0.5, "the mean of all"),
    ("sum", [(1, 0.2), (2, 0.9), (3, 0.4)], 1.5, "the sum of all"),
    ("count", [(1, 0.2), (2, 0.9), (3, 0.4)], 2.0, "those that reach at_least, 0.4"),
    ("percentile", [(n, n / 10) for n in range(1, 6)], 0.3, "the 60th of five is the third from below"),
    ("percentile", [(1, 0.9)], 0.9, "one event is every percentile"),
    ("documents", [(1, 0.2), (2, 0.9), (3, 0.4)], 2.0, "two documents reach at_least"),
    ("sources", [(1, 0.8), (2, 0.9)], 1.0, "both from one source"),
    ("stories", [(1, 0.8), (2, 0.9)], 2.0, "two texts"),
    ("ratio", [(1, 0.2), (2, 0.9), (3, 0.4), (4, 0.1)], 0.5, "two of four reach at_least"),
    ("ratio", [(1, 0.9)], 0.0, "one is too few for a ratio"),
    ("decayed_mean", [(3, 0.7)], 0.7, "one event is its own mean"),
    ("decayed_mean", [(0, 0.9), (4_000, 0.3)], 0.5, "one half-life older counts half: (0.45 + 0.3) / 1.5"),
    ("decayed_mean", [(0, 0.8), (4_000, 0.0), (8_000, 0.0)], 0.1143, "two half-lives older count a quarter"),
]


@pytest.mark.parametrize(("aggregate", "events", "value", "says"), VALUES, ids=[case[3] for case in VALUES])
def test_value(aggregate: Aggregate, events: list[tuple[int, float]], value: float, says: str) -> None:
    there = window(aggregate, 0.4, **NEEDS.get(aggregate, {}))
    for ms, amount in events:
        there.add(event(ms, amount))
    there.advance(9_000)
    assert there.value() == value, says


def test_an_event_leaves_when_it_is_as_old_as_the_window() -> None:
    there = window("count")
    there.add(event(500, 0.9))
    assert there.due_ms() == 500 + WINDOW_MS
    there.advance(500 + WINDOW_MS - 1)
    assert there.value() == 1
    there.advance(500 + WINDOW_MS)
    assert (there.value(), there.due_ms()) == (0, None)


def test_silence_does_not_move_a_decayed_mean() -> None:
    there = window("decayed_mean", half_life_ms=1_000)
    there.add(event(0, 0.8))
    there.add(event(2_000, 0.4))
    before = there.value()
    there.advance(9_999)
    assert there.value() == before


def test_counts_are_of_supporting_signals() -> None:
    there = window("max", at_least=0.5)
    there.add(event(1, 0.9, source="wire", story="a"))
    there.add(event(2, 0.8, source="blog", story="a"))
    there.add(event(3, 0.1, source="press", story="b"))
    view = there.view(evidence_max=5)
    assert (view.documents, view.sources, view.stories) == (2, 2, 1)
    assert view.evidence == ("d1-0#ACME",), "one signal a story, the best"


def test_the_best_evidence_is_one_a_story_highest_first_then_newest() -> None:
    there = window("max", at_least=0.5)
    for ms in range(30):
        there.add(event(ms, 0.9, story="copied everywhere"))
    for ms, amount in ((40, 0.6), (41, 0.7), (42, 0.7)):
        there.add(event(ms, amount))
    assert [best.event_ms for best in there.best(3)] == [29, 42, 41]


def test_removing_what_is_not_there_is_told() -> None:
    there = window("max")
    there.add(event(5, 0.9, sequence=1))
    assert not there.remove(5, 2)
    assert there.remove(5, 1)
    assert (there.value(), there.events) == (0, [])


AMOUNTS = st.integers(0, UNIT)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 3_000), AMOUNTS, st.sampled_from("ABC"), st.sampled_from("xyz")),
        st.tuples(st.just("remove"), st.integers(0, 30)),
        st.tuples(st.just("advance"), st.integers(0, 4_000)),
    ),
    max_size=40,
)


@given(st.sampled_from(AGGREGATES), st.floats(0, 1), MOVES)
def test_counting_along_equals_counting_afresh(aggregate: Aggregate, at_least: float, moves: list[tuple]) -> None:
    there = window(aggregate, at_least, **NEEDS.get(aggregate, {}))
    now_ms, known = 10_000, []
    for sequence, move in enumerate(moves):
        match move:
            case "add", ago, amount, source, story:
                known.append(told(now_ms - ago, sequence, amount, signal(f"d{sequence}", source, story)))
                there.add(known[-1])
            case "remove", index if known:
                gone = known.pop(index % len(known))
                there.remove(gone.event_ms, gone.sequence)
            case "advance", ms:
                now_ms += ms
        there.advance(now_ms)
        known = [e for e in known if now_ms - WINDOW_MS < e.event_ms <= now_ms]
        assert there.events == sorted(known, key=lambda e: (e.event_ms, e.sequence))
        assert there.value() == pytest.approx(afresh(aggregate, at_least, known), abs=6e-5)
        support = [e for e in known if e.amount >= round(at_least * UNIT)]
        view = there.view()
        assert view.documents == len(support)
        assert view.sources == len({e.signal.source for e in support})
        assert view.stories == len({e.signal.fingerprint for e in support})
        assert there.top() == max((e.amount for e in known), default=0) / UNIT


def afresh(aggregate: Aggregate, at_least: float, events: list[Event]) -> float:
    amounts = [e.amount / UNIT for e in events]
    if not amounts:
        return 0.0
    support = [e for e in events if e.amount >= round(at_least * UNIT)]
    match aggregate:
        case "max":
            return max(amounts)
        case "mean":
            return math.fsum(amounts) / len(amounts)
        case "sum":
            return math.fsum(amounts)
        case "count":
            return len(support)
        case "documents":
            return len({e.signal.document_id for e in support})
        case "sources":
            return len({e.signal.source for e in support})
        case "stories":
            return len({e.signal.fingerprint for e in support})
        case "percentile":
            return sorted(amounts)[math.ceil(0.6 * len(amounts)) - 1]
        case "ratio":
            return len(support) / len(events) if len(events) >= 2 else 0.0
        case "decayed_mean":
            newest = max(e.event_ms for e in events)
            weights = [0.5 ** ((newest - e.event_ms) / 4_000) for e in events]
            return math.fsum(w * a for w, a in zip(weights, amounts, strict=True)) / math.fsum(weights)
