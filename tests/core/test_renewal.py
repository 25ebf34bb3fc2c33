"""A lane under other rules: in how many steps, and through how many owners, does not show in what it tells."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from riskstream.core.errors import InternalError
from riskstream.core.records import Alert
from riskstream.core.watching.watch import Watch
from tests.core.signals import SHOCK, START_MS, WATCHLIST, engine, make_signal, replaced, rules
from tests.core.test_state import Owner
from tests.core.test_watch_properties import EVERYTHING, PEOPLE, SIGNALS, signals_of

OTHERS = (
    EVERYTHING.replace('name = "voices"', 'name = "renamed"')
    .replace("limits = { watch = 0.4, material = 0.7, severe = 0.9 }", "limits = { watch = 0.2, severe = 0.6 }")
    .replace("cooldown_s = 6", "cooldown_s = 0")
)
"""One rule is gone, one is new, two are others; those that look back on more than is remembered are as they were."""


class OwnerOfPeople(Owner):
    """All of whom the stories tell are watched: an owner that takes over half way cannot know who was watched before,
    and for it those who never were have left."""

    def make(self) -> Watch:
        return Watch(rules(self.text), PEOPLE, keeps_state=True, config=str(hash(self.text)))


def play(story: list[tuple], at: int, steps: list[int], cuts: set[int]) -> list[Alert]:
    """The story, with other rules from signal `at` on: renewed in steps of so many subjects, some by another owner."""
    owner, alerts, now_ms = OwnerOfPeople(), [], START_MS
    for number, (signal, now_ms) in enumerate(signals_of(story)):
        if number == at:
            owner.text = OTHERS
            owner.watch.replace(rules(OTHERS), PEOPLE, owner.make().config)
            owner.write()
            for step, most in enumerate(steps):
                alerts += owner.watch.renew(most)
                owner.write()
                if step in cuts:
                    owner = owner.handed_over()
        alerts += owner.on_signal(signal, now_ms)
    return [*alerts, *owner.on_time(now_ms + 90_000)]


WAITING = [
    (3_572, 0, "A", "d0", "t1", "wire", 0.0),
    (0, 0, "B", "d0", "t1", "wire", 0.0),
    (0, 0, "A", "d0", "t2", "wire", 0.0),
]


@settings(max_examples=40, deadline=None)
@example([(0, 0, "A", "d0", "t1", "wire", 0.0), *WAITING], 3, [1], {0})
@given(SIGNALS, st.integers(0, 20), st.lists(st.integers(1, 3), max_size=6), st.sets(st.integers(0, 6)))
def test_a_renewal_in_steps_and_through_owners_tells_what_one_in_one_go_does(
    story: list[tuple], at: int, steps: list[int], cuts: set[int]
) -> None:
    told = play(story, at, steps, cuts)
    assert sorted(told, key=_key) == sorted(play(story, at, [], set()), key=_key)


def _key(alert: Alert) -> tuple[str, int]:
    return alert.alert_id, alert.sequence


def test_until_it_is_done_the_lane_is_of_no_configuration() -> None:
    owner = Owner(SHOCK)
    for entity in "ABC":
        owner.on_signal(make_signal("d1", entity=entity), START_MS + 1_000)
    owner.watch.replace(rules(SHOCK.replace("0.6", "0.65")), WATCHLIST, "after")
    told = [len(owner.watch.renew(2))]
    assert (owner.watch.renewing, owner.watch.save().config) == (True, "renewing")
    with pytest.raises(InternalError):
        owner.watch.replace(rules(), WATCHLIST)
    told.append(len(owner.watch.renew(2)))
    assert (owner.watch.renewing, owner.watch.save().config) == (False, "after")
    assert told == [4, 2], "a resolved and a fired one for each"


def test_the_same_rules_in_another_layout_disturb_nobody() -> None:
    watch = engine()
    watch.on_signal(make_signal(), START_MS)
    watch.replace(rules("# a comment\n" + SHOCK), dict(WATCHLIST), "other bytes")
    assert (watch.renewing, watch.config) == (False, "other bytes")


def test_a_name_that_left_and_came_back_is_looked_at_afresh() -> None:
    watch = engine()
    watch.on_signal(make_signal(), START_MS)
    assert [a.reason for a in replaced(watch, START_MS + 1_000, by=rules(SHOCK.replace("shock", "b")))] == [
        "rule_removed",
        "fired",
    ]
    assert [a.reason for a in replaced(watch, START_MS + 2_000, by=rules())] == ["rule_removed", "fired"]
