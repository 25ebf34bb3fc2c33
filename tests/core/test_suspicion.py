"""The note beside an offset: who began here and did not come back."""

from __future__ import annotations

import pytest

from riskstream.core.lanes.suspicion import Note, read, write

ME, OTHER = "aa11", "bb22"
SPAN = 1_500


@pytest.mark.parametrize(
    ("note", "rest", "text"),
    [
        (Note(), "", ""),
        (Note(), "clock=17", "clock=17"),
        (Note(1, 0, ME), "", "tries=1 until=0 by=aa11|"),
        (Note(2, 1_510, ME), "clock=17", "tries=2 until=1510 by=aa11|clock=17"),
        (Note(0, 1_510), "a|b", "tries=0 until=1510 by=|a|b"),
    ],
)
def test_a_note_and_what_else_is_kept_come_back_as_they_were(note: Note, rest: str, text: str) -> None:
    assert write(note, rest) == text
    assert read(text) == (note, rest)


@pytest.mark.parametrize("strange", ["tries", "tries=x until=1 by=|", "tries=1", "clock=1|tries=1 until=0 by=|"])
def test_what_is_no_note_passes_through(strange: str) -> None:
    assert read(strange) == (Note(), strange)


def owner(note: Note, me: str, offset: int) -> Note:
    """A new owner reads the note, goes on at `offset`, and begins work."""
    return note.suspects(offset, me, SPAN).begun(me)


def test_one_death_in_the_middle_of_work_suspects_nobody() -> None:
    first = owner(Note(), OTHER, 0).passed(10)
    assert owner(first, ME, 10).until == 0


def test_two_deaths_at_one_offset_make_what_was_in_flight_suspect() -> None:
    after_the_first = Note().passed(10)
    second = owner(after_the_first, OTHER, 10)
    third = owner(second, ME, 10)
    assert (second.until, third.until) == (0, 10 + SPAN)


def test_a_process_that_lost_its_producer_and_lives_suspects_nobody() -> None:
    note = owner(owner(Note(), ME, 10), ME, 10)
    assert (note.tries, note.until) == (1, 0)


def test_suspicion_stays_until_all_suspects_are_past_and_no_longer() -> None:
    note = owner(owner(Note(), OTHER, 10), ME, 10)
    assert note.passed(11).until == 10 + SPAN
    assert owner(note.passed(11), OTHER, 11).until == 10 + SPAN
    assert note.passed(10 + SPAN) == Note()
