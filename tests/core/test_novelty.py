"""Stories: which texts tell one story again, who told it first, and that this follows from what is remembered."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from riskstream.core.reading.sketch import sketches
from riskstream.core.records import Signal
from riskstream.core.rules.novelty import TELLINGS_MAX, Placed, Stories
from tests.core.signals import make_signal
from tests.core.test_sketch import COPIES, OTHER_REPORT, REPORT


def tell(stories: Stories, sequence: int, text: str, source: str = "wire", **fields: object) -> Placed:
    signal = written(f"d{sequence}", text, source, **fields)
    placed = stories.place(signal, sequence * 1_000)
    stories.add(sequence, signal, placed)
    return placed


def written(document: str, text: str, source: str = "wire", **fields: object) -> Signal:
    return make_signal(document, text=text, source=source, sketch=sketches([text])[0], **fields)


def test_copies_are_one_story_with_the_voice_of_its_first_telling() -> None:
    stories = Stories()
    first = tell(stories, 1, REPORT, "wire", voice="northgate")
    assert first == Placed(REPORT, 1_000, "northgate")
    papers = [tell(stories, place, copy, f"paper-{place}") for place, copy in enumerate(COPIES.values(), start=2)]
    assert {one.story for one in papers} == {REPORT}
    assert {one.voice for one in papers} == {"northgate"}
    assert [one.copies for one in papers] == list(range(1, len(COPIES) + 1))
    assert papers[-1].sources == len(COPIES) + 1
    assert {one.since_ms for one in papers} == {1_000}


def test_another_report_of_the_event_is_a_story_of_its_own() -> None:
    stories = Stories()
    tell(stories, 1, REPORT)
    assert tell(stories, 2, OTHER_REPORT, "paper") == Placed(OTHER_REPORT, 2_000, "paper")


def test_a_short_text_is_a_copy_of_the_very_same_only() -> None:
    stories = Stories()
    tell(stories, 1, "Acme halted")
    assert tell(stories, 2, "Acme halted").copies == 1
    assert tell(stories, 3, "Acme halted!!").copies == 0


def test_who_carries_it_twice_is_one_carrier() -> None:
    stories = Stories()
    assert [tell(stories, place, "same", source).sources for place, source in enumerate("aabb")] == [1, 1, 2, 2]


def test_a_story_is_forgotten_with_its_last_telling() -> None:
    stories = Stories()
    tell(stories, 1, REPORT)
    tell(stories, 2, REPORT)
    stories.remove(1)
    assert tell(stories, 3, REPORT).since_ms == 1_000, "a copy keeps it alive"
    for sequence in (2, 3, 3):
        stories.remove(sequence)
    assert tell(stories, 4, REPORT) == Placed(REPORT, 4_000, "wire")


def test_a_flood_costs_each_text_the_same() -> None:
    """A near copy is looked for among the last tellings; the very same text is always found."""
    stories = Stories()
    tell(stories, 0, REPORT)
    for place in range(1, TELLINGS_MAX + 1):
        tell(stories, place, " ".join(f"w{place * 31 + word}" for word in range(12)))
    edited = REPORT.replace("Friday", "Monday")
    assert stories.place(written("e", edited), 0).copies == 0
    assert stories.place(written("s", REPORT), 0).copies == 1


TEXTS = (REPORT, *COPIES.values(), OTHER_REPORT, "Acme halted", "Acme halted again")
MOVES = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.sampled_from("abc"), st.lists(st.integers(0, 13), max_size=3)), max_size=14
)


@given(MOVES, st.integers(0, 13))
@settings(max_examples=60, deadline=None)
def test_a_restored_subject_places_the_next_text_as_before(moves: list[tuple[str, str, list[int]]], cut: int) -> None:
    """Rule 5: what is remembered, in its order, is all that decides."""
    lived, kept = Stories(), {}
    for sequence, (text, source, forget) in enumerate(moves):
        if sequence == cut:
            lived = Stories()
            for known, (signal, placed) in kept.items():
                lived.add(known, signal, placed)
        signal = written(f"d{sequence}", text, source)
        placed = lived.place(signal, sequence)
        other = Stories()
        for known, (before, where) in kept.items():
            other.add(known, before, where)
        assert other.place(signal, sequence) == placed
        lived.add(sequence, signal, placed)
        kept[sequence] = (signal, placed)
        for place in forget:
            if kept:
                gone = sorted(kept)[place % len(kept)]
                del kept[gone]
                lived.remove(gone)
